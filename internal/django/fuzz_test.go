package django

import (
	"bytes"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// The bounds of what a small export may cost.
const (
	fuzzInput  = 64 << 10
	fuzzTime   = 5 * time.Second // what grows out of bounds takes far longer, and a busy machine with the race detector does not
	fuzzMemory = 64 << 20
)

// FuzzImport: whatever the file holds, nothing panics, takes long or takes much memory, and nothing reaches the terminal
// that it would obey.
func FuzzImport(f *testing.F) {
	for _, l := range layouts {
		f.Add([]byte(mixed(l).String()))
	}
	f.Add([]byte("\ufeff[]"))
	f.Add([]byte(`[{"model": "silque_notifications.notification", "pk": null, "fields": {"recipients": [null, [], {}, "x", 1e999]}}]`))
	f.Add([]byte(strings.Repeat("[", 20_000)))
	f.Add([]byte(`[{"model": "silque_notifications.notification", "pk": 1, "fields": {"email_recipients": [` + strings.Repeat("1,", 20_000) + `1]}}]`))
	f.Add([]byte(`[{"model": "silque_notifications.notification", "pk": 1, "fields": {"message": "` + strings.Repeat("doc.a ", 8_000) + `"}}]`))
	f.Fuzz(func(t *testing.T, file []byte) {
		if len(file) > fuzzInput {
			return
		}
		var spent time.Duration
		for try := 0; try == 0 || try < 3 && spent > fuzzTime; try++ { // the machine may have been busy
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			carryNowhere(t, file)
			spent = time.Since(began)
			runtime.ReadMemStats(&after)
			if taken := after.TotalAlloc - before.TotalAlloc; taken > fuzzMemory {
				t.Errorf("it took %d bytes", taken)
			}
		}
		if spent > fuzzTime {
			t.Errorf("it took %v", spent)
		}
	})
}

// carryNowhere does all of an import but the database.
func carryNowhere(t *testing.T, file []byte) {
	d, err := Read(bytes.NewReader(file))
	if err != nil {
		return
	}
	models := shop()
	translation, err := translate(d, models, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	report := &report{out: &out, dump: d, translation: translation}
	for _, i := range translation.items {
		check(i, rule.Reader{Models: models, Addresses: addresses})
		if i.digest() == "" {
			t.Error("no digest")
		}
		report.line(i, i.outcome(store.ImportNew, true), "")
	}
	report.summary()
	if strings.ContainsAny(out.String(), "\x1b\x07\r") {
		t.Errorf("it printed %q", out.String())
	}
}
