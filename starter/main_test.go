package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// started runs the starter, and gives its exit code and what it said.
func started(t *testing.T, arguments string, environ ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, complaints strings.Builder
	environ = append(environ, "DATABASE_URL=sqlite://"+filepath.Join(t.TempDir(), "test.db"), "TEMPORAL_ADDRESS=127.0.0.1:1",
		"TEMPORAL_CONFIG_FILE="+filepath.Join(t.TempDir(), "none.toml"))
	code = run(t.Context(), strings.Fields(arguments), environ, &out, &complaints)
	return code, out.String(), complaints.String()
}

func TestTheExitCodeTellsAMistakeFromAFailure(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, arguments string
		environ         []string
		code            int
		says            []string
	}{
		{"help", "--help", nil, 0, []string{"starter --email --to user@example.com"}},
		{"help for an event", "event --help", nil, 0, []string{"-action"}},
		{"nothing", "", nil, 2, []string{"choose one of"}},
		{"a bad address", "--email --to nobody", nil, 2, []string{"--to:"}},
		{"an unknown flag", "--fax", nil, 2, []string{"-fax"}},
		{"wrong settings, all named", "--email --to ann@example.com",
			[]string{"SMTP_PORT=0", "NOTIFY_RETRY_ATTEMPTS=0", "NOTIFY_LOG_FORMAT=xml", "NOTIFY_TYPO=1"}, 1,
			[]string{"SMTP_PORT", "NOTIFY_RETRY_ATTEMPTS", "NOTIFY_LOG_FORMAT", "NOTIFY_TYPO"}},
		{"a row of an unknown model", "event --model orders --key 7", nil, 1, []string{`starter: the catalog has no model "orders"`}},
		{"no Temporal", "--email --to ann@example.com --timeout 300ms", nil, 1, []string{"does Temporal run?"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			code, _, stderr := started(t, test.arguments, test.environ...)
			if code != test.code {
				t.Errorf("exit code %d, want %d; said:\n%s", code, test.code, stderr)
			}
			for _, want := range test.says {
				if !strings.Contains(stderr, want) {
					t.Errorf("%q is not in:\n%s", want, stderr)
				}
			}
		})
	}
}

func TestANationalNumberIsReadInTheSettingsCountry(t *testing.T) {
	t.Parallel()
	if code, _, stderr := started(t, "--sms --to 02079460123 --timeout 200ms", "NOTIFY_DEFAULT_REGION=GB"); code != 1 {
		t.Errorf("exit code %d; a British number is good and Temporal is away:\n%s", code, stderr)
	}
	if code, _, _ := started(t, "--sms --to 02079460123 --timeout 200ms"); code != 2 {
		t.Errorf("exit code %d; it is no number of the US", code)
	}
}

func TestADatabaseThatCannotBeOpenedIsSaid(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var out, stderr strings.Builder
	code := run(t.Context(), []string{"--email", "--to", "ann@example.com"}, []string{"DATABASE_URL=sqlite://" + file + "/x.db"}, &out, &stderr)
	if code != 1 || !strings.Contains(stderr.String(), "SQLite") {
		t.Errorf("exit code %d, said:\n%s", code, &stderr)
	}
}
