package api_test

import (
	"net/http"
	"testing"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestATestMessageGoesTheOrdinaryWayToTheNormalisedAddress(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	tests := map[string]struct{ channel, to, doc string }{
		"an email":   {"email", " ann@EXAMPLE.com ", `{"channel":"email","to":"ann@example.com"}`},
		"an SMS":     {"sms", "+1 (202) 555-0123", `{"channel":"sms","to":"+12025550123"}`},
		"a WhatsApp": {"whatsapp", "whatsapp:+12025550123", `{"channel":"whatsapp","to":"+12025550123"}`},
	}
	nudges := int32(0)
	for name, test := range tests {
		body := map[string]any{"channel": test.channel, "to": test.to}
		e := stored(t, s.db, s.call(t, http.MethodPost, "/test", body).object(t, 202)["event_id"])
		if e.Action != rule.Test || e.Model != "" || e.Key != "" || e.Source != outbox.FromAPI || string(e.Doc) != test.doc {
			t.Errorf("%s: %+v with %s", name, e, e.Doc)
		}
		if nudges++; s.nudges.Load() != nudges {
			t.Error("the relay was not nudged")
		}
	}
}

func TestATestMessageToNowhereIsRefusedByField(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	tests := map[string]struct{ channel, to, field string }{
		"no channel":          {"", "ann@example.com", "channel"},
		"an unknown channel":  {"fax", "ann@example.com", "channel"},
		"no address":          {"email", "", "to"},
		"a number for email":  {"email", "+12025550123", "to"},
		"an email for SMS":    {"sms", "ann@example.com", "to"},
		"no country":          {"whatsapp", "2025550123", "to"},
		"a header in address": {"email", "ann@example.com\nBcc: ben@example.com", "to"},
	}
	for name, test := range tests {
		_, fields := s.call(t, http.MethodPost, "/test", map[string]any{"channel": test.channel, "to": test.to}).refusal(t, 422, "invalid")
		if fields[test.field] == nil || len(fields) != 1 {
			t.Errorf("%s: fields %v, want %s", name, fields, test.field)
		}
	}
	if count(t, s.db, "notify_events") != 0 || s.nudges.Load() != 0 {
		t.Error("something was sent")
	}
}
