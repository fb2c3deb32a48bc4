package bounce

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"net/textproto"
	"regexp"
	"strings"
)

// The bounds of a delivery report. A mail server may return the whole message with its files, so that the message may be
// large; all but its head and a few parts are read past, and nothing else is kept.
const (
	// MaxMessage is the most bytes of a delivery report.
	MaxMessage = 32 << 20
	// MaxBody is more than Parse and ParseJSON ever read, for a bound around them: theirs is met first, and says why.
	MaxBody       = MaxMessage + 1<<20
	maxHead       = 256 << 10 // of the report's header, its status fields, and the original's header each
	maxField      = 16 << 10  // of one field, however many lines it is folded into: many times what counts of it
	maxRecipients = 100
	maxParts      = 50
	maxDepth      = 4
)

// Parse reads a delivery report (RFC 3464) or an abuse report (RFC 5965) as a mailbox has it, or an MTA gives it to a
// program: with or without the line "From …" that some write before it. It gives a report for each recipient of whom
// something is said that counts; of an abuse report, for each who may be the one, see complaints.
//
// Every error is one of the package's own, so that whoever sent it can be told.
func Parse(r io.Reader) ([]Report, error) {
	bound := &bounded{r: r, left: maxHead}
	in := bufio.NewReader(bound)
	if start, err := in.Peek(len(mailboxLine)); err == nil && string(start) == mailboxLine {
		if _, err := in.ReadString('\n'); err != nil {
			return nil, bound.reason(ErrMalformed)
		}
	}
	message, err := mail.ReadMessage(in)
	if err != nil {
		return nil, bound.reason(ErrMalformed)
	}
	bound.left = MaxMessage
	var d reading
	if err := d.read(textproto.MIMEHeader(message.Header), message.Body, 0); err != nil {
		return nil, bound.reason(err)
	}
	return d.reports(message.Header.Get("Message-Id"))
}

// mailboxLine begins the line that stands before a message in a mailbox, and in what Postfix and Exim give to a program.
const mailboxLine = "From "

// bounded reads up to a number of bytes that can be raised, and remembers that there were more.
type bounded struct {
	r    io.Reader
	left int64
	over bool
}

// Read fails when there is more than may be read.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		b.over = true
		return 0, ErrTooLarge
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// reason is what to tell when reading failed with a reason of the format's.
func (b *bounded) reason(err error) error {
	if b.over {
		return ErrTooLarge
	}
	return err
}

// reading collects the parts of a report.
type reading struct {
	parts int
	// status are the fields of a delivery report, and feedback those of an abuse report.
	status, feedback []byte
	messageID        string
	// delivery is our own header of the original, for providers that write a Message-ID of their own over ours.
	delivery string
	// to are the addresses of the original's To.
	to []string
}

// read looks at one part. What is not of interest is read past.
func (d *reading) read(header textproto.MIMEHeader, body io.Reader, depth int) error {
	kind, parameters, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return nil //nolint:nilerr // a part without a readable type holds nothing for us
	}
	switch {
	case strings.HasPrefix(kind, "multipart/"):
		return d.readParts(body, parameters["boundary"], depth)
	case kind == "message/delivery-status", kind == "message/global-delivery-status": // RFC 6533 has the latter
		if d.status == nil {
			d.status, err = head(decoded(header, body))
		}
		return err
	case kind == "message/feedback-report":
		if d.feedback == nil {
			d.feedback, err = head(decoded(header, body))
		}
		return err
	case kind == "message/rfc822", kind == "text/rfc822-headers", kind == "message/global", kind == "message/global-headers":
		return d.readOriginal(decoded(header, body))
	default:
		return nil
	}
}

func (d *reading) readParts(body io.Reader, boundary string, depth int) error {
	if boundary == "" || depth >= maxDepth {
		return ErrMalformed
	}
	parts := multipart.NewReader(body, boundary)
	for {
		part, err := parts.NextPart()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, ErrTooLarge), errors.Is(err, multipart.ErrMessageTooLarge):
			return ErrTooLarge
		case err != nil:
			// The end is missing: what came before it may be all that counts.
			if d.status != nil || d.feedback != nil {
				return nil
			}
			return ErrMalformed
		}
		if d.parts++; d.parts > maxParts {
			return ErrTooLarge
		}
		if err := d.read(part.Header, part, depth+1); err != nil {
			return err
		}
	}
}

// readOriginal takes the names of the message that is returned.
func (d *reading) readOriginal(body io.Reader) error {
	if d.messageID != "" || d.delivery != "" {
		return nil
	}
	content, err := io.ReadAll(io.LimitReader(body, maxHead))
	if err != nil && len(content) == 0 {
		return fmt.Errorf("%w", ErrMalformed)
	}
	header := groups(content)
	if len(header) > 0 {
		d.messageID, d.delivery = strings.Trim(header[0]["message-id"], "<> \t"), header[0]["x-silque-delivery"]
		d.to = addressees(header[0]["to"])
	}
	return nil
}

