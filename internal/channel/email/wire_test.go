package email_test

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/internal/channel"
	"github.com/silquetech/silque-notifications/internal/channel/email"
)

// marker stands in every hostile text: where the text is shown, it is.
const marker = "marker"

// hostile are texts that would be more than a text if something on the way took them at their word.
var hostile = map[string]string{
	"CRLF and a header":                    marker + "\r\nBcc: eve@example.com",
	"LF and a header":                      marker + "\nBcc: eve@example.com",
	"CR and a header":                      marker + "\rBcc: eve@example.com",
	"CRLF first":                           "\r\nBcc: eve@example.com\r\n" + marker,
	"a folded header":                      marker + "\r\n Bcc: eve@example.com",
	"a header after a tab":                 marker + "\r\n\tBcc: eve@example.com\r\nX-One: 1",
	"an end of the header":                 marker + "\r\n\r\n<script>",
	"an end of the message":                marker + "\r\n.\r\nMAIL FROM:<eve@example.com>\r\nRCPT TO:<eve@example.com>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\n",
	"an end that some servers take: LF":    marker + "\n.\nMAIL FROM:<eve@example.com>\n",
	"an end that some servers take: LF CR": marker + "\n.\r\nMAIL FROM:<eve@example.com>\r\n",
	"an end that some servers take: CR LF": marker + "\r\n.\nMAIL FROM:<eve@example.com>\r\n",
	"an end that some servers take: CR":    marker + "\r.\rMAIL FROM:<eve@example.com>\r",
	"an end after CR CR LF":                marker + "\r\r\n.\r\r\nMAIL FROM:<eve@example.com>\r\n",
	"an end around NUL":                    marker + "\r\n\x00.\x00\r\nMAIL FROM:<eve@example.com>\r\n",
	"a dot first":                          ".\r\n" + marker + "\r\n..\r\n.x",
	"NUL":                                  marker + "\x00Bcc: eve@example.com",
	"NUL and CRLF":                         marker + "\x00\r\nBcc: eve@example.com",
	"a vertical tab and a form feed":       marker + "\v\fBcc: eve@example.com",
	"a line separator":                     marker + "\u2028Bcc: eve@example.com",
	"a paragraph separator":                marker + "\u2029Bcc: eve@example.com",
	"a next line":                          marker + "\u0085Bcc: eve@example.com",
	"a next line of Latin-1":               marker + "\x85Bcc: eve@example.com",
	"characters that end in CR and LF":     marker + "\u560d\u560aBcc: eve@example.com",
	"overlong CR and LF":                   marker + "\xc0\x8d\xc0\x8aBcc: eve@example.com",
	"overlong LF of three bytes":           marker + "\xe0\x80\x8aBcc: eve@example.com",
	"half a surrogate":                     marker + "\xed\xa0\x80Bcc: eve@example.com",
	"half a character":                     marker + "\xe2\x80",
	"an encoded word with CRLF":            "=?utf-8?q?" + marker + "=0D=0ABcc:_eve@example.com?=",
	"an encoded word in base64":            "=?utf-8?b?bWFya2VyDQpCY2M6IGV2ZUBleGFtcGxlLmNvbQ==?= " + marker,
	"percent signs":                        marker + "%0d%0aBcc: eve@example.com",
	"UTF-7":                                marker + "+AA0ACg-Bcc: eve@example.com",
	"an escape":                            marker + "\x1b[31m\x7f",
	"a quote and an address":               marker + `" <eve@example.com>, "x`,
	"an address":                           marker + ` <eve@example.com>`,
	"two addresses":                        marker + `@example.com, eve@example.com`,
	"a group":                              marker + `: eve@example.com, bob@example.com;`,
	"a comment":                            `(eve@example.com) \ ` + marker,
	"a parameter":                          marker + `"; boundary="b"; name="x`,
	"a boundary":                           "\r\n--b\r\nContent-Type: text/html\r\n\r\n" + marker + "\r\n--b--\r\n",
	"a very long line":                     marker + strings.Repeat("x", 5000),
	"a very long line of many bytes":       marker + strings.Repeat("ü", 3000),
	"very many words":                      strings.Repeat(marker+" ", 500),
	"very many lines":                      marker + strings.Repeat("\r\nBcc: eve@example.com", 300),
}

