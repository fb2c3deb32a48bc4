package email

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/wneessen/go-mail"

	"github.com/silquetech/silque-notifications/internal/address"
	"github.com/silquetech/silque-notifications/internal/channel"
)

// deliveryID keeps IDs to what may stand to the left of the @ in a Message-ID (RFC 5322, section 3.6.4).
var deliveryID = regexp.MustCompile(`^[0-9A-Za-z_-]+(\.[0-9A-Za-z_-]+)*$`)

var errDeliveryID = errors.New("the delivery ID must be made of letters, digits, - and _")

// envelope is one message as the server gets it.
type envelope struct {
	id       string // the Message-ID without its angle brackets
	from, to string
	content  []byte
}

// compose renders m in memory before anything is said to a server: a message that cannot be rendered must not end
// half-way through a hand-over, where the server would take what it has for the whole. Its refusals are permanent.
func (s *Sender) compose(m channel.Message) (envelope, error) {
	if !deliveryID.MatchString(m.DeliveryID) {
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
	msg.Subject(oneLine(m.Subject))
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
	if err := msg.FromFormat(s.from.Name, s.from.Address); err != nil {
		return fmt.Errorf("from: %w", err)
	}
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

// oneLine replaces line breaks and other control characters, which would otherwise be shown as odd signs, by spaces.
func oneLine(subject string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.TrimSpace(strings.ReplaceAll(subject, "\r\n", "\n")))
}
