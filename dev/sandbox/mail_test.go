package sandbox

import (
	"errors"
	"io"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func newReader(s string) io.ReadSeeker { return strings.NewReader(s) }

func isReset(err error) bool { return errors.Is(err, syscall.ECONNRESET) }

// waitUntil polls for a condition that other goroutines bring about.
func waitUntil(t *testing.T, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatal("the condition did not come about in 5 s")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestMailIsDecoded(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, raw string
		want      Message
	}{
		{
			name: "a plain body without any MIME header",
			raw:  "From: a@example.com\nSubject: Hi\n\nHello\nthere\n",
			want: Message{From: "a@example.com", Subject: "Hi", Text: "Hello\nthere"},
		},
		{
			name: "a folded subject in several encoded words and charsets",
			raw:  "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n =?iso-8859-1?q?_aus_K=F6ln?=\r\n\r\n.",
			want: Message{Subject: "Grüße aus Köln", Text: "."},
		},
		{
			name: "a sender whose encoded name holds a comma",
			raw:  "From: =?utf-8?q?M=C3=BCller=2C_Shop?= <shop@example.com>\r\n\r\n",
			want: Message{From: "shop@example.com"},
		},
		{
			name: "base64 in another charset",
			raw:  "Content-Type: text/plain; charset=windows-1252\r\nContent-Transfer-Encoding: base64\r\n\r\ngCA1\r\n",
			want: Message{Text: "€ 5"},
		},
		{
			name: "a body that is HTML only",
			raw:  "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<a href=3D\"x\">=\r\ny</a>",
			want: Message{HTML: `<a href="x">y</a>`},
		},
		{
			name: "an alternative inside a mixed message, with an attachment of text",
			raw: "Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n" +
				"--i\r\nContent-Type: text/plain\r\n\r\ntext\r\n--i\r\nContent-Type: text/html\r\n\r\n<p>html</p>\r\n--i--\r\n" +
				"--o\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\nattached\r\n--o--\r\n",
			want: Message{Text: "text", HTML: "<p>html</p>"},
		},
		{
			name: "a multipart that breaks off shows what was there",
			raw:  "Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: text/plain\r\n\r\nhalf a li",
			want: Message{Text: "half a li"},
		},
		{
			name: "bytes that are no text in an unknown charset",
			raw:  "Content-Type: text/plain; charset=nonsense\r\n\r\n\xff!",
			want: Message{Text: "\uFFFD!"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := readMail([]byte(test.raw))
			if got.From != test.want.From || got.Subject != test.want.Subject || got.Text != test.want.Text || got.HTML != test.want.HTML {
				t.Fatalf("got  %+v\nwant %+v", *got, test.want)
			}
		})
	}
}

func TestHeadersKeepTheirSpellingAndEveryValue(t *testing.T) {
	t.Parallel()
	got := readMail([]byte("Message-ID: <1@example.com>\r\nX-Tag: one\r\nX-Tag: two\r\nList-Unsubscribe:\r\n\t<https://example.com/u>\r\n\r\n"))
	for name, want := range map[string]string{
		"Message-ID":       "<1@example.com>",
		"X-Tag":            "one\ntwo",
		"List-Unsubscribe": "<https://example.com/u>",
	} {
		if got.Headers[name] != want {
			t.Errorf("%s: got %q, want %q", name, got.Headers[name], want)
		}
	}
}

func TestAttachmentsAreToldOf(t *testing.T) {
	t.Parallel()
	got := readMail([]byte("Content-Type: multipart/mixed; boundary=o\r\n\r\n" +
		"--o\r\nContent-Type: text/plain\r\n\r\ntext\r\n" +
		"--o\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename*=utf-8''Gr%C3%BC%C3%9Fe.pdf\r\n\r\nAAEC\r\nAwQ=\r\n" +
		"--o\r\nContent-Type: text/csv; name=\"=?utf-8?q?=C3=BC.csv?=\"\r\n\r\na,b\r\n" +
		"--o\r\nContent-Type: image/png\r\n\r\n\r\n--o--\r\n"))
	want := []Attachment{{"Grüße.pdf", "application/pdf", 5}, {"ü.csv", "text/csv", 3}, {"", "image/png", 0}}
	if !slices.Equal(got.Attachments, want) || got.Text != "text" {
		t.Errorf("got %+v and the text %q, want %+v", got.Attachments, got.Text, want)
	}
}
