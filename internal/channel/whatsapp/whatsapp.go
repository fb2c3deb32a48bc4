// Package whatsapp hands WhatsApp messages to Twilio. Outside the 24 hours after the recipient last wrote, WhatsApp
// takes approved templates only (a message's ContentSID); a free text then fails with Twilio's code 63016.
package whatsapp

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/silquetech/silque-notifications/internal/channel"
	"github.com/silquetech/silque-notifications/internal/twilio"
)

// Config says who sends. Exactly one field is set.
type Config struct {
	// From is the WhatsApp sender's number in E.164, with or without the prefix "whatsapp:".
	From string
	// MessagingServiceSID lets a messaging service (MG…) pick the sender.
	MessagingServiceSID string
}

// prefix marks a WhatsApp address for Twilio. It has to stand on both sides: without it on one, Twilio sees two
// channels in one message and refuses.
const prefix = "whatsapp:"

var (
	number  = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	service = regexp.MustCompile(`^MG[0-9a-fA-F]{32}$`)
)

// Sender is the channel.Sender and channel.Finder for WhatsApp. It is safe for concurrent use.
type Sender struct {
	from, service string
	client        *twilio.Client
}

var (
	_ channel.Sender = (*Sender)(nil)
	_ channel.Finder = (*Sender)(nil)
)

// New checks the settings and gives a Sender over the client.
func New(cfg Config, client *twilio.Client) (*Sender, error) {
	switch {
	case client == nil:
		return nil, errors.New("whatsapp: the Twilio client is missing")
	case (cfg.From == "") == (cfg.MessagingServiceSID == ""):
		return nil, errors.New("whatsapp: set either From or MessagingServiceSID")
	case cfg.MessagingServiceSID != "" && !service.MatchString(cfg.MessagingServiceSID):
		return nil, errors.New("whatsapp: MessagingServiceSID must be MG and 32 hexadecimal digits")
	case cfg.From != "" && !number.MatchString(strings.TrimPrefix(cfg.From, prefix)):
		return nil, errors.New("whatsapp: From must be a number such as +12025550123")
	}
	s := &Sender{service: cfg.MessagingServiceSID, client: client}
	if cfg.From != "" {
		s.from = address(cfg.From)
	}
	return s, nil
}

// Send hands one message over, as channel.Sender promises; the receipt's ProviderID is Twilio's message SID.
func (s *Sender) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	return s.client.Create(ctx, twilio.CreateParams{
		To: address(m.To), From: s.from, MessagingServiceSID: s.service, Body: m.Text,
		ContentSID: m.ContentSID, ContentVariables: m.ContentVariables, DeliveryID: m.DeliveryID,
	})
}

// Find asks Twilio which messages it has that may be this one, as channel.Finder promises. A message by template is
// found only when the values of its variables tell it from others: see twilio.FindParams.
func (s *Sender) Find(ctx context.Context, m channel.Message, since time.Time) ([]channel.Receipt, error) {
	return s.client.Find(ctx, twilio.FindParams{
		To: address(m.To), From: s.from, MessagingServiceSID: s.service, Body: m.Text,
		ContentSID: m.ContentSID, ContentVariables: m.ContentVariables, Since: since,
	})
}

func address(number string) string { return prefix + strings.TrimPrefix(number, prefix) }
