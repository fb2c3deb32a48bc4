package email_test

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/internal/channel"
	"github.com/silquetech/silque-notifications/internal/channel/email"
)

// parts reads the bodies of a message by content type.
func parts(t *testing.T, m *mail.Message) map[string]string {
	t.Helper()
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	if kind != "multipart/alternative" {
		body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
		if err != nil {
			t.Fatal(err)
		}
		return map[string]string{kind: string(body)}
	}
	out := map[string]string{}
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(p) // NextPart undoes quoted-printable
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := strings.Cut(p.Header.Get("Content-Type"), ";")
		out[kind] = string(body)
	}
}

func parse(t *testing.T, content []byte) *mail.Message {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSendHandsOverTheWholeMessage(t *testing.T) {
	t.Parallel()
	s := start(t, func(s *server) { s.EnableSMTPUTF8 = true })
	out := sender(t, s, func(c *email.Config) { c.ReplyTo = "Büro <office@example.com>" })
	text := "Grüße, Ann.\n.\n.hidden dot\nLong: " + strings.Repeat("x", 2000) + "\nEnd"
	receipt, err := out.Send(t.Context(), channel.Message{
		DeliveryID: "0192-a", To: "Ann@EXAMPLE.org", Subject: "Bestellung für Ann", Text: text, HTML: "<p>Grüße</p>",
	})
	if err != nil {
		t.Fatal(err)
	}
	if receipt.ProviderID != "0192-a@example.com" || receipt.Response != "250 2.0.0 OK: queued" {
		t.Errorf("receipt = %+v", receipt)
	}
	got := s.received()
	if len(got) != 1 || got[0].from != "no-reply@example.com" || got[0].to != "Ann@example.org" {
		t.Fatalf("received %+v", got)
	}
	if got[0].opts.UTF8 {
		t.Error("SMTPUTF8 was asked for, which further servers may not offer")
	}
	m := parse(t, got[0].content)
	for name, want := range map[string]string{
		"From": `"Silque" <no-reply@example.com>`, "To": "<Ann@example.org>", "Message-Id": "<0192-a@example.com>",
		"Auto-Submitted": "auto-generated", "X-Silque-Delivery": "0192-a", "Mime-Version": "1.0",
	} {
		if m.Header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, m.Header.Get(name), want)
		}
	}
	if reply, err := m.Header.AddressList("Reply-To"); err != nil || len(reply) != 1 || reply[0].Name != "Büro" || reply[0].Address != "office@example.com" {
		t.Errorf("Reply-To: %v, %v", reply, err)
	}
	if subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil || subject != "Bestellung für Ann" {
		t.Errorf("Subject: %q, %v", subject, err)
	}
	if date, err := m.Header.Date(); err != nil || time.Since(date) > time.Minute || time.Since(date) < -time.Minute {
		t.Errorf("Date: %v, %v", date, err)
	}
	bodies := parts(t, m)
	if got := strings.ReplaceAll(bodies["text/plain"], "\r\n", "\n"); got != text {
		t.Errorf("text part: %q", got)
	}
	if bodies["text/html"] != "<p>Grüße</p>" {
		t.Errorf("HTML part: %q", bodies["text/html"])
	}
}

func TestSendWithoutHTMLHasATextPartAlone(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	if _, err := sender(t, s, nil).Send(t.Context(), message("d1")); err != nil {
		t.Fatal(err)
	}
	if got := parts(t, parse(t, s.received()[0].content)); len(got) != 1 || strings.TrimSpace(got["text/plain"]) != "Order 7 is late." {
		t.Errorf("parts: %q", got)
	}
}

func TestTheSameDeliveryHasTheSameMessageID(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	out := sender(t, s, func(c *email.Config) { c.From = "no-reply@BÜCHER.example" })
	for range 2 {
		receipt, err := out.Send(t.Context(), message("d1"))
		if err != nil || receipt.ProviderID != "d1@xn--bcher-kva.example" {
			t.Errorf("receipt %+v, %v", receipt, err)
		}
	}
}

func TestLineBreaksNeverBecomeHeaders(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	m := message("d1")
	m.Subject = "Late\r\nBcc: eve@example.com\rX-One: 1\nX-Two: 2\r\n\r\nbody"
	if _, err := sender(t, s, nil).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	got := parse(t, s.received()[0].content)
	for _, name := range []string{"Bcc", "X-One", "X-Two"} {
		if _, there := got.Header[name]; there {
			t.Errorf("the subject injected %s", name)
		}
	}
	if subject := got.Header.Get("Subject"); subject != "Late Bcc: eve@example.com X-One: 1 X-Two: 2  body" {
		t.Errorf("Subject: %q", subject)
	}
}

func TestSendRefusesWhatCannotBeAMessage(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	out := sender(t, s, nil)
	for name, tc := range map[string]struct {
		change func(m *channel.Message)
		code   string
	}{
		"an address with a line break":    {func(m *channel.Message) { m.To = "ann@example.org>\r\nRCPT TO:<eve@example.org" }, "bad_address"},
		"two addresses":                   {func(m *channel.Message) { m.To = "ann@example.org, eve@example.org" }, "bad_address"},
		"a local part outside ASCII":      {func(m *channel.Message) { m.To = "änn@example.org" }, "bad_address"},
		"no address":                      {func(m *channel.Message) { m.To = "" }, "bad_address"},
		"no delivery ID":                  {func(m *channel.Message) { m.DeliveryID = "" }, "bad_delivery_id"},
		"a delivery ID with a line break": {func(m *channel.Message) { m.DeliveryID = "d\r\nBcc: eve@example.org" }, "bad_delivery_id"},
		"a delivery ID with an @":         {func(m *channel.Message) { m.DeliveryID = "d@e" }, "bad_delivery_id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := message("d1")
			tc.change(&m)
			_, err := out.Send(t.Context(), m)
			wantRefusal(t, err, channel.Permanent, tc.code)
			if strings.Contains(err.Error(), "example.org") {
				t.Errorf("the error tells the address: %v", err)
			}
		})
	}
	t.Cleanup(func() {
		if n := s.accepted.Load(); n != 0 {
			t.Errorf("%d connections for messages that cannot be sent", n)
		}
	})
}
