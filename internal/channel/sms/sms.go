// Package sms hands text messages to Twilio.
package sms

import (
	"context"
	"errors"
	"regexp"
	"time"

	"github.com/silquetech/silque-notifications/internal/channel"
	"github.com/silquetech/silque-notifications/internal/twilio"
)

// Config says who sends. Exactly one field is set.
type Config struct {
	// From is one of the account's numbers (+12025550123), a short code (12345), or an alphanumeric sender (Silque).
	From string
	// MessagingServiceSID lets a messaging service (MG…) pick the number.
	MessagingServiceSID string
}

var (
	from    = regexp.MustCompile(`^(\+[1-9][0-9]{6,14}|[0-9]{3,8}|[0-9A-Za-z +_&-]*[A-Za-z][0-9A-Za-z +_&-]*)$`)
	service = regexp.MustCompile(`^MG[0-9a-fA-F]{32}$`)
)

// maxAlphanumeric is how long an alphanumeric sender may be.
const maxAlphanumeric = 11

// Sender is the channel.Sender and channel.Finder for SMS. It is safe for concurrent use.
type Sender struct {
	cfg    Config
	client *twilio.Client
}

var (
	_ channel.Sender = (*Sender)(nil)
	_ channel.Finder = (*Sender)(nil)
)

// New checks the settings and gives a Sender over the client.
func New(cfg Config, client *twilio.Client) (*Sender, error) {
	switch {
	case client == nil:
		return nil, errors.New("sms: the Twilio client is missing")
	case (cfg.From == "") == (cfg.MessagingServiceSID == ""):
		return nil, errors.New("sms: set either From or MessagingServiceSID")
	case cfg.MessagingServiceSID != "" && !service.MatchString(cfg.MessagingServiceSID):
		return nil, errors.New("sms: MessagingServiceSID must be MG and 32 hexadecimal digits")
	case cfg.From != "" && !validFrom(cfg.From):
		return nil, errors.New("sms: From must be a number such as +12025550123, a short code, or at most 11 letters and digits")
	}
	return &Sender{cfg: cfg, client: client}, nil
}

func validFrom(s string) bool {
	return from.MatchString(s) && (s[0] == '+' || len(s) <= maxAlphanumeric)
}

// Send hands one text message over, as channel.Sender promises; the receipt's ProviderID is Twilio's message SID.
func (s *Sender) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	return s.client.Create(ctx, twilio.CreateParams{
		To: m.To, From: s.cfg.From, MessagingServiceSID: s.cfg.MessagingServiceSID, Body: m.Text, DeliveryID: m.DeliveryID,
	})
}

// Find asks Twilio which messages it has that may be this one, as channel.Finder promises.
func (s *Sender) Find(ctx context.Context, m channel.Message, since time.Time) ([]channel.Receipt, error) {
	return s.client.Find(ctx, twilio.FindParams{
		To: m.To, From: s.cfg.From, MessagingServiceSID: s.cfg.MessagingServiceSID, Body: m.Text, Since: since,
	})
}
