package email

import (
	"bufio"
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/wneessen/go-mail/smtp"

	"github.com/silquetech/silque-notifications/internal/channel"
)

// pipe gives our end of a connection to a server that answers each line by answer, and hangs up after it is not ok.
func pipe(t *testing.T, answer func(line string) (reply string, ok bool)) net.Conn {
	t.Helper()
	ours, theirs := net.Pipe()
	var server sync.WaitGroup
	server.Go(func() {
		defer func() { _ = theirs.Close() }()
		_, _ = theirs.Write([]byte("220 hello\r\n"))
		for lines := bufio.NewScanner(theirs); lines.Scan(); {
			reply, ok := answer(lines.Text())
			if _, err := theirs.Write([]byte(reply + "\r\n")); err != nil || !ok {
				return
			}
		}
	})
	t.Cleanup(func() { _ = ours.Close(); server.Wait() })
	return ours
}

// A short message leaves in one piece, at its end: whether that piece left decides between Temporary and Unknown. Over
// TCP the moment cannot be forced, so this test speaks over a pipe.
func TestAnEndOfContentThatCannotLeaveIsAnError(t *testing.T) {
	t.Parallel()
	conn := pipe(t, func(line string) (string, bool) {
		if line == "DATA" {
			return "354 go on", false
		}
		return "250 ok", true
	})
	client, err := smtp.NewClient(conn, "mail.example.com")
	if err != nil {
		t.Fatal(err)
	}
	c := &session{conn: conn, client: client}
	if err := c.mail("no-reply@example.com"); err != nil {
		t.Fatal(err)
	}
	if err := c.rcpt("ann@example.org"); err != nil {
		t.Fatal(err)
	}
	if err := c.write([]byte("Subject: Order 7\r\n\r\nlate")); err == nil {
		t.Error("the content counts as sent although nothing left")
	}
}

// To this machine itself a password may go unencrypted, so this test needs a server by another name.
func TestThePasswordIsNotShownToAStranger(t *testing.T) {
	t.Parallel()
	for _, method := range []string{AuthAuto, AuthPlain, AuthLogin} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			conn := pipe(t, func(line string) (string, bool) {
				switch verb, _, _ := strings.Cut(line, " "); verb {
				case "EHLO":
					return "250-hello\r\n250 AUTH PLAIN LOGIN", true
				case "AUTH":
					t.Error("the client began to sign in")
				}
				return "221 bye", true
			})
			s, err := New(Config{
				Host: "mail.example.com", TLS: TLSOpportunistic, From: "no-reply@example.com",
				Username: "silque", Password: "secret", AuthMethod: method,
			})
			if err != nil {
				t.Fatal(err)
			}
			err = s.open(context.Background(), &session{conn: conn})
			var refusal *channel.Error
			if !errors.As(err, &refusal) || refusal.Class != channel.Permanent || refusal.Code != codeAuthUnencrypted {
				t.Errorf("got %v, want permanent %s", err, codeAuthUnencrypted)
			}
		})
	}
}
