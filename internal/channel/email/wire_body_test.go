package email_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"strings"
	"testing"
	"unicode"

	"github.com/silquetech/silque-notifications/internal/channel"
	"github.com/silquetech/silque-notifications/internal/channel/email"
)

func decoding(encoding string, body io.Reader) io.Reader {
	if encoding == "base64" {
		return base64.NewDecoder(base64.StdEncoding, body)
	}
	return quotedprintable.NewReader(body)
}

// inPlainLines gives what is wrong with content that every mail server has to understand in the same way: lines that end in CRLF
// and have at most 998 characters of printable ASCII and tabs. Where neither CR nor LF stands alone, no two servers can
// disagree on where a message ends.
func inPlainLines(content []byte) string {
	for line := range bytes.Lines(content) {
		text, whole := bytes.CutSuffix(line, []byte("\r\n"))
		if !whole {
			return fmt.Sprintf("a line without CRLF: %.100q", line)
		}
		if len(text) > 998 {
			return fmt.Sprintf("a line of %d characters", len(text))
		}
		for _, c := range text {
			if c != '\t' && (c < ' ' || c > '~') {
				return fmt.Sprintf("a line with the byte %#x: %.200q", c, text)
			}
		}
	}
	return ""
}

// ends counts the ends of a message as the most forgiving of servers would: a dot alone between any two line breaks.
func ends(content []byte) int {
	forgiving := bytes.ReplaceAll(bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
	count := 0
	for line := range bytes.Lines(append([]byte("\n"), forgiving...)) {
		if bytes.Equal(bytes.Trim(line, "\n\x00"), []byte(".")) {
			count++
		}
	}
	return count
}

func TestTheEndsOfAMessageAreCountedAsForgivingServersDo(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]int{"x\r\n.\r\n": 1, "x\n.\nx\r\n.\r\n": 2, "x\r.\rx\r\n.\r\n": 2, "x\r\n.\nx\n.\r\n": 2, "x\r\n..\r\n.x\r\n": 0, ".\r\n": 1, "x\n\x00.\n": 1} {
		if got := ends([]byte(content)); got != want {
			t.Errorf("%q has %d ends, counted %d", content, want, got)
		}
	}
}

// TestNoBodyEndsItsOwnMessage sends each hostile text as each body, three messages one after the other over one
// connection, of which the last is harmless: it must arrive as the third, unharmed.
func TestNoBodyEndsItsOwnMessage(t *testing.T) {
	t.Parallel()
	s := start(t, func(s *server) { s.tap, s.MaxLineLength = true, 1000 })
	out := sender(t, s, func(c *email.Config) { c.MaxConnections = 1 })
	sent := 0
	for what, text := range hostile {
		for repeated, body := range map[string]string{"once": text, "at the end": text + "\r\n.", "many times": strings.Repeat(text+"\r\n", 20)} {
			m := message(fmt.Sprintf("d%d", sent))
			m.Text, m.HTML, m.Files = body, body, []channel.File{{Name: "x.txt", Content: []byte(body)}}
			alone := message(fmt.Sprintf("d%d", sent+1))
			alone.Text = body
			for _, one := range []channel.Message{m, alone, message(fmt.Sprintf("d%d", sent+2))} {
				if _, err := out.Send(t.Context(), one); err != nil {
					t.Fatalf("%s, %s: %v", what, repeated, err)
				}
				sent++
			}
			got := s.received()
			if len(got) != sent {
				t.Fatalf("%s, %s: the server has %d messages of %d", what, repeated, len(got), sent)
			}
			last := parse(t, got[sent-1].content)
			if id := last.Header.Get("X-Silque-Delivery"); id != fmt.Sprintf("d%d", sent-1) || strings.TrimSpace(parts(t, last)["text/plain"]) != "Order 7 is late." {
				t.Fatalf("%s, %s: the message after it is %q", what, repeated, got[sent-1].content)
			}
			if shown := parts(t, parse(t, got[sent-2].content))["text/plain"]; lines(shown) != lines(body) {
				t.Errorf("%s, %s: shown is %.200q, want %.200q", what, repeated, lines(shown), lines(body))
			}
			_, files := files(t, parse(t, got[sent-3].content))
			if len(files) != 1 || string(files[0].content) != body {
				t.Errorf("%s, %s: the file is another one", what, repeated)
			}
		}
	}
	wire := s.said()
	if problem := inPlainLines(wire); problem != "" {
		t.Error(problem)
	}
	if n := ends(wire); n != sent {
		t.Errorf("a forgiving server counts %d messages of %d", n, sent)
	}
	if n := s.accepted.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
	for _, one := range s.received() {
		if one.from != "no-reply@example.com" || one.to != "ann@example.org" {
			t.Errorf("an envelope from %s to %s", one.from, one.to)
		}
	}
}

// lines brings the breaks of lines into one form, and those at the end away: a line break is what a mail may change.
func lines(text string) string {
	return strings.TrimRight(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\n")
}

// TestTheSubjectIsShownAsItIs: what a mail program shows is the subject's text, whatever it looks like.
func TestTheSubjectIsShownAsItIs(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	out := sender(t, s, nil)
	for what, text := range hostile {
		m := message("d1")
		m.Subject = text
		if _, err := out.Send(t.Context(), m); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		got := s.received()
		shown, err := new(mime.WordDecoder).DecodeHeader(parse(t, got[len(got)-1].content).Header.Get("Subject"))
		want := strings.Map(func(r rune) rune {
			if unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) {
				return ' '
			}
			return r
		}, text)
		if err != nil || strings.Join(strings.Fields(shown), " ") != strings.Join(strings.Fields(want), " ") {
			t.Errorf("%s: shown is %.300q, want %.300q; %v", what, shown, want, err)
		}
	}
}

// FuzzNothingOfAnEmailBecomesAHeader gives every field a text at the same time.
func FuzzNothingOfAnEmailBecomesAHeader(f *testing.F) {
	for _, text := range hostile {
		f.Add(text, "Büro", "x.pdf", "d1")
		f.Add("Order 7", text, text, "d1")
		f.Add("Order 7", "Office", "x", text)
	}
	f.Fuzz(func(t *testing.T, text, name, file, id string) {
		s := start(t, func(s *server) { s.tap, s.MaxLineLength = true, 1000 })
		cfg := email.Config{Host: "127.0.0.1", Port: s.port, TLS: email.TLSNone, From: `"` + name + `" <no-reply@example.com>`, HELO: "client.example.com"}
		if strings.HasPrefix(text, "https://") {
			cfg.UnsubscribeLink = func(string) string { return text }
		}
		out, err := email.New(cfg)
		if err != nil {
			return
		}
		m := message(id)
		m.Subject, m.Text, m.HTML, m.ReplyTo, m.Files = text, text, name, `"`+name+`" <bob@example.org>`, []channel.File{{Name: file, Content: []byte(text)}}
		_, err = out.Send(t.Context(), m)
		_ = out.Close(t.Context())
		if err != nil {
			if n := s.accepted.Load(); n != 0 {
				t.Fatalf("%d connections, and %v", n, err)
			}
			return
		}
		if problem := judge(s, &cfg, m, ""); problem != "" {
			t.Fatalf("%s\n%.5000q", problem, s.said())
		}
	})
}
