package email_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/silquetech/silque-notifications/internal/channel"
	"github.com/silquetech/silque-notifications/internal/channel/email"
)

func TestMessagesShareOneConnection(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	out := sender(t, s, nil)
	for i := range 5 {
		if _, err := out.Send(t.Context(), message(fmt.Sprint("d", i))); err != nil {
			t.Fatal(err)
		}
	}
	if s.accepted.Load() != 1 || len(s.received()) != 5 {
		t.Errorf("%d messages on %d connections, want 5 on 1", len(s.received()), s.accepted.Load())
	}
}

func TestConcurrentMessagesStayWithinTheConnections(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	out := sender(t, s, func(c *email.Config) { c.MaxConnections = 3 })
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			if _, err := out.Send(t.Context(), message(fmt.Sprint("d", i))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	ids := map[string]bool{}
	for _, m := range s.received() {
		ids[parse(t, m.content).Header.Get("X-Silque-Delivery")] = true
	}
	if len(ids) != 60 || len(s.received()) != 60 {
		t.Errorf("%d messages, %d of them different; want 60", len(s.received()), len(ids))
	}
	if s.accepted.Load() > 3 || s.busiest.Load() > 3 {
		t.Errorf("%d connections, %d busy at a time; want at most 3", s.accepted.Load(), s.busiest.Load())
	}
}

func TestARefusalHasTheClassAndCodeOfTheReply(t *testing.T) {
	t.Parallel()
	busy := &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "try later, ann@example.org"}
	gone := &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no mailbox ann@example.org"}
	full := &smtp.SMTPError{Code: 552, EnhancedCode: smtp.EnhancedCode{5, 2, 2}, Message: "mailbox full"}
	bare := &smtp.SMTPError{Code: 554, EnhancedCode: smtp.NoEnhancedCode, Message: "no"}
	odd := &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{4, 1, 1}, Message: "codes that contradict each other"}
	for name, tc := range map[string]struct {
		stage string
		reply *smtp.SMTPError
		class channel.Class
		code  string
	}{
		"temporary at MAIL":              {"MAIL", busy, channel.Temporary, "smtp_451_4.7.1"},
		"permanent at MAIL":              {"MAIL", gone, channel.Permanent, "smtp_550_5.1.1"},
		"temporary at RCPT":              {"RCPT", busy, channel.Temporary, "smtp_451_4.7.1"},
		"permanent at RCPT":              {"RCPT", gone, channel.Permanent, "smtp_550_5.1.1"},
		"temporary after the content":    {"DATA", busy, channel.Temporary, "smtp_451_4.7.1"},
		"permanent after the content":    {"DATA", gone, channel.Permanent, "smtp_550_5.1.1"},
		"a full mailbox is a 5xx":        {"RCPT", full, channel.Permanent, "smtp_552_5.2.2"},
		"no enhanced code":               {"RCPT", bare, channel.Permanent, "smtp_554"},
		"an enhanced code that is wrong": {"RCPT", odd, channel.Permanent, "smtp_550"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refuse := true
			s := start(t, func(s *server) {
				answer := func(stage string) error {
					if refuse && stage == tc.stage {
						refuse = false
						return tc.reply
					}
					return nil
				}
				s.onMail = func(*smtp.Conn, int32) error { return answer("MAIL") }
				s.onRcpt = func(*smtp.Conn, string) error { return answer("RCPT") }
				s.onData = func(*smtp.Conn, io.Reader) error { return answer("DATA") }
			})
			out := sender(t, s, nil)
			_, err := out.Send(t.Context(), message("d1"))
			refusal := refusalOf(t, err, tc.class, tc.code)
			if strings.Contains(err.Error(), "example.org") || !strings.Contains(refusal.Detail, tc.reply.Message) {
				t.Errorf("text %q, detail %q", err, refusal.Detail)
			}
			if _, err := out.Send(t.Context(), message("d2")); err != nil {
				t.Errorf("the next message: %v", err)
			}
			if n := s.accepted.Load(); n != 1 || len(s.received()) != 1 {
				t.Errorf("%d connections, %d messages; want 1 and 1", n, len(s.received()))
			}
		})
	}
}

