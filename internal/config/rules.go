package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Rules are what an operator decides about all notifications.
type Rules struct {
	TimeZone         string        `env:"NOTIFY_TIME_ZONE" envDefault:"UTC" desc:"Where days begin and times are read for notifications that name no time zone: a name such as Europe/Berlin"`
	EmailFields      Mapping       `env:"NOTIFY_EMAIL_FIELDS" desc:"Which fields of a related row hold its email address, by model, as JSON: {\"customers\": \"email\", \"shop.Supplier\": [\"email_address\", \"contact.email\"]}; of several, the first usable one counts"`
	NumberFields     Mapping       `env:"NOTIFY_NUMBER_FIELDS" desc:"The same for SMS and WhatsApp numbers"`
	UnresolvedTokens string        `env:"NOTIFY_UNRESOLVED_TOKENS" envDefault:"refuse" desc:"Placeholders that name nothing: refuse when the notification is saved, or keep them as they are written"`
	AlertInterval    time.Duration `env:"NOTIFY_ALERT_INTERVAL" envDefault:"5m" desc:"How often the dates of each date alert are looked at, besides its own time of day; 1s to 24h"`
	AlertCatchup     time.Duration `env:"NOTIFY_ALERT_CATCHUP" envDefault:"72h" desc:"How far back a look goes: alerts that fell due while nothing ran are made up for within it; 1h to 720h"`
}

// Mapping names fields by model, as JSON: a text is one field, a list several in the order of priority.
type Mapping map[string][]string

var errMapping = errors.New(`not a JSON object such as {"customers": "email", "suppliers": ["email_address", "contact.email"]}`)

// UnmarshalText reads the JSON.
func (m *Mapping) UnmarshalText(text []byte) error {
	var models map[string]json.RawMessage
	if len(strings.TrimSpace(string(text))) == 0 {
		*m = nil
		return nil
	}
	if json.Unmarshal(text, &models) != nil {
		return errMapping
	}
	read := make(Mapping, len(models))
	for model, raw := range models {
		var one string
		var several []string
		if json.Unmarshal(raw, &one) == nil {
			several = []string{one}
		} else if json.Unmarshal(raw, &several) != nil {
			return errMapping
		}
		for _, field := range several {
			if strings.TrimSpace(field) == "" {
				return errMapping
			}
		}
		if len(several) == 0 || model == "" {
			return errMapping
		}
		read[model] = several
	}
	*m = read
	return nil
}

func (r Rules) check() []error {
	var problems []error
	if _, err := time.LoadLocation(r.TimeZone); err != nil || r.TimeZone == "" || r.TimeZone == "Local" {
		problems = append(problems, errors.New("NOTIFY_TIME_ZONE must be a time zone such as Europe/Berlin or UTC"))
	}
	if r.UnresolvedTokens != "refuse" && r.UnresolvedTokens != "keep" {
		problems = append(problems, errors.New("NOTIFY_UNRESOLVED_TOKENS must be one of refuse, keep"))
	}
	between := func(name string, value, least, most time.Duration) {
		if value < least || value > most {
			problems = append(problems, fmt.Errorf("%s must be %s to %s", name, short(least), short(most)))
		}
	}
	between("NOTIFY_ALERT_INTERVAL", r.AlertInterval, time.Second, 24*time.Hour)
	between("NOTIFY_ALERT_CATCHUP", r.AlertCatchup, time.Hour, 720*time.Hour)
	return problems
}

// short writes a duration without its zeros: 24h instead of 24h0m0s.
func short(d time.Duration) string {
	return strings.TrimSuffix(strings.TrimSuffix(d.String(), "0s"), "0m")
}
