package config

import "fmt"

// Limits are what the providers take from all workers together; zero means no limit. Each worker has limits of its own
// besides (SMTP_CONNECTIONS, TWILIO_CONCURRENCY).
type Limits struct {
	EmailPerSecond      float64 `env:"NOTIFY_EMAIL_PER_SECOND" envDefault:"0" desc:"Emails a second, by all workers together, such as 14 or 0.5; 0: no limit"`
	EmailConcurrency    int     `env:"NOTIFY_EMAIL_CONCURRENCY" envDefault:"0" desc:"Hand-overs of email at once, by all workers together; 0: no limit but each worker's own"`
	SMSPerSecond        float64 `env:"NOTIFY_SMS_PER_SECOND" envDefault:"0" desc:"The same as NOTIFY_EMAIL_PER_SECOND, for SMS"`
	SMSConcurrency      int     `env:"NOTIFY_SMS_CONCURRENCY" envDefault:"0" desc:"The same as NOTIFY_EMAIL_CONCURRENCY, for SMS"`
	WhatsAppPerSecond   float64 `env:"NOTIFY_WHATSAPP_PER_SECOND" envDefault:"0" desc:"The same as NOTIFY_EMAIL_PER_SECOND, for WhatsApp"`
	WhatsAppConcurrency int     `env:"NOTIFY_WHATSAPP_CONCURRENCY" envDefault:"0" desc:"The same as NOTIFY_EMAIL_CONCURRENCY, for WhatsApp"`
}

// The bounds of limits: a slower rate would leave each message waiting for minutes, no provider documents a faster one
// (Twilio gives a WhatsApp sender 80 a second, 400 on request), and TWILIO_CONCURRENCY has the same bound.
const (
	leastPerSecond  = 0.01
	mostPerSecond   = 10000
	mostConcurrency = 1000
)

func (l Limits) check() []error {
	var problems []error
	for _, rate := range []struct {
		name  string
		value float64
	}{
		{"NOTIFY_EMAIL_PER_SECOND", l.EmailPerSecond},
		{"NOTIFY_SMS_PER_SECOND", l.SMSPerSecond},
		{"NOTIFY_WHATSAPP_PER_SECOND", l.WhatsAppPerSecond},
	} {
		inBounds := rate.value >= leastPerSecond && rate.value <= mostPerSecond // false for NaN
		if rate.value != 0 && !inBounds {
			problems = append(problems, fmt.Errorf("%s must be 0 (no limit), or %v to %v", rate.name, leastPerSecond, mostPerSecond))
		}
	}
	for _, concurrency := range []struct {
		name  string
		value int
	}{
		{"NOTIFY_EMAIL_CONCURRENCY", l.EmailConcurrency},
		{"NOTIFY_SMS_CONCURRENCY", l.SMSConcurrency},
		{"NOTIFY_WHATSAPP_CONCURRENCY", l.WhatsAppConcurrency},
	} {
		if concurrency.value < 0 || concurrency.value > mostConcurrency {
			problems = append(problems, fmt.Errorf("%s must be 0 (no limit) to %d", concurrency.name, mostConcurrency))
		}
	}
	return problems
}