func TestAServerThatHangsUpWith421GetsANewConnection(t *testing.T) {
	t.Parallel()
	s := start(t, func(s *server) {
		s.onRcpt = func(_ *smtp.Conn, to string) error {
			if strings.HasPrefix(to, "busy") {
				return &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 3, 2}, Message: "closing"}
			}
			return nil
		}
	})
	out := sender(t, s, nil)
	m := message("d1")
	m.To = "busy@example.org"
	_, err := out.Send(t.Context(), m)
	wantRefusal(t, err, channel.Temporary, "smtp_421_4.3.2")
	if _, err := out.Send(t.Context(), message("d2")); err != nil {
		t.Fatal(err)
	}
	if n := s.accepted.Load(); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
}

func TestNothingListening(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close()
	out := sender(t, &server{port: port}, nil)
	_, err = out.Send(t.Context(), message("d1"))
	wantRefusal(t, err, channel.Temporary, "smtp_connect")
	wantRefusal(t, out.Check(t.Context()), channel.Temporary, "smtp_connect")
}

// hanging blocks a hook until the test ends; arrived tells that the hook has been reached.
func hanging(t *testing.T) (hang func() error, arrived chan struct{}) {
	ended := make(chan struct{})
	t.Cleanup(func() { close(ended) })
	arrived = make(chan struct{})
	return func() error { close(arrived); <-ended; return io.ErrUnexpectedEOF }, arrived
}

// expiring is a context whose deadline passes exactly when passed is closed.
type expiring struct {
	context.Context
	passed <-chan struct{}
}

func (e expiring) Done() <-chan struct{} { return e.passed }

func (e expiring) Err() error {
	select {
	case <-e.passed:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func TestAServerThatHangsHoldsNoOneUp(t *testing.T) {
	t.Parallel()
	for stage, tc := range map[string]struct {
		hook  func(s *server, hang func() error)
		class channel.Class
	}{
		"at MAIL": {func(s *server, hang func() error) { s.onMail = func(*smtp.Conn, int32) error { return hang() } }, channel.Temporary},
		"at RCPT": {func(s *server, hang func() error) { s.onRcpt = func(*smtp.Conn, string) error { return hang() } }, channel.Temporary},
		"after the content, where the message may have been taken": {func(s *server, hang func() error) {
			s.onData = func(_ *smtp.Conn, r io.Reader) error { _, _ = io.ReadAll(r); return hang() }
		}, channel.Unknown},
	} {
		for end, code := range map[string]string{
			"the caller's deadline passes":    "smtp_timeout",
			"the caller cancels":              "smtp_canceled",
			"the sender's own timeout passes": "smtp_timeout",
		} {
			t.Run(stage+", "+end, func(t *testing.T) {
				t.Parallel()
				hang, arrived := hanging(t)
				s := start(t, func(s *server) { tc.hook(s, hang) })
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				timeout := time.Minute
				switch end {
				case "the caller's deadline passes":
					ctx = expiring{ctx, arrived}
				case "the caller cancels":
					go func() { <-arrived; cancel() }()
				default:
					timeout = time.Second
				}
				begun := time.Now()
				_, err := sender(t, s, func(c *email.Config) { c.Timeout = timeout }).Send(ctx, message("d1"))
				wantRefusal(t, err, tc.class, code)
				if took := time.Since(begun); took > 40*time.Second {
					t.Errorf("Send returned after %v", took)
				}
			})
		}
	}
}

func TestAServerThatNeverGreetsTimesOut(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0") // the kernel takes the connection, and no one speaks
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	out := sender(t, &server{port: listener.Addr().(*net.TCPAddr).Port}, func(c *email.Config) { c.Timeout = 100 * time.Millisecond })
	_, err = out.Send(t.Context(), message("d1"))
	wantRefusal(t, err, channel.Temporary, "smtp_timeout")
}
