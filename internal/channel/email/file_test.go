package email_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/silquetech/silque-notifications/internal/channel"
)

// file is an attachment as a reader of the mail gets it.
type file struct {
	name, kind string
	content    []byte
}

// files reads the attachments of a message; the first part is its text.
func files(t *testing.T, m *mail.Message) (textKind string, found []file) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/mixed" {
		t.Fatalf("Content-Type: %q, %v", m.Header.Get("Content-Type"), err)
	}
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return textKind, found
		}
		if err != nil {
			t.Fatal(err)
		}
		if textKind == "" {
			textKind, _, _ = strings.Cut(p.Header.Get("Content-Type"), ";")
			continue
		}
		disposition, params, err := mime.ParseMediaType(p.Header.Get("Content-Disposition"))
		if err != nil || disposition != "attachment" || p.Header.Get("Content-Transfer-Encoding") != "base64" {
			t.Errorf("header of a file: %v, %v", p.Header, err)
		}
		if len(p.Header) != 3 {
			t.Errorf("further headers in %v", p.Header)
		}
		content, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, p))
		if err != nil {
			t.Error(err)
		}
		found = append(found, file{params["filename"], p.Header.Get("Content-Type"), content})
	}
}

func TestFilesGoWithTheMessage(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	m := message("d1")
	m.HTML = "<p>Order 7</p>"
	pdf := bytes.Repeat([]byte("\r\n.\r\n\x00\xff"), 50_000) // what SMTP would take for the end
	m.Files = []channel.File{
		{Name: "Invoice 7.PDF", Content: pdf}, {Name: "Grüße.txt", Content: []byte("Grüße")},
		{Name: "latin.csv", Content: []byte("Gr\xfc\xdfe")}, {Name: "empty.bin"},
	}
	if _, err := sender(t, s, nil).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	kind, got := files(t, parse(t, s.received()[0].content))
	if kind != "multipart/alternative" {
		t.Errorf("the texts are %s", kind)
	}
	want := []file{
		{"Invoice 7.PDF", "application/pdf", pdf}, {"Grüße.txt", "text/plain; charset=utf-8", []byte("Grüße")},
		{"latin.csv", "text/csv", []byte("Gr\xfc\xdfe")}, {"empty.bin", "application/octet-stream", []byte{}},
	}
	if len(got) != len(want) {
		t.Fatalf("%d files, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i].name != want[i].name || got[i].kind != want[i].kind || !bytes.Equal(got[i].content, want[i].content) {
			t.Errorf("file %d: %q, %q, %d bytes", i, got[i].name, got[i].kind, len(got[i].content))
		}
	}
}

func TestAFileNameCannotDoHarm(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	out := sender(t, s, nil)
	for name, want := range map[string]file{
		"../../etc/passwd":                       {name: "passwd", kind: "application/octet-stream"},
		`C:\Users\ann\invoice.pdf`:               {name: "invoice.pdf", kind: "application/pdf"},
		"a.pdf\r\nBcc: eve@example.com\r\n\r\nx": {name: "a.pdfBcc_ eve@example.comx", kind: "application/octet-stream"},
		`x"; filename="y.exe`:                    {name: "x_; filename=_y.exe", kind: "application/octet-stream"},
		"a.pdf; charset=x\r\nX-One: 1":           {name: "a.pdf; charset=xX-One_ 1", kind: "application/octet-stream"},
		"invoice\u202efdp.exe":                   {name: "invoicefdp.exe", kind: "application/octet-stream"},
		"bad\xffutf8.png":                        {name: "bad_utf8.png", kind: "image/png"},
		"":                                       {name: "attachment", kind: "application/octet-stream"},
		"folder/":                                {name: "attachment", kind: "application/octet-stream"},
		"..":                                     {name: "attachment", kind: "application/octet-stream"},
		"\x00\x01":                               {name: "attachment", kind: "application/octet-stream"},
		strings.Repeat("ü", 300) + ".pdf":        {name: strings.Repeat("ü", 125) + ".pdf", kind: "application/pdf"},
		strings.Repeat("請", 300) + ".docx":       {name: strings.Repeat("請", 83) + ".docx", kind: "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
		"x." + strings.Repeat("e", 300):          {name: "x." + strings.Repeat("e", 253), kind: "application/octet-stream"},
	} {
		m := message("d1")
		m.Files = []channel.File{{Name: name, Content: []byte("\x00")}}
		if _, err := out.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		all := s.received()
		last := all[len(all)-1].content
		for line := range bytes.Lines(last) {
			if len(bytes.TrimRight(line, "\r\n")) > 998 {
				t.Errorf("%.30q: a line of %d characters", name, len(line))
			}
		}
		read := parse(t, last)
		if read.Header.Get("Bcc") != "" || read.Header.Get("X-One") != "" {
			t.Errorf("%.30q injected a header", name)
		}
		_, got := files(t, read)
		if len(got) != 1 || got[0].name != want.name || got[0].kind != want.kind {
			t.Errorf("%.30q: %+v, want %+v", name, got, want)
		}
		if n := utf8.RuneCountInString(got[0].name); n > 255 {
			t.Errorf("%.30q: %d characters", name, n)
		}
	}
}
