package config

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"

	"github.com/silquetech/silque-notifications/internal/twilio"
)

// noCallback is the value of TWILIO_STATUS_CALLBACK for no reports.
const noCallback = "none"

// fillCallbacks fills in where Twilio reports to, and what its reports are proved with, where no setting says so.
func (c *Config) fillCallbacks() {
	t := &c.Twilio
	if t.WebhookAuthToken == "" {
		t.WebhookAuthToken = t.AuthToken
	}
	switch {
	case t.StatusCallback == noCallback:
		t.StatusCallback = ""
	case t.StatusCallback != "", t.AccountSID == "", t.WebhookAuthToken == "":
	case t.BaseURL != "" || reachable(c.Access.PublicURL):
		if c.Access.PublicURL != "" {
			t.StatusCallback = c.Access.PublicURL + twilio.StatusPath
		}
	}
}

// CallbackURLs are the addresses, without a path, under which Twilio may call the web app.
func (c *Config) CallbackURLs() []string {
	var bases []string
	if c.Access.PublicURL != "" {
		bases = append(bases, c.Access.PublicURL)
	}
	address, _, _ := strings.Cut(c.Twilio.StatusCallback, "#")
	if base, ours := strings.CutSuffix(address, twilio.StatusPath); ours && base != c.Access.PublicURL {
		bases = append(bases, base)
	}
	return bases
}

// reachable says whether Twilio can reach an address at all. It refuses messages whose reports are to go to another one
// (error 21609), so a console that is for the house alone must not cost the messages.
func reachable(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	host := strings.ToLower(u.Hostname())
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsGlobalUnicast() && !ip.IsPrivate()
	}
	for _, inside := range []string{".local", ".localhost", ".internal", ".lan", ".test", ".home.arpa"} {
		if strings.HasSuffix(host, inside) {
			return false
		}
	}
	return strings.Contains(host, ".")
}

func (t Twilio) checkCallback() []error {
	// What follows # tells Twilio how often to call (twilio.com/docs/usage/webhooks/webhooks-connection-overrides).
	address, _, _ := strings.Cut(t.StatusCallback, "#")
	if _, ok := webAddress(address); t.StatusCallback != "" && !ok {
		return []error{errors.New("TWILIO_STATUS_CALLBACK must look like https://notify.example.com" + twilio.StatusPath + ", or be none")}
	}
	return nil
}
