package canary

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/internal/config"
)

// canaries are what is planted, by what it is. Each is a word of letters and digits alone, so that no way of writing it
// (HTML, JSON, a URL, a header) hides it.
type canaries map[string]string

// word makes a canary of its own.
func word() string { return "zq" + strings.ToLower(rand.Text())[:22] }

func plant(names ...string) canaries {
	planted := canaries{}
	for _, name := range names {
		planted[name] = word()
	}
	return planted
}

// secretSettings has a value with a canary for each setting that is a secret: a new one without a value fails the test.
// The canary of DATABASE_URL is its password, which the test's Postgres does not ask for.
func secretSettings(t *testing.T, databaseURL string) (secrets canaries, environ []string) {
	t.Helper()
	secrets = canaries{}
	for _, setting := range config.Settings() {
		if !setting.Secret || setting.Name == "DATABASE_URL" && databaseURL == "" {
			continue
		}
		canary := word()
		value := canary
		switch setting.Name {
		case "DATABASE_URL":
			value = databaseURL + "&password=" + canary
		case "SMTP_PASSWORD", "TWILIO_AUTH_TOKEN", "TWILIO_API_SECRET", "NOTIFY_API_TOKEN", "NOTIFY_OIDC_CLIENT_SECRET", "NOTIFY_HOOK_SECRET", "TWILIO_WEBHOOK_AUTH_TOKEN":
		default:
			t.Errorf("%s is a secret that this test does not let the stack use: say here what its value looks like", setting.Name)
		}
		secrets[setting.Name] = canary
		environ = append(environ, setting.Name+"="+value)
	}
	return secrets, environ
}

// personal is who the messages are about, and what they say.
type personal struct {
	canaries
	// number is a phone number of a fictional range whose digits stand nowhere else.
	number string
}

func somebody() personal {
	return personal{
		canaries: plant("address", "name", "text", "subject", "html", "list entry", "row key", "file name", "condition", "broken body", "panic",
			"file text", "link token", "diagnostic", "returned subject", "returned text", "inbound text"),
		number: fmt.Sprintf("+1202555%s", "0143"),
	}
}

func (p personal) address(outcome string) string {
	return outcome + "." + p.canaries["address"] + "@example.com"
}

// all are the words to search for.
func (p personal) all() canaries {
	all := canaries{"number": strings.TrimPrefix(p.number, "+1")}
	for name, canary := range p.canaries {
		all[name] = canary
	}
	return all
}
