// Package twilio speaks to Twilio's Messages API, or to a stand-in for it, on behalf of the SMS and WhatsApp channels.
// It is twilio-go underneath, with what that library leaves out: contexts, another base address, Retry-After, and errors
// that say whether the message may have been taken.
package twilio

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// DefaultTimeout is how long one hand-over may take.
const DefaultTimeout = 20 * time.Second

// StatusPath is where the web app takes what Twilio reports of messages: the path of a StatusCallback of ours.
const StatusPath = "/hooks/twilio/status"

// Config says which account sends, and where the API is.
type Config struct {
	// AccountSID is the account: AC and 32 hexadecimal digits.
	AccountSID string
	// AuthToken is the account's primary token. It may be left out when there is an API key.
	AuthToken string
	// APIKey (SK…) and APISecret sign in instead of AuthToken; a key can be revoked alone.
	APIKey, APISecret string
	// BaseURL replaces https://api.twilio.com: scheme, host and, if need be, the beginning of the path.
	BaseURL string
	// Edge and Region pick one of Twilio's data centres, such as dublin and ie1. They do not apply to BaseURL.
	Edge, Region string
	// StatusCallback is the public address to which Twilio reports what becomes of each message; empty means no
	// reports. The query parameter "delivery" with the delivery ID is added to it.
	StatusCallback string
	// Timeout bounds one Create, and three times one Find; 0 means DefaultTimeout. Callers allow a Find and a Create
	// together at least Timeout: see Client.Create.
	Timeout time.Duration
	// Now is the clock by which callers say since when a message is sought (see FindParams); nil means time.Now.
	Now func() time.Time
	// Transport carries the requests; nil means http.DefaultTransport.
	Transport http.RoundTripper
}

var (
	accountSID = regexp.MustCompile(`^AC[0-9a-fA-F]{32}$`)
	// twilio-go itself refuses credentials with other characters, on every request.
	credential = regexp.MustCompile(`^[0-9a-zA-Z]+$`)
	place      = regexp.MustCompile(`^[0-9a-z-]*$`)
)

// check names everything that is wrong, without repeating secrets.
func (c Config) check() error {
	var errs []error
	wrong := func(text string) { errs = append(errs, errors.New("twilio: "+text)) }
	if !accountSID.MatchString(c.AccountSID) {
		wrong("AccountSID must be AC and 32 hexadecimal digits")
	}
	switch {
	case c.APIKey == "" && c.APISecret == "" && c.AuthToken == "":
		wrong("set AuthToken, or APIKey and APISecret")
	case (c.APIKey == "") != (c.APISecret == ""):
		wrong("APIKey and APISecret belong together")
	}
	for name, value := range map[string]string{"AuthToken": c.AuthToken, "APIKey": c.APIKey, "APISecret": c.APISecret} {
		if value != "" && !credential.MatchString(value) {
			wrong(name + " must be made of letters and digits")
		}
	}
	if c.APIKey != "" && !strings.HasPrefix(c.APIKey, "SK") {
		wrong("APIKey must begin with SK")
	}
	if c.BaseURL != "" && !webAddress(c.BaseURL) {
		wrong("BaseURL must be an http or https address without query")
	}
	if u, err := url.Parse(c.StatusCallback); c.StatusCallback != "" && (err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https")) {
		wrong("StatusCallback must be an http or https address")
	}
	if !place.MatchString(c.Edge) || !place.MatchString(c.Region) {
		wrong("Edge and Region must be names such as dublin and ie1")
	}
	if c.Timeout < 0 {
		wrong("Timeout must not be negative")
	}
	return errors.Join(errs...)
}

func webAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.RawQuery == "" && u.Fragment == "" && u.User == nil
}

// credentials are what a request signs in with.
func (c Config) credentials() (user, secret string) {
	if c.APIKey != "" {
		return c.APIKey, c.APISecret
	}
	return c.AccountSID, c.AuthToken
}
