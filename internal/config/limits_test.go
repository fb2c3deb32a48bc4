package config_test

import (
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/internal/config"
)

func TestLimitsAreReadAndThereAreNoneByDefault(t *testing.T) {
	t.Parallel()
	c, err := config.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Limits != (config.Limits{}) {
		t.Errorf("the defaults are %+v", c.Limits)
	}
	c, err = config.Load([]string{"NOTIFY_EMAIL_PER_SECOND=14", "NOTIFY_SMS_PER_SECOND=0.5", "NOTIFY_WHATSAPP_CONCURRENCY=20"})
	want := config.Limits{EmailPerSecond: 14, SMSPerSecond: 0.5, WhatsAppConcurrency: 20}
	if err != nil {
		t.Fatal(err)
	}
	if c.Limits != want {
		t.Errorf("read %+v", c.Limits)
	}
}

func TestWrongLimitsAreNamed(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{
		"NOTIFY_EMAIL_PER_SECOND=fast":     "NOTIFY_EMAIL_PER_SECOND must be a number such as 14 or 0.5",
		"NOTIFY_EMAIL_PER_SECOND=-1":       "NOTIFY_EMAIL_PER_SECOND must be 0 (no limit), or 0.01 to 10000",
		"NOTIFY_SMS_PER_SECOND=0.001":      "NOTIFY_SMS_PER_SECOND must be 0 (no limit), or 0.01 to 10000",
		"NOTIFY_WHATSAPP_PER_SECOND=NaN":   "NOTIFY_WHATSAPP_PER_SECOND must be 0 (no limit), or 0.01 to 10000",
		"NOTIFY_WHATSAPP_PER_SECOND=Inf":   "NOTIFY_WHATSAPP_PER_SECOND must be 0 (no limit), or 0.01 to 10000",
		"NOTIFY_EMAIL_CONCURRENCY=-1":      "NOTIFY_EMAIL_CONCURRENCY must be 0 (no limit) to 1000",
		"NOTIFY_SMS_CONCURRENCY=2.5":       "NOTIFY_SMS_CONCURRENCY must be a whole number",
		"NOTIFY_WHATSAPP_CONCURRENCY=1001": "NOTIFY_WHATSAPP_CONCURRENCY must be 0 (no limit) to 1000",
	} {
		if _, err := config.Load([]string{setting}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", setting, err, want)
		}
	}
}
