package health

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/silquetech/silque-notifications/internal/channel"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/twilio"
)

var channelTitles = map[rule.Channel]string{rule.Email: "Email", rule.SMS: "SMS", rule.WhatsApp: "WhatsApp"}

var channelSettings = map[rule.Channel][]string{
	rule.Email:    {"SMTP_HOST", "SMTP_PORT", "SMTP_TLS", "SMTP_USERNAME", "SMTP_PASSWORD", "SMTP_FROM"},
	rule.SMS:      {"TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_SMS_FROM"},
	rule.WhatsApp: {"TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_WHATSAPP_FROM"},
}

// Pauses say how long the provider of a channel is left alone because it asked for that: internal/pace.
type Pauses interface {
	Paused(ctx context.Context, channel rule.Channel) (time.Duration, error)
}

// Channel asks a channel's provider, and whether the channel is paused. A nil check means that the channel has no settings.
// facts are what is known beforehand, such as the server's name.
func Channel(of rule.Channel, check func(ctx context.Context) Answer, pauses Pauses, facts ...Fact) Probe {
	p := Probe{Name: string(of), Title: channelTitles[of], Settings: channelSettings[of]}
	if check == nil {
		return p
	}
	p.Ask = func(ctx context.Context) Answer {
		a := check(ctx)
		a.Facts = append(append([]Fact{}, facts...), a.Facts...)
		if left, err := pauses.Paused(ctx, of); err == nil && left > 0 {
			a.Facts = append(a.Facts, Fact{Name: "Paused until", At: time.Now().Add(left)})
			if a.State == OK {
				a.State, a.Text = Warning, "The provider has asked to be left alone for a while; messages wait."
				a.Advice = "Nothing needs to be done. If it comes again and again, lower the channel's rate: NOTIFY_" + strings.ToUpper(string(of)) + "_PER_SECOND."
			}
		}
		return a
	}
	return p
}

// MailServer asks a mail server by connecting, encrypting and signing in: see email.Sender.Check.
func MailServer(check func(ctx context.Context) error) func(ctx context.Context) Answer {
	return func(ctx context.Context) Answer {
		began := time.Now()
		if err := check(ctx); err != nil {
			return refusedBy("The mail server", err)
		}
		return Answer{State: OK, Text: "The mail server lets us in.", Facts: []Fact{{Name: "Signing in took", Value: milliseconds(time.Since(began))}}}
	}
}

// Twilio asks Twilio whose the credentials are: see twilio.Client.Check.
func Twilio(check func(ctx context.Context) (twilio.Account, error)) func(ctx context.Context) Answer {
	return func(ctx context.Context) Answer {
		began := time.Now()
		account, err := check(ctx)
		if err != nil {
			return refusedBy("Twilio", err)
		}
		a := Answer{State: OK, Text: "Twilio knows the account.", Facts: []Fact{{Name: "A question took", Value: milliseconds(time.Since(began))}}}
		if account.Status != "" {
			a.Facts = append(a.Facts, Fact{Name: "Account", Value: account.Status + ", " + account.Type})
		}
		switch {
		case account.Status != "" && account.Status != "active":
			a.State, a.Text, a.Advice = Down, "Twilio has "+words(account.Status)+" the account.", "Look at the account in Twilio's console: nothing is sent until it is active."
		case account.Type == "Trial":
			a.State, a.Advice = Warning, "A trial account sends to verified numbers only: upgrade it, or verify the numbers, in Twilio's console."
		}
		return a
	}
}

// words keeps what Twilio says to the states that it documents.
func words(status string) string {
	switch status {
	case "suspended", "closed":
		return status
	default:
		return "stopped"
	}
}

// refusedBy words a refusal by its code alone: the provider's own text may name who is asking.
func refusedBy(who string, err error) Answer {
	a := Answer{State: Down, Text: who + " cannot be asked.", Advice: "The log of the worker says more."}
	var refused *channel.Error
	if !errors.As(err, &refused) {
		return a
	}
	a.Facts = []Fact{{Name: "Code", Value: refused.Code}}
	switch meaning := channel.MeaningOf(refused.Code); {
	case meaning.What != "":
		a.Text, a.Advice = meaning.What, meaning.Do
	case strings.HasPrefix(refused.Code, "twilio"):
		a.Text, a.Advice = who+" refuses us.", "Look the code up at twilio.com/docs/api/errors."
	default:
		a.Text, a.Advice = who+" refuses us.", "The code is the server's; it often means that it wants us to wait, or does not let this machine in."
	}
	return a
}
