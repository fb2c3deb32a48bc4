package channel_test

import (
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/internal/channel"
)

func TestACodeSaysWhatHappenedAndWhatToDo(t *testing.T) {
	t.Parallel()
	for code, says := range map[string]string{
		"smtp_connect": "reached", "smtp_connection_lost": "broke off", "smtp_tls": "certificate", "smtp_timeout": "in time",
		"smtp_bad_reply": "SMTP_PORT", "smtp_busy": "SMTP_CONNECTIONS", "smtp_auth": "SMTP_PASSWORD", "smtp_auth_535": "SMTP_PASSWORD",
		"smtp_auth_unsupported": "SMTP_AUTH", "smtp_auth_unencrypted": "SMTP_TLS",
		"twilio_connect": "reached", "twilio_connection_lost": "broke off", "twilio_timeout": "in time", "twilio_bad_answer": "TWILIO_BASE_URL",
		"twilio_http_502": "status.twilio.com", "twilio_20003": "TWILIO_AUTH_TOKEN", "twilio_21610": "START", "twilio_63016": "template",
	} {
		if m := channel.MeaningOf(code); !strings.Contains(m.What+" "+m.Do, says) || m.Do == "" {
			t.Errorf("%s means %+v, want something with %q and what to do", code, m, says)
		}
	}
	for _, code := range []string{"smtp_550_5.1.1", "smtp_451", "twilio_21999", ""} {
		if m := channel.MeaningOf(code); m.What != "" {
			t.Errorf("%q, which is the provider's own, means %+v", code, m)
		}
	}
}
