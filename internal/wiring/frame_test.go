package wiring

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/internal/config"
)

// tried runs a program that serves with the given result, and tells whether it came to that.
func tried(t *testing.T, result error, arguments string, environ ...string) (code int, stderr string, served bool) {
	t.Helper()
	var out strings.Builder
	p := Program{
		Name: "sample", About: "is a sample.",
		Addr:  func(c *config.Config) string { return c.Notify.Addr },
		Serve: func(context.Context, *config.Config, []string, io.Writer) error { served = true; return result },
	}
	code = p.Run(t.Context(), strings.Fields(arguments), environ, &out)
	return code, out.String(), served
}

func TestEveryWrongSettingIsNamedAtOnceBeforeAnythingStarts(t *testing.T) {
	t.Parallel()
	code, stderr, served := tried(t, nil, "", "SMTP_PORT=abc", "NOTIFY_RETRY_INTERVAL=soon", "NOTIFY_ADDR=x", "NOTIFY_TYPO=1",
		"TWILIO_TIMEOUT=1h", "SMTP_TLS=perhaps", "DATABASE_URL=oops")
	if code != 1 || served {
		t.Errorf("exit code %d, served %v; want 1 and nothing started", code, served)
	}
	for _, want := range []string{
		"SMTP_PORT", "NOTIFY_RETRY_INTERVAL", "NOTIFY_ADDR", "NOTIFY_TYPO", "TWILIO_TIMEOUT", "SMTP_TLS", "DATABASE_URL",
	} {
		if strings.Count(stderr, want) != 1 {
			t.Errorf("%s is named %d times, want once, in:\n%s", want, strings.Count(stderr, want), stderr)
		}
	}
}

func TestTheExitCodeSaysHowAProgramEnded(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, arguments string
		result          error
		code            int
		says            string
		served          bool
	}{
		{"a stop", "", nil, 0, "", true},
		{"a failure", "", errors.New("no luck"), 1, "sample: no luck", true},
		{"help", "--help", nil, 0, "sample is a sample.", false},
		{"an unknown flag", "--fast", nil, 2, "healthcheck", false},
		{"a word too many", "extra", nil, 2, `"extra" is not understood`, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			code, stderr, served := tried(t, test.result, test.arguments)
			if code != test.code || served != test.served || !strings.Contains(stderr, test.says) {
				t.Errorf("exit code %d, served %v, said:\n%s", code, served, stderr)
			}
		})
	}
}
