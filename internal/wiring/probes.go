package wiring

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/channel/email"
	"github.com/silquetech/silque-notifications/internal/config"
	"github.com/silquetech/silque-notifications/internal/health"
	"github.com/silquetech/silque-notifications/internal/pace"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/twilio"
)

// probeAnswer is how long a provider may take to answer whether it is there.
const probeAnswer = 5 * time.Second

// Probes are how the parts outside the web app's own process are asked how they are. They take the settings that the
// senders take, and never send.
func Probes(c *config.Config, db *gorm.DB, t *Temporal) []health.Probe {
	gate := pace.New(db, limits(c.Limits))
	return []health.Probe{
		health.Temporal(t, t.Namespace),
		health.Worker(t, t.Namespace, c.Notify.TaskQueue),
		health.DateAlerts(db, t.ScheduleClient(), c.Rules.AlertInterval),
		emailProbe(c.SMTP, gate),
		twilioProbe(c.Twilio, rule.SMS, c.Twilio.SMSFrom, c.Twilio.SMSMessagingServiceSID, gate),
		twilioProbe(c.Twilio, rule.WhatsApp, c.Twilio.WhatsAppFrom, c.Twilio.WhatsAppMessagingServiceSID, gate),
	}
}

func emailProbe(c config.SMTP, gate *pace.Gate) health.Probe {
	if c.Host == "" {
		return health.Channel(rule.Email, nil, gate)
	}
	facts := []health.Fact{{Name: "Server", Value: fmt.Sprintf("%s, port %d", c.Host, c.Port)}, {Name: "Encryption", Value: c.TLS}}
	c.Timeout = min(c.Timeout, probeAnswer)
	sender, err := email.New(emailConfig(c))
	if err != nil {
		return health.Channel(rule.Email, wrongSettings, gate, facts...)
	}
	return health.Channel(rule.Email, health.MailServer(sender.Check), gate, facts...)
}

func twilioProbe(c config.Twilio, channel rule.Channel, from, service string, gate *pace.Gate) health.Probe {
	if c.AccountSID == "" || from == "" && service == "" {
		return health.Channel(channel, nil, gate)
	}
	facts := []health.Fact{{Name: "Server", Value: "Twilio"}}
	if c.BaseURL != "" {
		facts[0].Value = "a stand-in for Twilio (TWILIO_BASE_URL)"
	}
	if service != "" {
		facts = append(facts, health.Fact{Name: "Sender", Value: "a Messaging Service"})
	} else {
		facts = append(facts, health.Fact{Name: "Sender", Value: from})
	}
	facts = append(facts, reports(c))
	c.Timeout = min(c.Timeout, probeAnswer)
	client, err := twilio.New(twilioConfig(c))
	if err != nil {
		return health.Channel(channel, wrongSettings, gate, facts...)
	}
	return health.Channel(channel, health.Twilio(client.Check), gate, facts...)
}

// reports says whether Twilio tells what becomes of messages.
func reports(c config.Twilio) health.Fact {
	switch {
	case c.StatusCallback != "":
		return health.Fact{Name: "Reports", Value: "to " + c.StatusCallback}
	case c.WebhookAuthToken == "":
		return health.Fact{Name: "Reports", Value: "none: they could not be proved without TWILIO_WEBHOOK_AUTH_TOKEN"}
	default:
		return health.Fact{Name: "Reports", Value: "none: that needs a NOTIFY_PUBLIC_URL that Twilio can reach, or TWILIO_STATUS_CALLBACK"}
	}
}

// wrongSettings is the answer of a channel that cannot be tried.
func wrongSettings(context.Context) health.Answer {
	return health.Answer{State: health.Down, Text: "Its settings cannot work.", Advice: "The worker names at its start what is wrong with them."}
}