// fields are the places where a text of a notification, a document or the settings gets into an email.
var fields = map[string]func(c *email.Config, m *channel.Message, text string){
	"the subject":                func(_ *email.Config, m *channel.Message, text string) { m.Subject = text },
	"the text":                   func(_ *email.Config, m *channel.Message, text string) { m.Text = text },
	"the HTML":                   func(_ *email.Config, m *channel.Message, text string) { m.HTML = text },
	"the recipient":              func(_ *email.Config, m *channel.Message, text string) { m.To = text },
	"the recipient's local part": func(_ *email.Config, m *channel.Message, text string) { m.To = text + "@example.org" },
	"the recipient's domain":     func(_ *email.Config, m *channel.Message, text string) { m.To = "ann@" + text },
	"To":                         func(_ *email.Config, m *channel.Message, text string) { m.HeaderTo = []string{"ann@example.org", text} },
	"To, with a name": func(_ *email.Config, m *channel.Message, text string) {
		m.HeaderTo = []string{text + " <bob@example.org>"}
	},
	"Cc":                         func(_ *email.Config, m *channel.Message, text string) { m.Cc = []string{text, "ann@example.org"} },
	"Cc, a local part in quotes": func(_ *email.Config, m *channel.Message, text string) { m.Cc = []string{`"` + text + `"@example.org`} },
	"Reply-To":                   func(_ *email.Config, m *channel.Message, text string) { m.ReplyTo = text },
	"Reply-To, a name":           func(_ *email.Config, m *channel.Message, text string) { m.ReplyTo = text + " <bob@example.org>" },
	"Reply-To, a name in quotes": func(_ *email.Config, m *channel.Message, text string) { m.ReplyTo = `"` + text + `" <bob@example.org>` },
	"the delivery's ID":          func(_ *email.Config, m *channel.Message, text string) { m.DeliveryID = text },
	"a file's name": func(_ *email.Config, m *channel.Message, text string) {
		m.Files = []channel.File{{Name: text, Content: []byte("x")}}
	},
	"a file's extension": func(_ *email.Config, m *channel.Message, text string) {
		m.Files = []channel.File{{Name: "x." + text, Content: []byte("x")}}
	},
	"a file's content": func(_ *email.Config, m *channel.Message, text string) {
		m.Files = []channel.File{{Name: "x.txt", Content: []byte(text)}}
	},
	"the setting From":         func(c *email.Config, _ *channel.Message, text string) { c.From = text },
	"the setting From, a name": func(c *email.Config, _ *channel.Message, text string) { c.From = text + " <no-reply@example.com>" },
	"the setting From, a name in quotes": func(c *email.Config, _ *channel.Message, text string) {
		c.From = `"` + text + `" <no-reply@example.com>`
	},
	"the setting Reply-To, a name": func(c *email.Config, _ *channel.Message, text string) {
		c.ReplyTo = `"` + text + `" <office@example.com>`
	},
	"the setting for the return path": func(c *email.Config, _ *channel.Message, text string) { c.ReturnPath = text },
	"the setting for our own name":    func(c *email.Config, _ *channel.Message, text string) { c.HELO = text },
	"the link to leave": func(c *email.Config, _ *channel.Message, text string) {
		c.UnsubscribeLink = func(string) string { return text }
	},
	"the link to leave, its path": func(c *email.Config, _ *channel.Message, text string) {
		c.UnsubscribeLink = func(string) string { return "https://notify.example.com/" + text }
	},
}

// ours are the headers of an email, and partly those of a part of it. Those with a * are there when they were asked for.
var (
	ours   = []string{"Auto-Submitted", "Content-Type", "Date", "From", "Message-Id", "Mime-Version", "Subject", "To", "X-Silque-Delivery"}
	partly = []string{"Content-Disposition", "Content-Transfer-Encoding", "Content-Type"}
)

// expected gives the header names of an email that was asked for.
func expected(c *email.Config, m *channel.Message) []string {
	names := slices.Clone(ours)
	if len(m.HeaderTo)+len(m.Cc) > 0 && len(m.HeaderTo) == 0 {
		names = slices.DeleteFunc(names, func(name string) bool { return name == "To" })
	}
	for name, asked := range map[string]bool{
		"Cc": len(m.Cc) > 0, "Reply-To": m.ReplyTo != "" || c.ReplyTo != "", "Content-Transfer-Encoding": m.HTML == "" && len(m.Files) == 0,
	} {
		if asked {
			names = append(names, name)
		}
	}
	if c.UnsubscribeLink != nil && c.UnsubscribeLink(m.DeliveryID) != "" {
		names = append(names, "List-Unsubscribe", "List-Unsubscribe-Post")
	}
	slices.Sort(names)
	return names
}

