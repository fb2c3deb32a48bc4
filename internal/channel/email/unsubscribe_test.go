package email_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/internal/channel"
	"github.com/silquetech/silque-notifications/internal/channel/email"
)

func TestAMessageOffersToLeaveWithOneClick(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ link, want string }{
		"by https":                     {"https://notify.example.com/unsubscribe/", "<https://notify.example.com/unsubscribe/d1>"},
		"by http on this machine":      {"http://127.0.0.1:8080/unsubscribe/", "<http://127.0.0.1:8080/unsubscribe/d1>"},
		"by a link that is long":       {"https://" + strings.Repeat("notify.", 20) + "example.com/", "<https://" + strings.Repeat("notify.", 20) + "example.com/d1>"},
		"not where there is no link":   {"", ""},
		"not where nobody gives links": {"nil", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, nil)
			out := sender(t, s, func(c *email.Config) {
				if tc.link == "nil" {
					return
				}
				c.UnsubscribeLink = func(deliveryID string) string {
					if tc.link == "" {
						return ""
					}
					return tc.link + deliveryID
				}
			})
			if _, err := out.Send(t.Context(), message("d1")); err != nil {
				t.Fatal(err)
			}
			content := s.received()[0].content
			header := parse(t, content).Header
			post := ""
			if tc.want != "" {
				post = "List-Unsubscribe=One-Click"
			}
			if got := header.Get("List-Unsubscribe"); got != tc.want {
				t.Errorf("List-Unsubscribe: %q, want %q", got, tc.want)
			}
			if got := header.Get("List-Unsubscribe-Post"); got != post {
				t.Errorf("List-Unsubscribe-Post: %q, want %q", got, post)
			}
			if tc.want != "" && !bytes.Contains(content, []byte(tc.want+"\r\n")) {
				t.Error("the link is broken into lines")
			}
		})
	}
}

func TestALinkThatCannotStandInAHeaderRefusesTheMessage(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	for _, link := range []string{
		"https://notify.example.com/x\r\nBcc: eve@example.com", "https://notify.example.com/x\nBcc: eve@example.com",
		"https://notify.example.com/a>, <mailto:eve@example.com", "https://notify.example.com/a b", "https://notify.example.com/ä",
		"https://notify.example.com/\x00", "http://notify.example.com/d1", "http://127.0.0.1.example.com/d1", "mailto:leave@example.com",
		"https://user:secret@notify.example.com/", "https:///d1", "notify.example.com", "https://notify.example.com/%zz",
	} {
		out := sender(t, s, func(c *email.Config) { c.UnsubscribeLink = func(string) string { return link } })
		_, err := out.Send(t.Context(), message("d1"))
		wantRefusal(t, err, channel.Permanent, "bad_message")
	}
	if n := s.accepted.Load(); n != 0 {
		t.Errorf("%d connections for messages that cannot be sent", n)
	}
}

func TestTheEnvelopeNamesWhereReportsGo(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ path, want string }{
		"a mailbox of its own":  {"bounces@EXAMPLE.com", "bounces@example.com"},
		"the sender by default": {"", "no-reply@example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, nil)
			out := sender(t, s, func(c *email.Config) { c.ReturnPath = tc.path })
			receipt, err := out.Send(t.Context(), message("d1"))
			if err != nil {
				t.Fatal(err)
			}
			got := s.received()[0]
			if got.from != tc.want {
				t.Errorf("the envelope's sender is %q, want %q", got.from, tc.want)
			}
			if from := parse(t, got.content).Header.Get("From"); from != `"Silque" <no-reply@example.com>` || receipt.ProviderID != "d1@example.com" {
				t.Errorf("From: %q and ID %q: the envelope changes neither", from, receipt.ProviderID)
			}
		})
	}
	for _, bad := range []string{"nobody", "Silque <bounces@example.com>", "a@example.com, b@example.com", "a@example.com>\r\nRCPT TO:<eve@example.com"} {
		cfg := email.Config{Host: "mail.example.com", From: "no-reply@example.com", ReturnPath: bad}
		if _, err := email.New(cfg); err == nil || !strings.Contains(err.Error(), "ReturnPath") {
			t.Errorf("the return path %q: %v", bad, err)
		}
	}
}
