package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNotificationsGoToAFileAndBackByTheCommandLine(t *testing.T) {
	t.Parallel()
	const own = `{"silque_notifications": 1, "notifications": [{"title": "Paid", "message": "M", "channel": "email", "model": "orders",
		"trigger": "new", "active": true, "recipients": [{"address": "ann@example.com"}]}]}`
	url := migrated(t)
	file, out := written(t, own), filepath.Join(t.TempDir(), "out.json")
	for _, step := range []struct {
		arguments, says string
		code            int
	}{
		{"import " + file + " --dry-run", "new 1, changed 0", 0},
		{"import " + file, "new 1", 0},
		{"import " + file, "same 1", 0},
		{"import " + file + " --activate", "unless --overwrite", 0},
		{"import " + file + " --activate --overwrite", "differs in Active", 0},
		{"export " + out, "1 notifications written", 0},
		{"import " + out + " --activate", "same 1", 0},
		{"import " + written(t, strings.Replace(own, "orders", "gone", 1)), "invalid 1", 1},
		{"import " + written(t, `{"silque_notifications": 9}`), "", 1},
		{"export", "", 2},
		{"export --help", "", 0},
	} {
		var stdout, stderr strings.Builder
		code := run(t.Context(), strings.Fields(step.arguments), []string{"DATABASE_URL=" + url, "TEMPORAL_ADDRESS=127.0.0.1:1"}, &stdout, &stderr)
		if code != step.code || !strings.Contains(stdout.String(), step.says) {
			t.Errorf("%s: exit code %d, want %d and %q; said:\n%s%s", step.arguments, code, step.code, step.says, &stdout, &stderr)
		}
	}
	if info, err := os.Stat(out); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
}
