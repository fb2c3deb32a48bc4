package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/internal/config"
)

func TestWithoutAnySettingTheDefaultsHold(t *testing.T) {
	t.Parallel()
	c, err := config.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Notify.RetryAttempts != 3 || c.Notify.RetryInterval != time.Minute {
		t.Errorf("retry profile is %d attempts %s apart, want 3 and 1m", c.Notify.RetryAttempts, c.Notify.RetryInterval)
	}
	if !strings.HasPrefix(c.DatabaseURL, "sqlite://") {
		t.Errorf("database is %s, want a SQLite file", c.DatabaseURL)
	}
}

func TestTheWorkersHealthAddressCanBeNowhere(t *testing.T) {
	t.Parallel()
	c, err := config.Load([]string{"NOTIFY_HEALTH_ADDR="})
	if err != nil || c.Notify.HealthAddr != "" {
		t.Errorf("the address is %q, error %v; want none", c.Notify.HealthAddr, err)
	}
}

func TestEveryWrongSettingIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		environ []string
		want    []string
	}{
		{"values that cannot be read", []string{"SMTP_TIMEOUT=soon", "NOTIFY_RETRY_ATTEMPTS=three", "TWILIO_TIMEOUT=x"},
			[]string{"SMTP_TIMEOUT", "NOTIFY_RETRY_ATTEMPTS", "TWILIO_TIMEOUT"}},
		{"values out of range", []string{"SMTP_PORT=0", "NOTIFY_RETRY_INTERVAL=0s", "SMTP_TLS=perhaps", "NOTIFY_API_TOKEN=short", "NOTIFY_DEFAULT_REGION=usa"},
			[]string{"SMTP_PORT", "NOTIFY_RETRY_INTERVAL", "SMTP_TLS", "NOTIFY_API_TOKEN", "NOTIFY_DEFAULT_REGION"}},
		{"a retention that is too short", []string{"NOTIFY_RETENTION=23h"}, []string{"NOTIFY_RETENTION must be 0 (for ever), or 24h or more"}},
		{"a retention that is negative", []string{"NOTIFY_RETENTION=-1h"}, []string{"NOTIFY_RETENTION must be 0 (for ever), or 24h or more"}},
		{"settings that need each other", []string{"SMTP_HOST=mail", "TWILIO_ACCOUNT_SID=AC1"},
			[]string{"SMTP_FROM", "TWILIO_AUTH_TOKEN", "TWILIO_SMS_FROM"}},
		{"a misspelt name", []string{"NOTIFY_RETRY_INTERVALL=1s"}, []string{"NOTIFY_RETRY_INTERVALL is no setting"}},
		{"an unknown database", []string{"DATABASE_URL=mysql://x"}, []string{"DATABASE_URL"}},
		{"a file that is not there", []string{"SMTP_PASSWORD_FILE=/nonexistent/file"}, []string{"SMTP_PASSWORD_FILE"}},
		{"a value beside its file", []string{"SMTP_PASSWORD=a", "SMTP_PASSWORD_FILE=/nonexistent/file"}, []string{"keep one"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Load(test.environ)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not named in:\n%v", want, err)
				}
			}
		})
	}
}

func TestASecretIsReadFromItsFileAndNeverShown(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("a-token-of-some-length\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load([]string{"NOTIFY_API_TOKEN_FILE=" + file})
	if err != nil {
		t.Fatal(err)
	}
	if c.Notify.APIToken != "a-token-of-some-length" {
		t.Errorf("token read as %q", c.Notify.APIToken)
	}
	_, err = config.Load([]string{"DATABASE_URL=oops://user:hunter2@host/db", "SMTP_PASSWORD=hunter2", "SMTP_PORT=hunter2"})
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error shows a value: %v", err)
	}
}

func TestTheRetentionIsNinetyDaysAndCanBeSwitchedOff(t *testing.T) {
	t.Parallel()
	for environ, want := range map[string]time.Duration{"": 90 * 24 * time.Hour, "NOTIFY_RETENTION=0": 0, "NOTIFY_RETENTION=24h": 24 * time.Hour} {
		c, err := config.Load([]string{environ})
		if err != nil || c.Notify.Retention != want {
			t.Errorf("%q: %v, %v", environ, c, err)
		}
	}
}

func TestForeignVariablesAreLeftAlone(t *testing.T) {
	t.Parallel()
	if _, err := config.Load([]string{"NOTIFY_SOCKET=/run/systemd/notify", "PATH=/bin", "SMTP_OTHER=1"}); err != nil {
		t.Fatal(err)
	}
}
