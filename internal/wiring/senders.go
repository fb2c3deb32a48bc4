package wiring

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/silquetech/silque-notifications/activities"
	"github.com/silquetech/silque-notifications/internal/attachment"
	"github.com/silquetech/silque-notifications/internal/channel"
	"github.com/silquetech/silque-notifications/internal/channel/email"
	"github.com/silquetech/silque-notifications/internal/channel/sms"
	"github.com/silquetech/silque-notifications/internal/channel/whatsapp"
	"github.com/silquetech/silque-notifications/internal/config"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/twilio"
)

// senders are the channels that have settings.
type senders struct {
	byChannel map[rule.Channel]activities.Sender
	email     *email.Sender
}

// newSenders makes them; every wrong setting is named. now is the clock by which attempts are written down, unsubscribe
// gives the links that emails carry; nil for none.
func newSenders(c *config.Config, now func() time.Time, unsubscribe func(deliveryID string) string) (*senders, error) {
	s := &senders{byChannel: make(map[rule.Channel]activities.Sender)}
	fetcher, err := newFetcher(c.Attachments)
	mail := emailConfig(c.SMTP)
	mail.UnsubscribeLink = unsubscribe
	return s, errors.Join(err, s.addEmail(mail, c.Attachments, fetcher), s.addTwilio(c.Twilio, now))
}

func (s *senders) addEmail(c email.Config, files config.Attachments, fetcher *attachment.Fetcher) error {
	if c.Host == "" {
		return nil
	}
	sender, err := email.New(c)
	if err != nil {
		return fmt.Errorf("SMTP settings: %w", err)
	}
	s.email, s.byChannel[rule.Email] = sender, newWithFiles(sender, files, fetcher)
	return nil
}

func emailConfig(c config.SMTP) email.Config {
	return email.Config{
		Host: c.Host, Port: c.Port, Username: c.Username, Password: c.Password, AuthMethod: c.Auth, TLS: c.TLS,
		From: c.From, ReplyTo: c.ReplyTo, ReturnPath: c.ReturnPath, HELO: c.HELO, Timeout: c.Timeout, MaxConnections: c.Connections,
	}
}

func twilioConfig(c config.Twilio) twilio.Config {
	return twilio.Config{
		AccountSID: c.AccountSID, AuthToken: c.AuthToken, APIKey: c.APIKey, APISecret: c.APISecret,
		BaseURL: c.BaseURL, StatusCallback: c.StatusCallback, Timeout: c.Timeout,
	}
}

func (s *senders) addTwilio(c config.Twilio, now func() time.Time) error {
	if c.AccountSID == "" {
		return nil
	}
	settings := twilioConfig(c)
	settings.Now = now
	client, err := twilio.New(settings)
	problems := []error{err}
	if err != nil {
		client = new(twilio.Client) // never used: the senders' own settings are to be named too
	}
	if c.SMSFrom != "" || c.SMSMessagingServiceSID != "" {
		sender, err := sms.New(sms.Config{From: c.SMSFrom, MessagingServiceSID: c.SMSMessagingServiceSID}, client)
		problems = append(problems, err)
		s.byChannel[rule.SMS] = adapter{sender}
	}
	if c.WhatsAppFrom != "" || c.WhatsAppMessagingServiceSID != "" {
		sender, err := whatsapp.New(whatsapp.Config{From: c.WhatsAppFrom, MessagingServiceSID: c.WhatsAppMessagingServiceSID}, client)
		problems = append(problems, err)
		s.byChannel[rule.WhatsApp] = adapter{sender}
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("TWILIO settings: %w", err)
	}
	return nil
}

func (s *senders) close(ctx context.Context) error {
	if s.email == nil {
		return nil
	}
	return s.email.Close(ctx)
}

// adapter lets the activities, which know no channel, use one.
type adapter struct{ sender channel.Sender }

// Send hands the message over.
func (a adapter) Send(ctx context.Context, m activities.Message) (providerID, detail string, err error) {
	return a.hand(ctx, messageOf(m))
}

func (a adapter) hand(ctx context.Context, m channel.Message) (providerID, detail string, err error) {
	receipt, err := a.sender.Send(ctx, m)
	return receipt.ProviderID, receipt.Response, translated(err)
}

// Find asks the provider, where it can be asked.
func (a adapter) Find(ctx context.Context, m activities.Message, since time.Time) (providerIDs []string, err error) {
	finder, can := a.sender.(channel.Finder)
	if !can {
		return nil, nil
	}
	candidates, err := finder.Find(ctx, messageOf(m), since)
	for _, receipt := range candidates {
		providerIDs = append(providerIDs, receipt.ProviderID)
	}
	return providerIDs, translated(err)
}

// messageOf gives the message as the channels know it, without its files: see withFiles.
func messageOf(m activities.Message) channel.Message {
	d := m.Details
	return channel.Message{
		DeliveryID: m.DeliveryID, To: m.To, Subject: m.Subject, Text: m.Text, HTML: m.HTML,
		HeaderTo: d.To, Cc: d.Cc, ReplyTo: d.ReplyTo,
		ContentSID: d.ContentSID, ContentVariables: d.ContentVariables,
	}
}

// refusal is a channel's error with the method by which the activities read it.
type refusal struct{ cause *channel.Error }

// Error gives class and code, never an address.
func (r refusal) Error() string { return r.cause.Error() }

// Unwrap gives the channel's own error.
func (r refusal) Unwrap() error { return r.cause }

// Refusal gives the error's parts.
func (r refusal) Refusal() (class activities.Class, code string, retryAfter time.Duration, detail string) {
	return activities.Class(r.cause.Class), r.cause.Code, r.cause.RetryAfter, r.cause.Detail
}

func translated(err error) error {
	var refused *channel.Error
	if errors.As(err, &refused) {
		return refusal{cause: refused}
	}
	return err
}
