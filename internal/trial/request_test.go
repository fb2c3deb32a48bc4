package trial_test

import (
	"errors"
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/internal/address"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/trial"
)

func parse(arguments string) (trial.Request, string, error) {
	var stderr strings.Builder
	r, err := trial.Parse(strings.Fields(arguments), &stderr, address.Normalizer{DefaultRegion: "US"})
	return r, stderr.String(), err
}

func TestACommandLineBecomesARequest(t *testing.T) {
	t.Parallel()
	const patience = 10 * time.Minute
	tests := map[string]trial.Request{
		"--email --to Ann@Example.com":         {Channel: rule.Email, To: "Ann@example.com", Wait: true, Timeout: patience},
		"--sms --to +12025550123":              {Channel: rule.SMS, To: "+12025550123", Wait: true, Timeout: patience},
		"--to 2025550123 -whatsapp":            {Channel: rule.WhatsApp, To: "+12025550123", Wait: true, Timeout: patience},
		"--sms --to +12025550123 --wait=false": {Channel: rule.SMS, To: "+12025550123", Timeout: patience},
		"event --model orders --key 7":         {Model: "orders", Key: "7", Action: rule.Update, Wait: true, Timeout: patience},
		"event --model orders --key 7,de --action delete --timeout 30s": {
			Model: "orders", Key: "7,de", Action: rule.Delete, Wait: true, Timeout: 30 * time.Second},
	}
	for arguments, want := range tests {
		t.Run(arguments, func(t *testing.T) {
			t.Parallel()
			got, stderr, err := parse(arguments)
			if err != nil || got != want || stderr != "" {
				t.Errorf("got %+v, error %v, said %q; want %+v", got, err, stderr, want)
			}
		})
	}
}

func TestAMistakeIsExplained(t *testing.T) {
	t.Parallel()
	tests := []struct{ arguments, says string }{
		{"", "choose one of --email, --sms and --whatsapp"},
		{"--email --sms --to ann@example.com", "choose one of"},
		{"--email", "say where to with --to"},
		{"--email --to nobody", "--to:"},
		{"--sms --to 12", "--to:"},
		{"--sms --to ann@example.com", "--to:"},
		{"--email --to ann@example.com more", `"more" is not understood`},
		{"--email --to ann@example.com --timeout 0s", "--timeout must be more than 0"},
		{"--email --to ann@example.com --timeout soon", "timeout"},
		{"--fax", "-fax"},
		{"events --model orders", `"events" is not understood`},
		{"event", "--model and --key"},
		{"event --model orders", "--model and --key"},
		{"event --key 7", "--model and --key"},
		{"event --model orders --key 7 --action create,update", "--action must be create, update or delete"},
		{"event --model orders --key 7 --action retry", "--action must be"},
		{"event --model orders --key 7 more", `"more" is not understood`},
		{"event --model orders --key 7 --timeout -1s", "--timeout must be more than 0"},
		{"event --model orders --key 7 --email", "-email"},
	}
	for _, test := range tests {
		t.Run(test.arguments, func(t *testing.T) {
			t.Parallel()
			_, stderr, err := parse(test.arguments)
			if err == nil || errors.Is(err, flag.ErrHelp) {
				t.Errorf("the error is %v", err)
			}
			if !strings.Contains(stderr, test.says) {
				t.Errorf("said %q, want %q", stderr, test.says)
			}
			if strings.Contains(stderr, "nobody") {
				t.Errorf("repeats the address: %q", stderr)
			}
		})
	}
}

func TestHelpIsNoMistake(t *testing.T) {
	t.Parallel()
	for _, arguments := range []string{"--help", "-h", "event --help"} {
		_, stderr, err := parse(arguments)
		if !errors.Is(err, flag.ErrHelp) || !strings.Contains(stderr, "Exit code: 0 sent") || !strings.Contains(stderr, "-timeout") {
			t.Errorf("%s: error %v, said %q", arguments, err, stderr)
		}
	}
}
