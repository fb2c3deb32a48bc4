package email_test

import (
	"strings"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/internal/channel/email"
)

func TestNewNamesEveryWrongSettingAtOnce(t *testing.T) {
	t.Parallel()
	_, err := email.New(email.Config{
		Host: "https://mail", Port: 70000, Username: "u", AuthMethod: "ntlm", TLS: "ssl", From: "nobody",
		ReplyTo: "a@b, c@d", HELO: "two words", Timeout: -1, MaxConnections: -1,
	})
	if err == nil {
		t.Fatal("New took settings that are all wrong")
	}
	for _, want := range []string{"Host", "Port", "Password", "AuthMethod", "TLS", "From", "ReplyTo", "HELO", "Timeout", "MaxConnections"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not name %s:\n%v", want, err)
		}
	}
}

func TestNewRefusesASettingThatCannotWork(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(c *email.Config){
		"no host":                     func(c *email.Config) { c.Host = "" },
		"no sender":                   func(c *email.Config) { c.From = "" },
		"a line break in the sender":  func(c *email.Config) { c.From = "Silque <no-reply@example.com>\r\nBcc: eve@example.com" },
		"a line break in HELO":        func(c *email.Config) { c.HELO = "client\r\nQUIT" },
		"a method without a user":     func(c *email.Config) { c.AuthMethod = email.AuthPlain },
		"a user without a password":   func(c *email.Config) { c.Username = "u" },
		"a password without a user":   func(c *email.Config) { c.Password = "p" },
		"a user who must not sign in": func(c *email.Config) { c.Username, c.Password, c.AuthMethod = "u", "p", email.AuthNone },
		"a password in the clear to a stranger": func(c *email.Config) {
			c.Username, c.Password, c.AuthMethod, c.TLS = "u", "p", email.AuthLogin, email.TLSNone
		},
		"a negative idle time": func(c *email.Config) { c.IdleTimeout = -time.Second },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := email.Config{Host: "mail.example.com", From: "no-reply@example.com"}
			change(&cfg)
			if _, err := email.New(cfg); err == nil {
				t.Error("New took it")
			}
		})
	}
}

func TestNewTakesTheSmallestSettings(t *testing.T) {
	t.Parallel()
	if _, err := email.New(email.Config{Host: "mail.example.com", From: "Silque <no-reply@bücher.example>"}); err != nil {
		t.Error(err)
	}
}
