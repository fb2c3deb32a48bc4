package twilio_test

import (
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/internal/twilio"
)

func TestNewNamesEveryWrongSettingAtOnce(t *testing.T) {
	t.Parallel()
	_, err := twilio.New(twilio.Config{
		AccountSID: "AC1", AuthToken: "se-cret", APIKey: "XX1", BaseURL: "api.twilio.com", Edge: "a/b",
		StatusCallback: "/hooks", Timeout: -1,
	})
	if err == nil {
		t.Fatal("New took settings that are all wrong")
	}
	for _, want := range []string{"AccountSID", "AuthToken", "APISecret", "APIKey must begin", "BaseURL", "StatusCallback", "Edge", "Timeout"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not name %s:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "se-cret") {
		t.Error("the error tells a secret")
	}
}

func TestNewWantsSomethingToSignInWith(t *testing.T) {
	t.Parallel()
	if _, err := twilio.New(twilio.Config{AccountSID: account}); err == nil {
		t.Error("New took an account without credentials")
	}
	for name, cfg := range map[string]twilio.Config{
		"a token":          {AccountSID: account, AuthToken: token},
		"an API key":       {AccountSID: account, APIKey: "SK1", APISecret: "s"},
		"both":             {AccountSID: account, AuthToken: token, APIKey: "SK1", APISecret: "s"},
		"another base URL": {AccountSID: account, AuthToken: token, BaseURL: "http://127.0.0.1:8080/sandbox/twilio"},
	} {
		if _, err := twilio.New(cfg); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
