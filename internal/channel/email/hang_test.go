package email_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/silquetech/silque-notifications/internal/channel"
	"github.com/silquetech/silque-notifications/internal/channel/email"
)

// silent is a server that follows the protocol up to one command, and then says nothing any more. hung is closed when it
// is there.
func silent(t *testing.T, verb string) (port int, hung chan struct{}) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { close(ended); _ = listener.Close() })
	hung = make(chan struct{})
	go func() {
		c, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		_, _ = c.Write([]byte("220 hello\r\n"))
		for lines := bufio.NewScanner(c); lines.Scan(); {
			said, _, _ := strings.Cut(lines.Text(), " ")
			if said == verb {
				close(hung)
				<-ended
				return
			}
			reply := "250 ok\r\n"
			if said == "EHLO" {
				reply = "250-hello\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n"
			}
			_, _ = c.Write([]byte(reply))
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port, hung
}

// Until the whole content has left, nothing is in doubt, whatever the server hangs at.
func TestAServerThatFallsSilentBeforeTheContentLeavesNothingInDoubt(t *testing.T) {
	t.Parallel()
	_, trusted := certificate(t)
	for verb, set := range map[string]func(c *email.Config){
		"EHLO":     func(*email.Config) {},
		"STARTTLS": func(c *email.Config) { c.TLS, c.RootCAs = email.TLSMandatory, trusted },
		"AUTH":     func(c *email.Config) { c.Username, c.Password, c.AuthMethod = user, password, email.AuthPlain },
		"MAIL":     func(*email.Config) {},
		"RCPT":     func(*email.Config) {},
		"DATA":     func(*email.Config) {},
	} {
		t.Run("at "+verb, func(t *testing.T) {
			t.Parallel()
			port, hung := silent(t, verb)
			ctx := expiring{t.Context(), hung}
			_, err := sender(t, &server{port: port}, func(c *email.Config) { c.Timeout = time.Minute; set(c) }).Send(ctx, message("d1"))
			wantRefusal(t, err, channel.Temporary, "smtp_timeout")
		})
	}
}

// The server takes the message, and says so when nobody listens any more. That is in doubt, and the late reply is not
// taken for the next message's.
func TestAReplyThatComesTooLateLeavesTheMessageInDoubtAndTheNextOneAlone(t *testing.T) {
	t.Parallel()
	var late atomic.Bool
	taken, givenUp := make(chan struct{}), make(chan struct{})
	s := start(t, func(s *server) {
		s.onData = func(_ *smtp.Conn, r io.Reader) error {
			if late.CompareAndSwap(false, true) {
				_, _ = io.ReadAll(r)
				close(taken)
				<-givenUp
			}
			return nil
		}
	})
	out := sender(t, s, func(c *email.Config) { c.Timeout = time.Minute })
	_, err := out.Send(expiring{t.Context(), taken}, message("d1"))
	wantRefusal(t, err, channel.Unknown, "smtp_timeout")
	close(givenUp)
	receipt, err := out.Send(t.Context(), message("d2"))
	if err != nil || !strings.HasPrefix(receipt.ProviderID, "d2@") {
		t.Errorf("the next message: %+v, %v", receipt, err)
	}
	if n := s.accepted.Load(); n != 2 {
		t.Errorf("%d connections, want 2: the first has an answer to come", n)
	}
}

// A name that does not resolve is a fault that goes by: a name server is away more often than a setting is wrong.
func TestAMailServersNameThatDoesNotResolveIsTemporary(t *testing.T) {
	t.Parallel()
	out := sender(t, &server{port: 25}, func(c *email.Config) { c.Host, c.Timeout = "mail.invalid", 3*time.Second })
	_, err := out.Send(t.Context(), message("d1"))
	var refusal *channel.Error
	if !errors.As(err, &refusal) || refusal.Class != channel.Temporary || refusal.Code != "smtp_connect" && refusal.Code != "smtp_timeout" {
		t.Fatalf("got %v, want smtp_connect, or smtp_timeout where no name server answers", err)
	}
}

// Garbage without an end must not fill the memory.
func TestAReplyWithoutAnEndIsCutOff(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"a line": "x", "lines": "220-hello\r\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = listener.Close() })
			sent := make(chan int, 1)
			go func() {
				c, err := listener.Accept()
				if err != nil {
					return
				}
				total, piece := 0, []byte(strings.Repeat(text, 1000))
				for {
					n, err := c.Write(piece)
					total += n
					if err != nil || total > 64<<20 {
						break
					}
				}
				_ = c.Close()
				sent <- total
			}()
			out := sender(t, &server{port: listener.Addr().(*net.TCPAddr).Port}, func(c *email.Config) { c.Timeout = time.Minute })
			_, err = out.Send(t.Context(), message("d1"))
			wantRefusal(t, err, channel.Temporary, "smtp_bad_reply")
			if n := <-sent; n > 32<<20 {
				t.Errorf("the sender read about %d bytes", n)
			}
		})
	}
}

// The server takes fewer connections than the settings say, and puts the others off at the greeting.
func TestAServerThatTakesFewerConnectionsGetsEveryMessageOnce(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	relay := atMost(t, s, 2)
	out := sender(t, &server{port: relay}, func(c *email.Config) { c.MaxConnections = 4 })
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			for {
				_, err := out.Send(context.WithoutCancel(t.Context()), message("d"+string(rune('a'+i))))
				if err == nil {
					return
				}
				var refusal *channel.Error
				if !errors.As(err, &refusal) || refusal.Class != channel.Temporary || refusal.Code != "smtp_421" {
					t.Errorf("refused with %v, want smtp_421", err)
					return
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	group.Wait()
	if n := len(s.received()); n != 20 {
		t.Errorf("%d messages, want 20", n)
	}
}

// atMost stands before a server and lets so many connections at a time through.
func atMost(t *testing.T, s *server, limit int) (port int) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	slots := make(chan struct{}, limit)
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			select {
			case slots <- struct{}{}:
				go func() { defer func() { <-slots }(); join(near, s.port) }()
			default:
				_, _ = near.Write([]byte("421 4.7.0 too many connections from you\r\n"))
				_ = near.Close()
			}
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port
}

// join carries a connection to the server on a port until one side ends it.
func join(near net.Conn, port int) {
	defer func() { _ = near.Close() }()
	far, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }()
	go func() { _, _ = io.Copy(near, far); _ = near.Close() }()
	_, _ = io.Copy(far, near)
}
