package config_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/internal/config"
)

func TestAMappingIsReadAsJSON(t *testing.T) {
	t.Parallel()
	c, err := config.Load([]string{
		`NOTIFY_EMAIL_FIELDS={"customers": "email", "shop.Supplier": ["email_address", "contact.email"]}`,
		"NOTIFY_TIME_ZONE=Europe/Berlin", "NOTIFY_UNRESOLVED_TOKENS=keep", "NOTIFY_ALERT_INTERVAL=10s",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := config.Mapping{"customers": {"email"}, "shop.Supplier": {"email_address", "contact.email"}}
	if !reflect.DeepEqual(c.Rules.EmailFields, want) || c.Rules.NumberFields != nil || c.Rules.AlertInterval != 10*time.Second ||
		c.Rules.AlertCatchup != 72*time.Hour {
		t.Errorf("read %+v", c.Rules)
	}
}

func TestWrongRuleSettingsAreNamed(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{
		"NOTIFY_EMAIL_FIELDS=[]":           "NOTIFY_EMAIL_FIELDS must be a JSON object",
		`NOTIFY_NUMBER_FIELDS={"a": 1}`:    "NOTIFY_NUMBER_FIELDS must be a JSON object",
		`NOTIFY_NUMBER_FIELDS={"a": [""]}`: "NOTIFY_NUMBER_FIELDS must be a JSON object",
		`NOTIFY_NUMBER_FIELDS={"a": []}`:   "NOTIFY_NUMBER_FIELDS must be a JSON object",
		"NOTIFY_TIME_ZONE=Mars/Base":       "NOTIFY_TIME_ZONE must be a time zone",
		"NOTIFY_UNRESOLVED_TOKENS=maybe":   "NOTIFY_UNRESOLVED_TOKENS must be one of refuse, keep",
		"NOTIFY_ALERT_INTERVAL=1ms":        "NOTIFY_ALERT_INTERVAL must be 1s to 24h",
		"NOTIFY_ALERT_CATCHUP=10m":         "NOTIFY_ALERT_CATCHUP must be 1h to 720h",
	} {
		if _, err := config.Load([]string{setting}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", setting, err, want)
		}
	}
}
