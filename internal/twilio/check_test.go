package twilio_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/internal/channel"
	"github.com/silquetech/silque-notifications/internal/twilio"
)

func TestCheckSignsInAndSendsNothing(t *testing.T) {
	t.Parallel()
	answer := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/Messages.json") {
			page(w, "")
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"sid": account, "status": "active", "type": "Trial", "friendly_name": "ann@example.com"})
	}
	for name, test := range map[string]struct {
		set  func(*twilio.Config)
		path string
		want twilio.Account
	}{
		"with the account's token":                   {nil, "/2010-04-01/Accounts/" + account + ".json", twilio.Account{Status: "active", Type: "Trial"}},
		"with a key, which may not read the account": {func(c *twilio.Config) { c.APIKey, c.APISecret = "SK1", "secret" }, path, twilio.Account{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, answer)
			got, err := client(t, s, test.set).Check(t.Context())
			if err != nil || got != test.want {
				t.Errorf("%+v, %v", got, err)
			}
			if asked := s.got(); len(asked) != 1 || asked[0].method != http.MethodGet || asked[0].path != test.path {
				t.Errorf("asked %+v", asked)
			}
		})
	}
}

func TestCheckSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		code   string
	}{
		"wrong credentials": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"code":20003,"message":"Authenticate","status":401}`))
		}, "twilio_20003"},
		"another server in its place": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{}`)) }, "twilio_bad_answer"},
		"an outage":                   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, "twilio_http_502"},
		"no answer":                   {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "twilio_timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, test.answer)
			_, err := client(t, s, func(c *twilio.Config) { c.Timeout = 300 * time.Millisecond }).Check(t.Context())
			var refused *channel.Error
			if !errors.As(err, &refused) || refused.Code != test.code || refused.Class == channel.Unknown {
				t.Errorf("got %v, want %s", err, test.code)
			}
		})
	}
}
