package email_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/internal/channel"
	"github.com/silquetech/silque-notifications/internal/channel/email"
)

func TestTheHeadersNameWhomTheMessageSays(t *testing.T) {
	t.Parallel()
	many := make([]string, 0, 100)
	for i := range 100 {
		many = append(many, fmt.Sprintf("recipient-%d@example.org", i))
	}
	for name, tc := range map[string]struct {
		to, cc          []string
		reply           string
		wantTo, wantCc  []string
		wantReply, want string
	}{
		"nobody else":            {wantTo: []string{"ann@example.org"}, wantReply: "office@example.com"},
		"the others, not itself": {to: []string{"bob@EXAMPLE.org"}, wantTo: []string{"bob@example.org"}, wantReply: "office@example.com"},
		"copies": {
			to: []string{"ann@example.org", "bob@example.org"}, cc: []string{"boss@bücher.example"},
			wantTo: []string{"ann@example.org", "bob@example.org"}, wantCc: []string{"boss@xn--bcher-kva.example"}, wantReply: "office@example.com",
		},
		"copies alone":                       {cc: []string{"boss@example.org"}, wantCc: []string{"boss@example.org"}, wantReply: "office@example.com"},
		"many":                               {to: many, wantTo: many, wantReply: "office@example.com"},
		"an address for answers":             {reply: "case-7@example.com", wantTo: []string{"ann@example.org"}, wantReply: "case-7@example.com"},
		"an address for answers with a name": {reply: `"O""Hara, Büro" <a@example.com>`, wantTo: []string{"ann@example.org"}, wantReply: "a@example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, nil)
			out := sender(t, s, func(c *email.Config) { c.ReplyTo = "Büro <office@example.com>" })
			m := message("d1")
			m.HeaderTo, m.Cc, m.ReplyTo = tc.to, tc.cc, tc.reply
			if _, err := out.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			got := s.received()
			if len(got) != 1 || got[0].to != "ann@example.org" {
				t.Fatalf("received %+v, want one message for the recipient alone", got)
			}
			for line := range bytes.Lines(got[0].content) {
				if len(line) > 78+len("\r\n") {
					t.Errorf("a line of %d characters", len(line))
				}
			}
			read := parse(t, got[0].content)
			for header, want := range map[string][]string{"To": tc.wantTo, "Cc": tc.wantCc, "Reply-To": {tc.wantReply}} {
				if _, there := read.Header[header]; len(want) == 0 {
					if there {
						t.Errorf("there is a header %s: %q", header, read.Header.Get(header))
					}
					continue
				}
				list, err := read.Header.AddressList(header)
				var addresses []string
				for _, one := range list {
					addresses = append(addresses, one.Address)
				}
				if err != nil || strings.Join(addresses, ",") != strings.Join(want, ",") {
					t.Errorf("%s: %v, %v, want %v", header, addresses, err, want)
				}
			}
		})
	}
}

func TestABadAddressInAHeaderRefusesTheMessage(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	out := sender(t, s, nil)
	for name, set := range map[string]func(m *channel.Message, bad string){
		"To":       func(m *channel.Message, bad string) { m.HeaderTo = []string{"ann@example.org", bad} },
		"Cc":       func(m *channel.Message, bad string) { m.Cc = []string{bad} },
		"Reply-To": func(m *channel.Message, bad string) { m.ReplyTo = bad },
	} {
		for _, bad := range []string{"nobody", "a@example.org, b@example.org", "a@example.org>\r\nBcc: <eve@example.org", "änn@example.org"} {
			m := message("d1")
			set(&m, bad)
			_, err := out.Send(t.Context(), m)
			refusal := refusalOf(t, err, channel.Permanent, "bad_address")
			if strings.Contains(refusal.Error()+refusal.Detail, "example.org") {
				t.Errorf("%s: the refusal tells the address: %v, %s", name, refusal, refusal.Detail)
			}
		}
	}
	if n := s.accepted.Load(); n != 0 {
		t.Errorf("%d connections for messages that cannot be sent", n)
	}
}