// TestNoFieldOfAnEmailBecomesAHeader gives each field each hostile text, and looks at the bytes on the wire.
func TestNoFieldOfAnEmailBecomesAHeader(t *testing.T) {
	t.Parallel()
	for field, set := range fields {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			refused := 0
			for what, text := range hostile {
				s := start(t, func(s *server) { s.tap, s.MaxLineLength = true, 1000 }) // RFC 5321, section 4.5.3.1.6
				cfg := email.Config{Host: "127.0.0.1", Port: s.port, TLS: email.TLSNone, From: "Silque <no-reply@example.com>", HELO: "client.example.com"}
				m := message("d1")
				set(&cfg, &m, text)
				out, err := email.New(cfg)
				if err != nil {
					refused++
					continue
				}
				_, err = out.Send(t.Context(), m)
				_ = out.Close(t.Context())
				if err != nil {
					refused++
					var refusal *channel.Error
					if !errors.As(err, &refusal) || refusal.Class != channel.Permanent || !slices.Contains([]string{"bad_address", "bad_message", "bad_delivery_id"}, refusal.Code) {
						t.Errorf("%s: refused with %v", what, err)
					} else if n := s.accepted.Load(); n != 0 {
						t.Errorf("%s: %d connections for a message that cannot be sent", what, n)
					}
					continue
				}
				if problem := judge(s, &cfg, m, text); problem != "" {
					t.Errorf("%s: %s\n%.3000q", what, problem, s.said())
				}
			}
			t.Logf("%d of %d refused", refused, len(hostile))
		})
	}
}

// conversation is all that a client may say for one message.
var conversation = regexp.MustCompile(`^EHLO ([0-9A-Za-z.\[\]:-]+)\r\nMAIL FROM:<([^<>\s]+)>([ A-Z0-9=]*)\r\nRCPT TO:<([^<>\s]+)>\r\nDATA\r\n`)

// judge gives what is wrong with the message that a server got; empty when it is what was asked for.
func judge(s *server, cfg *email.Config, m channel.Message, text string) string {
	wire := s.said()
	said := conversation.FindSubmatch(wire)
	if said == nil {
		return "the client says something else than was asked for"
	}
	content := wire[len(said[0]):]
	content = bytes.TrimSuffix(content, []byte("QUIT\r\n"))
	if problem := inPlainLines(content); problem != "" {
		return problem
	}
	if n := ends(content); n != 1 || !bytes.HasSuffix(content, []byte("\r\n.\r\n")) {
		return "the message ends more than once"
	}
	sender, err := mail.ParseAddress(cfg.From)
	got := s.received()
	if err != nil || len(got) != 1 {
		return "the server took more or less than one message"
	}
	if got[0].to != m.To || string(said[4]) != m.To || got[0].from != string(said[2]) || got[0].from != sender.Address {
		return "the envelope is from " + got[0].from + " to " + got[0].to
	}
	return judgeContent(got[0].content, expected(cfg, &m), text)
}

func judgeContent(content []byte, want []string, text string) string {
	read, err := mail.ReadMessage(bytes.NewReader(content))
	if err != nil {
		return "it cannot be read: " + err.Error()
	}
	var names []string
	for name, values := range read.Header {
		for range values {
			names = append(names, name)
		}
	}
	if slices.Sort(names); !slices.Equal(names, want) {
		return "its headers are " + strings.Join(names, " ") + ", and should be " + strings.Join(want, " ")
	}
	var shown strings.Builder
	for _, values := range read.Header {
		decoded, _ := new(mime.WordDecoder).DecodeHeader(values[0])
		shown.WriteString(decoded + "\n")
	}
	if problem := judgePart(&shown, read.Header.Get("Content-Type"), read.Header.Get("Content-Transfer-Encoding"), read.Body); problem != "" {
		return problem
	}
	if strings.Contains(text, marker) && !strings.Contains(shown.String(), marker) {
		return "the text is not shown"
	}
	return ""
}

// judgePart reads a part and all below it, and adds what a person would see of it.
func judgePart(shown *strings.Builder, kind, encoding string, body io.Reader) string {
	media, parameters, err := mime.ParseMediaType(kind)
	if err != nil {
		return "a part is of the type " + kind
	}
	if !strings.HasPrefix(media, "multipart/") {
		if !slices.Contains([]string{"quoted-printable", "base64"}, encoding) {
			return "a part is encoded as " + encoding
		}
		content, err := io.ReadAll(decoding(encoding, body))
		if err != nil {
			return "a part cannot be read: " + err.Error()
		}
		shown.Write(content)
		return ""
	}
	parts := multipart.NewReader(body, parameters["boundary"])
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return ""
		}
		if err != nil {
			return "the parts cannot be read: " + err.Error()
		}
		for name, values := range part.Header {
			if len(values) != 1 || !slices.Contains(partly, name) {
				return "a part has the header " + name
			}
		}
		shown.WriteString(part.FileName())
		if problem := judgePart(shown, part.Header.Get("Content-Type"), part.Header.Get("Content-Transfer-Encoding"), part); problem != "" {
			return problem
		}
	}
}
