package canary

import (
	"database/sql"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // to read the application's database

	"github.com/silquetech/silque-notifications/dev/apiclient"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

var quiet = slog.New(slog.DiscardHandler)

// TestSecretsAndPersonalDataStayWhereTheyBelong: personal data is in the application's database and on the console behind
// its sign-in; secrets are nowhere. On each database once, because each quotes values in its own way.
func TestSecretsAndPersonalDataStayWhereTheyBelong(t *testing.T) {
	t.Parallel()
	t.Run("on SQLite", func(t *testing.T) { // beside each other: most of the time is spent waiting for the next try
		t.Parallel()
		stayWhereTheyBelong(t, "")
	})
	t.Run("on Postgres", func(t *testing.T) {
		t.Parallel()
		stayWhereTheyBelong(t, testdb.PostgresURL(t))
	})
}

func stayWhereTheyBelong(t *testing.T, databaseURL string) {
	begun := time.Now()
	h := build(t, databaseURL)
	h.took("start", begun)
	h.live()
	both := h.person.all()
	for name, secret := range h.secrets {
		both[name] = secret
	}
	none := func(where string, content []byte, planted canaries) {
		t.Helper()
		leak(t, where, planted.found(content), content, planted)
	}
	for _, path := range []string{"/metrics", "/healthz", "/readyz", "/api/v1/openapi.json", "/sign-in"} {
		none(path, h.open(path), both)
	}
	viewer := h.browser()
	viewer.ask(http.MethodGet, "/", nil)
	viewer.send("/sign-out")
	if got := viewer.send("/sign-in", "email", h.person.address("viewer"), "password", h.secrets["password"]); got.status != http.StatusSeeOther {
		t.Fatalf("the viewer cannot sign in: %d", got.status)
	}
	h.secrets["viewer's second session"] = viewer.cookie("silque_session")
	admin := h.browser()
	for role, browser := range map[string]*browser{"a viewer": viewer, "an admin": admin} {
		begun := time.Now()
		pages := browser.visit()
		h.took("visit", begun)
		t.Logf("%s sees %d pages", role, len(pages))
		shown := ""
		for path, body := range pages {
			none("the page "+path+" as "+role+" sees it", []byte(body), h.secrets)
			shown += body
		}
		for _, seen := range []string{"address", "text", "subject"} {
			if !slices.Contains(h.person.all().found([]byte(shown)), seen) {
				t.Errorf("%s does not see the %s: this test has lost what it looks at", role, seen)
			}
		}
	}
	none("Temporal", h.inTemporal(), both)

	// Here the search is shown to find: what is planted on purpose, in each place.
	onPurpose := plant("input", "memo", "standard output", "log")
	h.plantInTemporal(onPurpose["input"], onPurpose["memo"])
	h.order("say", onPurpose["standard output"])
	h.order("log", onPurpose["log"])
	finds := func(where string, content []byte, want ...string) {
		t.Helper()
		if got := onPurpose.found(content); !slices.Equal(got, want) {
			t.Errorf("planted in %s: %v, found: %v", where, want, got)
		}
	}
	must(t, apiclient.Until(waiting(t), func() (bool, error) { // it lists a workflow a moment after its start
		return slices.Equal(onPurpose.found(h.inTemporal()), []string{"input", "memo"}), nil
	}))
	begun = time.Now()
	if err := h.stop(); err != nil {
		t.Fatalf("the stack ended with %v, and said:\n%s", err, h.lastWords())
	}
	h.took("stop", begun)
	begun = time.Now()
	defer func() { h.took("search", begun) }()

	finds("what was said", h.said.bytes(), "log", "standard output")
	none("what the processes said", h.said.bytes(), both)
	if said := string(h.said.bytes()); !strings.Contains(said, "level=DEBUG") || !strings.Contains(said, "panic") {
		t.Errorf("the log has no line of the level debug, or none about a panic: this test has lost what it looks at:\n%.5000s", said)
	}
	var all []byte
	for _, file := range h.temporalFiles() {
		all = append(all, inDatabase(t, file)...)
	}
	finds("Temporal's files", all, "input", "memo")
	none("Temporal's files", all, both)

	kept := h.application()
	none("the application's database", kept, h.secrets)
	for name := range h.person.all() {
		if slices.Contains([]string{"panic", "broken body"}, name) {
			continue // never saved
		}
		if slices.Contains([]string{"returned subject", "returned text", "inbound text"}, name) { // somebody else's, and no business of ours
			if one := (canaries{name: h.person.canaries[name]}); len(one.found(kept)) > 0 {
				leak(t, "the application's database", []string{name}, kept, one)
			}
			continue
		}
		if !slices.Contains(h.person.all().found(kept), name) {
			t.Errorf("the %s is not in the application's database: this test has lost what it looks at", name)
		}
	}
	for _, file := range h.files("") {
		none("the name of a file", []byte(file), both)
	}
}

// application gives what the application's database holds.
func (h *house) application() []byte {
	t := h.t
	t.Helper()
	if h.databaseURL == "" {
		return inDatabase(t, filepath.Join(h.data, "notifications.db"))
	}
	db, err := sql.Open("pgx", h.databaseURL)
	must(t, err)
	defer func() { _ = db.Close() }()
	return values(t, db, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
}