// decoded undoes base64; multipart.Reader has undone quoted-printable.
func decoded(header textproto.MIMEHeader, body io.Reader) io.Reader {
	if strings.EqualFold(strings.TrimSpace(header.Get("Content-Transfer-Encoding")), "base64") {
		return base64.NewDecoder(base64.StdEncoding, body)
	}
	return body
}

// head reads a part that must be small.
func head(r io.Reader) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(r, maxHead+1))
	switch {
	case len(content) > maxHead, errors.Is(err, ErrTooLarge):
		return nil, ErrTooLarge
	case err != nil && len(content) == 0:
		return nil, ErrMalformed
	}
	return content, nil // what could be read before an error may be all that counts
}

// groups reads header fields, unfolded and by their names in lower case, in the groups that empty lines make. The first
// of two fields of a name counts, and a line that is no field is passed over. Of a field without end the beginning counts.
func groups(content []byte) []map[string]string {
	var all []map[string]string
	fields, last, value := map[string]string{}, "", []byte(nil)
	end := func() { // of a field
		if last != "" {
			fields[last] = string(bytes.TrimSpace(value[:min(len(value), maxField)]))
		}
		last = ""
	}
	for line := range bytes.Lines(content) {
		line = bytes.TrimRight(line, "\r\n")
		switch {
		case len(bytes.TrimSpace(line)) == 0:
			if end(); len(fields) > 0 {
				all = append(all, fields)
			}
			if len(all) > maxRecipients {
				return all
			}
			fields = map[string]string{}
		case line[0] == ' ' || line[0] == '\t':
			if last != "" && len(value) < maxField {
				value = append(append(value, ' '), bytes.TrimSpace(line)...)
			}
		default:
			end()
			name, first, ok := bytes.Cut(line, []byte(":"))
			last = strings.ToLower(string(bytes.TrimSpace(name)))
			if _, there := fields[last]; !ok || there {
				last = ""
				continue
			}
			value = append(value[:0], bytes.TrimSpace(first)...)
		}
	}
	if end(); len(fields) > 0 {
		all = append(all, fields)
	}
	return all
}

// about names the message that the report is about.
func (d *reading) about() (string, error) {
	message := d.messageID
	if d.delivery != "" {
		message = named(d.messageID, d.delivery)
	}
	if message == "" {
		return "", ErrNoOriginal
	}
	return message, nil
}

// reports gives what the status fields say, recipient by recipient, or the complaints where there are none.
func (d *reading) reports(id string) ([]Report, error) {
	switch {
	case d.status == nil && d.feedback == nil:
		return nil, ErrNoReport
	case d.status == nil:
		return d.complaints(id)
	}
	message, err := d.about()
	if err != nil {
		return nil, err
	}
	if id == "" {
		id = string(d.status)
	}
	var found []Report
	for _, fields := range groups(d.status) {
		if report, ok := recipient(fields); ok {
			report.MessageID, report.ID = message, id
			found = append(found, report)
		}
	}
	if len(found) == 0 {
		return nil, ErrNoReport
	}
	return found, nil
}

// named gives the Message-ID where it is the delivery's, and the delivery's ID where a provider has written another.
func named(messageID, delivery string) string {
	if strings.HasPrefix(messageID, delivery+"@") {
		return messageID
	}
	return delivery
}

// recipient reads the fields about one recipient (RFC 3464, section 2.3). What they say of a relaying or an expansion
// tells nothing of the message's end.
func recipient(fields map[string]string) (Report, bool) {
	action, _, _ := strings.Cut(strings.ToLower(fields["action"]), " ")
	kind, ok := map[string]Kind{"failed": Bounce, "delayed": Delayed, "delivered": Delivered}[action]
	final, original := mailbox(fields["final-recipient"]), mailbox(fields["original-recipient"])
	if !ok || final == "" && original == "" {
		return Report{}, false
	}
	r := Report{Kind: kind, Recipient: final, Original: original, Diagnostic: words(fields["diagnostic-code"])}
	if r.Recipient == "" {
		r.Recipient, r.Original = original, ""
	}
	last := map[Kind]string{Bounce: "5.0.0", Delayed: "4.0.0", Delivered: "2.0.0"}[kind]
	r.Status = precise(leading.FindString(fields["status"]), r.Diagnostic, last)
	return r, true
}

// leading is the code at the beginning of a Status field, before a comment.
var leading = regexp.MustCompile(`^[245]\.\d{1,3}\.\d{1,3}\b`)

// mailbox takes the address out of "rfc822; ann@example.org".
func mailbox(value string) string {
	_, address, ok := strings.Cut(value, ";")
	if !ok {
		address = value
	}
	address = strings.Trim(strings.TrimSpace(address), "<>")
	if len(address) > maxAddress || strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return ""
	}
	return address
}

// maxAddress is in bytes: RFC 5321, section 4.5.3.1.3.
const maxAddress = 254
