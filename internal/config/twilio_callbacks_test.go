package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/internal/config"
)

func TestTwilioReportsToThePublicAddressWhereItCanReachThat(t *testing.T) {
	t.Parallel()
	account := []string{"TWILIO_ACCOUNT_SID=AC" + strings.Repeat("0", 32), "TWILIO_SMS_FROM=+12025550100"}
	token, key := "TWILIO_AUTH_TOKEN=token", []string{"TWILIO_API_KEY=SK1", "TWILIO_API_SECRET=secret"}
	const public = "NOTIFY_PUBLIC_URL=https://notify.example.com"
	for name, test := range map[string]struct {
		environ []string
		want    string
		calls   string
	}{
		"a public address":                       {append(account, token, public), "https://notify.example.com/hooks/twilio/status", "https://notify.example.com"},
		"no public address":                      {append(account, token), "", ""},
		"this machine":                           {append(account, token, "NOTIFY_PUBLIC_URL=http://127.0.0.1:8080"), "", "http://127.0.0.1:8080"},
		"a private network":                      {append(account, token, "NOTIFY_PUBLIC_URL=https://10.1.2.3"), "", "https://10.1.2.3"},
		"a host of the house":                    {append(account, token, "NOTIFY_PUBLIC_URL=https://notify.corp.internal"), "", "https://notify.corp.internal"},
		"a stand-in on this machine":             {append(account, token, "NOTIFY_PUBLIC_URL=http://127.0.0.1:8080", "TWILIO_BASE_URL=http://127.0.0.1:1"), "http://127.0.0.1:8080/hooks/twilio/status", "http://127.0.0.1:8080"},
		"an API key without the token":           {append(append(account, key...), public), "", "https://notify.example.com"},
		"an API key with the token for webhooks": {append(append(account, key...), public, "TWILIO_WEBHOOK_AUTH_TOKEN=token"), "https://notify.example.com/hooks/twilio/status", "https://notify.example.com"},
		"a tunnel":                               {append(account, token, "TWILIO_STATUS_CALLBACK=https://tunnel.example.net/hooks/twilio/status"), "https://tunnel.example.net/hooks/twilio/status", "https://tunnel.example.net"},
		"a tunnel, and again after a 503":        {append(account, token, "TWILIO_STATUS_CALLBACK=https://tunnel.example.net/hooks/twilio/status#rc=5&rp=all"), "https://tunnel.example.net/hooks/twilio/status#rc=5&rp=all", "https://tunnel.example.net"},
		"a program of somebody's own":            {append(account, token, public, "TWILIO_STATUS_CALLBACK=https://elsewhere.example.net/mine"), "https://elsewhere.example.net/mine", "https://notify.example.com"},
		"none, because somebody wants none":      {append(account, token, public, "TWILIO_STATUS_CALLBACK=none"), "", "https://notify.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := config.Load(slices.Clone(test.environ))
			if err != nil {
				t.Fatal(err)
			}
			if c.Twilio.StatusCallback != test.want {
				t.Errorf("reports go to %q, want %q", c.Twilio.StatusCallback, test.want)
			}
			if got := strings.Join(c.CallbackURLs(), " "); got != test.calls {
				t.Errorf("calls may come to %q, want %q", got, test.calls)
			}
		})
	}
	if _, err := config.Load([]string{"TWILIO_STATUS_CALLBACK=/hooks"}); err == nil || !strings.Contains(err.Error(), "TWILIO_STATUS_CALLBACK") {
		t.Errorf("an address without a host: %v", err)
	}
}
