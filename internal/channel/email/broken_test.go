package email_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/silquetech/silque-notifications/internal/channel"
)

func TestAConnectionLostBeforeTheEndOfTheContentIsTemporary(t *testing.T) {
	t.Parallel()
	drop := func(c *smtp.Conn) error { _ = c.Conn().Close(); return io.ErrUnexpectedEOF }
	for name, hook := range map[string]func(s *server){
		"at MAIL": func(s *server) { s.onMail = func(c *smtp.Conn, _ int32) error { return drop(c) } },
		"at RCPT": func(s *server) { s.onRcpt = func(c *smtp.Conn, _ string) error { return drop(c) } },
		"in the content": func(s *server) {
			s.onMail = func(c *smtp.Conn, _ int32) error { return c.Conn().(*net.TCPConn).SetReadBuffer(4096) }
			s.onData = func(c *smtp.Conn, r io.Reader) error { _, _ = io.CopyN(io.Discard, r, 1000); return drop(c) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, hook)
			m := message("d1")
			if name == "in the content" {
				// More than the socket buffers of both sides hold, so that the end cannot leave before the server is gone.
				m.Text = strings.Repeat(strings.Repeat("x", 63)+"\n", 6<<20/64)
			}
			_, err := sender(t, s, nil).Send(t.Context(), m)
			wantRefusal(t, err, channel.Temporary, "smtp_connection_lost")
		})
	}
}

func TestAConnectionLostAfterTheContentIsUnknown(t *testing.T) {
	t.Parallel()
	s := start(t, func(s *server) {
		s.onData = func(c *smtp.Conn, r io.Reader) error {
			_, _ = io.ReadAll(r)
			_ = c.Conn().Close()
			return io.ErrUnexpectedEOF
		}
	})
	_, err := sender(t, s, nil).Send(t.Context(), message("d1"))
	wantRefusal(t, err, channel.Unknown, "smtp_connection_lost")
	if n := s.mails.Load(); n != 1 {
		t.Errorf("the message was handed over %d times", n)
	}
}

func TestRepliesThatNoServerShouldGive(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		replies map[string]string
		class   channel.Class
		code    string
	}{
		"a final reply that is no SMTP":            {map[string]string{".": "certainly"}, channel.Unknown, "smtp_bad_reply"},
		"a final reply that is neither yes nor no": {map[string]string{".": "354 go on"}, channel.Unknown, "smtp_354"},
		"a final reply that announces the end":     {map[string]string{".": "421 closing"}, channel.Temporary, "smtp_421"},
		"no final reply":                           {map[string]string{".": ""}, channel.Unknown, "smtp_connection_lost"},
		"a reply to MAIL that is no SMTP":          {map[string]string{"MAIL": "certainly"}, channel.Temporary, "smtp_bad_reply"},
		"a rate limit at MAIL":                     {map[string]string{"MAIL": "450 4.7.1 slow down"}, channel.Temporary, "smtp_450"},
		"a rate limit at RCPT":                     {map[string]string{"RCPT": "452 too many recipients"}, channel.Temporary, "smtp_452"},
		"a throttle after the content":             {map[string]string{".": "454 Throttling failure"}, channel.Temporary, "smtp_454"},
		"DATA refused":                             {map[string]string{"DATA": "451 later"}, channel.Temporary, "smtp_451"},
		"DATA answered as if it were over":         {map[string]string{"DATA": "250 ok"}, channel.Temporary, "smtp_250"},
		"a greeting that refuses":                  {map[string]string{"greet": "554 not you"}, channel.Permanent, "smtp_554"},
		"a greeting that puts off":                 {map[string]string{"greet": "421 later"}, channel.Temporary, "smtp_421"},
		"a greeting that is no SMTP":               {map[string]string{"greet": "HTTP/1.1 400 Bad Request"}, channel.Temporary, "smtp_bad_reply"},
		"no greeting":                              {map[string]string{"greet": ""}, channel.Temporary, "smtp_connection_lost"},
		"EHLO and HELO refused":                    {map[string]string{"EHLO": "550 no", "HELO": "550 no"}, channel.Permanent, "smtp_550"},
		"an enhanced code that was not announced":  {map[string]string{"RCPT": "550 5.1.1 no"}, channel.Permanent, "smtp_550"},
		"an enhanced code on several lines": {map[string]string{
			"EHLO": "250-hello\r\n250 ENHANCEDSTATUSCODES", "RCPT": "550-5.1.1 no\r\n550 5.1.1 such box",
		}, channel.Permanent, "smtp_550_5.1.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := script(t, tc.replies)
			_, err := sender(t, &server{port: s.port}, nil).Send(t.Context(), message("d1"))
			wantRefusal(t, err, tc.class, tc.code)
		})
	}
}

