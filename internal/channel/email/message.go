package email

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/wneessen/go-mail"

	"github.com/silquetech/silque-notifications/internal/address"
	"github.com/silquetech/silque-notifications/internal/channel"
)

// deliveryID keeps IDs to what may stand to the left of the @ in a Message-ID (RFC 5322, section 3.6.4).
var deliveryID = regexp.MustCompile(`^[0-9A-Za-z_-]+(\.[0-9A-Za-z_-]+)*$`)

// maxDeliveryID keeps the Message-ID in its line, whatever the sender's domain.
const maxDeliveryID = 200

var errDeliveryID = errors.New("the delivery ID must be made of letters, digits, - and _, 200 at most")

// envelope is one message as the server gets it.
type envelope struct {
	id       string // the Message-ID without its angle brackets
	from, to string
	content  []byte
}

// compose renders m in memory before anything is said to a server: a message that cannot be rendered must not end
// half-way through a hand-over, where the server would take what it has for the whole. Its refusals are permanent.
func (s *Sender) compose(m channel.Message) (envelope, error) {
	if len(m.DeliveryID) > maxDeliveryID || !deliveryID.MatchString(m.DeliveryID) {
		return envelope{}, refused("bad_delivery_id", errDeliveryID)
	}
	to, err := address.Normalizer{}.Email(m.To)
	if err != nil {
		return envelope{}, refused("bad_address", err)
	}
	e := envelope{id: m.DeliveryID + "@" + s.domain, from: s.returnPath, to: to}

	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := s.address(msg, to, m); err != nil {
		return envelope{}, refused("bad_address", err)
	}
	msg.SetMessageIDWithValue(e.id)
	msg.SetDateWithValue(time.Now())
	// RFC 3834: tells holiday answers and ticket systems not to reply.
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetGenHeader("X-Silque-Delivery", m.DeliveryID)
	if err := s.unsubscribe(msg, m.DeliveryID); err != nil {
		return envelope{}, refused("bad_message", err)
	}
	msg.Subject(subject(m.Subject))
	msg.SetBodyString(mail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		msg.AddAlternativeString(mail.TypeTextHTML, m.HTML)
	}
	for _, file := range m.Files {
		attach(msg, file)
	}

	var content bytes.Buffer
	if _, err := msg.WriteTo(&content); err != nil {
		return envelope{}, refused("bad_message", err)
	}
	e.content = content.Bytes()
	return e, nil
}

// address writes whom the message names. None of them is a recipient: that is to alone, by the envelope.
func (s *Sender) address(msg *mail.Msg, to string, m channel.Message) error {
	msg.SetAddrHeaderFromMailAddress(mail.HeaderFrom, s.from)
	replyTo := s.replyTo
	if m.ReplyTo != "" {
		var err error
		if replyTo, err = mailbox("ReplyTo", m.ReplyTo); err != nil {
			return err
		}
	}
	if replyTo != nil {
		msg.ReplyToMailAddress(replyTo)
	}
	named := m.HeaderTo
	if len(m.HeaderTo)+len(m.Cc) == 0 {
		named = []string{to}
	}
	if err := list(msg.To, "to", named); err != nil {
		return err
	}
	return list(msg.Cc, "cc", m.Cc)
}

// list writes addresses, in their normal form, into the header that set sets. Without addresses there is no header.
func list(set func(...string) error, header string, addresses []string) error {
	if len(addresses) == 0 {
		return nil
	}
	normal := make([]string, 0, len(addresses))
	for _, raw := range addresses {
		one, err := address.Normalizer{}.Email(raw)
		if err != nil {
			return fmt.Errorf("%s: %w", header, err)
		}
		normal = append(normal, one)
	}
	if err := set(normal...); err != nil {
		return fmt.Errorf("%s: %w", header, err)
	}
	return nil
}

// maxWord is how many bytes of a subject may stand together without a space: a line is broken at spaces alone, and mail
// servers refuse one of more than 998 characters (RFC 5322, section 2.1.1).
const maxWord = 500

// subject gives a subject in the form that a header may have. What go-mail would leave as it is although it is more than
// text to a mail program is encoded here: what looks like an encoded word itself, and words that fill more than a line.
func subject(text string) string {
	text = oneLine(text)
	if !strings.Contains(text, "=?") && !slices.ContainsFunc(strings.Fields(text), func(word string) bool { return len(word) > maxWord }) {
		return text
	}
	var words []string
	for len(text) > 0 {
		part := cut(text, maxEncoded)
		words = append(words, "=?UTF-8?B?"+base64.StdEncoding.EncodeToString([]byte(part))+"?=")
		text = text[len(part):]
	}
	return strings.Join(words, " ")
}

// maxEncoded is how many bytes of text fit into an encoded word of 75 characters (RFC 2047, section 2).
const maxEncoded = 45

// oneLine replaces line breaks and other control characters, which would otherwise be shown as odd signs, by spaces. So
// it does with the separators that Unicode has for lines and paragraphs.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n")))
}
