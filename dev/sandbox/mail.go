package sandbox

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"

	"golang.org/x/text/encoding/htmlindex"
)

// maxNesting bounds multiparts in multiparts.
const maxNesting = 20

var words = mime.WordDecoder{CharsetReader: decodeCharset}

// readMail turns a message as it came over the wire into one for the inbox, without its recipient. It never fails: what
// cannot be understood is shown as it came. Of attachments it tells name, type and size.
func readMail(raw []byte) *Message {
	fields, body := splitMail(raw)
	m := &Message{Channel: Email, Headers: map[string]string{}}
	part := textproto.MIMEHeader{}
	for _, f := range fields {
		part.Add(f.name, f.value)
		value := decodeWords(f.value)
		if earlier, ok := m.Headers[f.name]; ok {
			value = earlier + "\n" + value
		}
		m.Headers[f.name] = value
	}
	m.Subject = decodeWords(part.Get("Subject"))
	// The address is parsed before its words are decoded: a name may hold a comma.
	parser := mail.AddressParser{WordDecoder: &words}
	if from, err := parser.Parse(part.Get("From")); err == nil {
		m.From = from.Address
	}
	parts := mailParts{attachments: []Attachment{}}
	parts.read(part, bytes.NewReader(body), 0)
	m.Text, m.HTML, m.Attachments = tidy(parts.text.String()), tidy(parts.html.String()), parts.attachments
	return m
}

type headerField struct{ name, value string }

// splitMail separates the header fields, unfolded, from the body.
func splitMail(raw []byte) (fields []headerField, body []byte) {
	head, body, found := bytes.Cut(raw, []byte("\r\n\r\n"))
	if !found {
		head, body, _ = bytes.Cut(raw, []byte("\n\n"))
	}
	lines := strings.ReplaceAll(string(head), "\r\n", "\n")
	lines = strings.NewReplacer("\n ", " ", "\n\t", " ").Replace(lines)
	for line := range strings.SplitSeq(lines, "\n") {
		name, value, ok := strings.Cut(line, ":")
		if ok && !strings.ContainsAny(name, " \t") {
			fields = append(fields, headerField{name: name, value: strings.TrimSpace(value)})
		}
	}
	return fields, body
}

func decodeWords(value string) string {
	if decoded, err := words.DecodeHeader(value); err == nil {
		value = decoded
	}
	return strings.ToValidUTF8(value, "\uFFFD")
}

// mailParts collects what a mail is made of.
type mailParts struct {
	text, html  strings.Builder
	attachments []Attachment
}

func (p *mailParts) read(h textproto.MIMEHeader, body io.Reader, depth int) {
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		kind, params = "text/plain", map[string]string{}
	}
	disposition, about, _ := mime.ParseMediaType(h.Get("Content-Disposition"))
	name := decodeWords(cmp.Or(about["filename"], params["name"]))
	switch {
	case strings.HasPrefix(kind, "multipart/") && depth < maxNesting:
		parts := multipart.NewReader(body, params["boundary"])
		for {
			part, err := parts.NextRawPart()
			if err != nil {
				return
			}
			p.read(part.Header, part, depth+1)
		}
	case disposition == "attachment", name != "", !strings.HasPrefix(kind, "text/"):
		// What arrived before an error is the size.
		size, _ := io.Copy(io.Discard, decoded(h, body))
		p.attachments = append(p.attachments, Attachment{Name: name, ContentType: kind, Size: size})
	case kind == "text/html":
		p.html.WriteString(readText(h, params, body))
	default:
		p.text.WriteString(readText(h, params, body))
	}
}

// decoded undoes the transfer encoding of a part.
func decoded(h textproto.MIMEHeader, body io.Reader) io.Reader {
	switch strings.ToLower(strings.TrimSpace(h.Get("Content-Transfer-Encoding"))) {
	case "quoted-printable":
		return quotedprintable.NewReader(body)
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, body)
	default:
		return body
	}
}

func readText(h textproto.MIMEHeader, params map[string]string, body io.Reader) string {
	body = decoded(h, body)
	if utf8, err := decodeCharset(params["charset"], body); err == nil {
		body = utf8
	}
	// What could be read before an error is worth showing.
	content, _ := io.ReadAll(body)
	return strings.ToValidUTF8(string(content), "\uFFFD")
}

// decodeCharset makes UTF-8 of the encodings that browsers know.
func decodeCharset(charset string, r io.Reader) (io.Reader, error) {
	if charset == "" {
		return r, nil
	}
	encoding, err := htmlindex.Get(charset)
	if err != nil {
		return nil, fmt.Errorf("sandbox: charset %q: %w", charset, err)
	}
	return encoding.NewDecoder().Reader(r), nil
}

func tidy(s string) string {
	return strings.TrimRight(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
}