func TestAResetThatFailsChangesNoOutcome(t *testing.T) {
	t.Parallel()
	for name, reset := range map[string]string{"refused": "500 no", "answered by hanging up": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Run("a message that was taken stays taken", func(t *testing.T) {
				t.Parallel()
				s := script(t, map[string]string{"RSET": reset, "QUIT": ""})
				out := sender(t, &server{port: s.port}, nil)
				for _, id := range []string{"d1", "d2"} {
					if _, err := out.Send(t.Context(), message(id)); err != nil {
						t.Fatal(err)
					}
				}
				if n := s.accepted.Load(); n != 1 {
					t.Errorf("%d connections, want 1", n)
				}
			})
			t.Run("a refusal keeps its code and the connection is dropped", func(t *testing.T) {
				t.Parallel()
				s := script(t, map[string]string{"RSET": reset, "RCPT": "550 no"})
				out := sender(t, &server{port: s.port}, nil)
				for range 2 {
					_, err := out.Send(t.Context(), message("d1"))
					wantRefusal(t, err, channel.Permanent, "smtp_550")
				}
				if n := s.accepted.Load(); n != 2 {
					t.Errorf("%d connections, want 2", n)
				}
			})
		})
	}
}

func TestAStaleConnectionIsReplacedUnnoticed(t *testing.T) {
	t.Parallel()
	for name, hook := range map[string]func(s *server){
		"closed with 421 after an idle time": func(s *server) { s.ReadTimeout = 300 * time.Millisecond },
		"closed without a word": func(s *server) {
			s.onReset = func(c *smtp.Conn) { _ = c.Conn().Close() } // runs after the reply to the content
		},
		"closed at the next MAIL": func(s *server) {
			s.onMail = func(c *smtp.Conn, n int32) error {
				if n == 2 {
					_ = c.Conn().Close()
				}
				return nil
			}
		},
		"refused with 421 at the next MAIL": func(s *server) {
			s.onMail = func(_ *smtp.Conn, n int32) error {
				if n == 2 {
					return &smtp.SMTPError{Code: 421, Message: "too many messages on this connection"}
				}
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, hook)
			out := sender(t, s, nil)
			if _, err := out.Send(t.Context(), message("d1")); err != nil {
				t.Fatal(err)
			}
			if s.ReadTimeout > 0 { // let the server's patience end
				eventually(t, "the server hangs up", func() bool { return s.open.Load() == 0 })
			}
			if _, err := out.Send(t.Context(), message("d2")); err != nil {
				t.Fatal(err)
			}
			if n := s.accepted.Load(); n != 2 || len(s.received()) != 2 {
				t.Errorf("%d connections, %d messages; want 2 and 2", n, len(s.received()))
			}
		})
	}
}

func TestAStaleConnectionIsReplacedOnlyOnce(t *testing.T) {
	t.Parallel()
	s := start(t, func(s *server) {
		s.onMail = func(c *smtp.Conn, n int32) error {
			if n > 1 {
				_ = c.Conn().Close()
			}
			return nil
		}
	})
	out := sender(t, s, nil)
	if _, err := out.Send(t.Context(), message("d1")); err != nil {
		t.Fatal(err)
	}
	_, err := out.Send(t.Context(), message("d2"))
	wantRefusal(t, err, channel.Temporary, "smtp_connection_lost")
	if n := s.accepted.Load(); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
}
