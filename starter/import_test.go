package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

const exported = `[
{"model": "silque_notifications.emailrecipient", "pk": 1, "fields": {"by_docfield": null, "by_email": "ann@example.com"}},
{"model": "silque_notifications.notification", "pk": 7, "fields": {"is_active": true, "channel": "E", "title": "Paid", "message": "M",
 "model": "shop ~ Order ~ order", "send_alert_on": "U", "email_recipients": [1], "number_recipients": []}}]`

// written writes a file of the test's own.
func written(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "export.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// migrated gives the URL of a database that knows orders.
func migrated(t *testing.T) string {
	t.Helper()
	url := "sqlite://" + filepath.Join(t.TempDir(), "test.db")
	db, err := store.Open(url, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close(db) }()
	if err := store.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	orders := &catalog.Model{Name: "orders", PrimaryKey: []string{"id"}, Fields: []rule.Field{{Name: "id", Type: rule.Integer}}}
	if err := catalog.Save(t.Context(), db, orders); err != nil {
		t.Fatal(err)
	}
	return url
}

func TestAnImportNeedsTheDatabaseAndNoTemporal(t *testing.T) {
	t.Parallel()
	file, url := written(t, exported), migrated(t)
	for _, step := range []struct {
		arguments, says string
		code            int
	}{
		{file + " --dry-run", "will import    7", 0},
		{file, "imported       7", 0},
		{"--dry-run " + file, "already there  7", 0},
		{file, "already there 1.", 0},
	} {
		var stdout, stderr strings.Builder
		code := run(t.Context(), strings.Fields("import "+step.arguments), []string{"DATABASE_URL=" + url, "TEMPORAL_ADDRESS=127.0.0.1:1"}, &stdout, &stderr)
		if code != step.code || !strings.Contains(stdout.String(), step.says) {
			t.Errorf("%s: exit code %d, want %d and %q; said:\n%s%s", step.arguments, code, step.code, step.says, &stdout, &stderr)
		}
	}
}

func TestTheExitCodeOfAnImportTellsAMistakeFromALoss(t *testing.T) {
	t.Parallel()
	good := written(t, exported)
	tests := []struct {
		name, arguments string
		code            int
		says            string
	}{
		{"help", "import --help", 0, "dumpdata"},
		{"no file", "import", 2, "say which file"},
		{"a bad mapping", "import " + good + " --map orders", 2, "app.Model=table"},
		{"a file that is not there", "import " + good + ".no", 1, "export.json.no"},
		{"no export", "import " + written(t, "{}"), 1, "one JSON array"},
		{"a model that is not registered", "import " + good, 1, "1 notification of 1 could not be carried over"},
		{"a dry run without a database", "import --dry-run " + good, 1, "there is no database yet"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			code, _, stderr := started(t, test.arguments)
			if code != test.code || !strings.Contains(stderr, test.says) {
				t.Errorf("exit code %d, want %d and %q; said:\n%s", code, test.code, test.says, stderr)
			}
		})
	}
}

func TestADryRunDoesNotEvenMakeTheTables(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "empty.db")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr strings.Builder
	code := run(t.Context(), []string{"import", written(t, exported), "--dry-run"}, []string{"DATABASE_URL=sqlite://" + file}, &stdout, &stderr)
	if code != 1 || !strings.Contains(stderr.String(), "start web or your application once") {
		t.Errorf("exit code %d, said:\n%s", code, &stderr)
	}
	db, err := store.Open("sqlite://"+file, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close(db) }()
	var tables int64
	if err := db.Raw("SELECT COUNT(*) FROM sqlite_master").Scan(&tables).Error; err != nil || tables != 0 {
		t.Errorf("%d tables, error %v", tables, err)
	}
}
