package wiring

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
)

// TestTheKeyOfTemporalIsNeverTold: not in the log at its most talkative, not in an error, not by a probe; and not when it
// is written wrongly in Temporal's configuration file, where a parser would quote what it cannot read.
func TestTheKeyOfTemporalIsNeverTold(t *testing.T) {
	t.Parallel()
	const key = "the-key-of-temporal"
	folder := t.TempDir()
	file := func(content string) string {
		name := filepath.Join(folder, strings.Map(func(r rune) rune {
			if r < 'a' || r > 'z' {
				return '-'
			}
			return r
		}, content))
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return "TEMPORAL_CONFIG_FILE=" + name
	}
	none := "TEMPORAL_CONFIG_FILE=" + folder + "/none.toml"
	for what, environ := range map[string][]string{
		"a Temporal that is away":     {none, "TEMPORAL_ADDRESS=127.0.0.1:1", "TEMPORAL_API_KEY=" + key},
		"without TLS":                 {none, "TEMPORAL_ADDRESS=127.0.0.1:1", "TEMPORAL_API_KEY=" + key, "TEMPORAL_TLS=false"},
		"a certificate that is none":  {none, "TEMPORAL_API_KEY=" + key, "TEMPORAL_TLS_CLIENT_CERT_DATA=" + key, "TEMPORAL_TLS_CLIENT_KEY_DATA=" + key},
		"in a file":                   {file("[profile.default]\naddress = \"127.0.0.1:1\"\napi_key = \"" + key + "\"\n")},
		"in a file, without quotes":   {file("[profile.default]\napi_key = " + key + "\n")},
		"in a file, half a quote":     {file("[profile.default]\napi_key = \"" + key + "\nx")},
		"in a file, twice":            {file("[profile.default]\napi_key = \"" + key + "\"\napi_key = \"" + key + "\"\n")},
		"in a file, of another type":  {file("[profile.default]\napi_key = [\"" + key + "\"]\n")},
		"in a file, in a wrong place": {file("api_key = \"" + key + "\"\n[profile\n")},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			var said bytes.Buffer
			c, err := Dial(environ, slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug})))
			if err == nil {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err = c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: "w", TaskQueue: "q"}, "Workflow")
				c.Close()
			}
			if err == nil {
				t.Fatal("nothing went wrong: this test has lost what it looks at")
			}
			if strings.Contains(err.Error()+said.String(), key) {
				t.Errorf("the key is told: %v\n%s", err, said.String())
			}
		})
	}
}
