package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// event is a row of the outbox, as far as the tests look at it.
type event struct {
	Model, Key, Action, Status string
	Doc, OldDoc                *string
}

// rig is a library on a database file of its own, with its routes served.
type rig struct {
	*library
	url string
	t   *testing.T
}

func newRig(t *testing.T) *rig {
	t.Helper()
	path := filepath.ToSlash(filepath.Join(t.TempDir(), "library.db"))
	library, err := openLibrary(t.Context(), "sqlite://"+path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(library.routes())
	t.Cleanup(func() {
		server.Close()
		if err := library.close(); err != nil {
			t.Error(err)
		}
	})
	return &rig{library: library, url: server.URL, t: t}
}

// watch puts an active notification into the database, as `go run ./web` does when it is asked to by its API: no change
// is an event unless one waits for it.
func (r *rig) watch(model, trigger string) {
	r.t.Helper()
	now := time.Now().UTC()
	insert := `INSERT INTO notify_notifications (id, title, message, active, channel, model, trigger_name,
		recipients, definition, version, created_at, updated_at)
		VALUES (?, 'title', 'message', TRUE, 'email', ?, ?, '[]', '{}', 1, ?, ?)`
	if err := r.db.Exec(insert, model+"-"+trigger, model, trigger, now, now).Error; err != nil {
		r.t.Fatal(err)
	}
	if err := r.db.Exec("UPDATE notify_revision SET revision = revision + 1").Error; err != nil {
		r.t.Fatal(err)
	}
	if err := r.plugin.Refresh(r.t.Context()); err != nil { // without it the notification counts within a second
		r.t.Fatal(err)
	}
}

// post sends JSON, and gives the answer's status and fields.
func (r *rig) post(path, body string) (status int, answer map[string]any) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		r.t.Fatal(err)
	}
	return response.StatusCode, answer
}

func (r *rig) must(want int, path, body string) map[string]any {
	r.t.Helper()
	status, answer := r.post(path, body)
	if status != want {
		r.t.Fatalf("POST %s gives %d %v, want %d", path, status, answer, want)
	}
	return answer
}

func (r *rig) events() (events []event) {
	r.t.Helper()
	err := r.db.Raw("SELECT model, key, action, status, doc, old_doc FROM notify_events ORDER BY id").Scan(&events).Error
	if err != nil {
		r.t.Fatal(err)
	}
	return events
}

func fields(t *testing.T, snapshot *string) (fields map[string]any) {
	t.Helper()
	if snapshot == nil {
		t.Fatal("the snapshot is missing")
	}
	if err := json.Unmarshal([]byte(*snapshot), &fields); err != nil {
		t.Fatal(err)
	}
	return fields
}

const oneBook = `{"title":"The Sea","author":"A Writer","copies":1}`

func TestALoanThatIsSavedIsAnEvent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.watch("loans", "new")
	r.must(http.StatusCreated, "/books", oneBook)
	loan := r.must(http.StatusCreated, "/loans", `{"book_id":1,"borrower_name":"Reader","borrower_email":"reader@example.com"}`)

	events := r.events()
	if len(events) != 1 || events[0].Model != "loans" || events[0].Action != "create" || events[0].Key != "1" ||
		events[0].Status != "pending" || events[0].OldDoc != nil {
		t.Fatalf("events are %+v, want one pending create of loan 1", events)
	}
	doc := fields(t, events[0].Doc)
	due := time.Now().UTC().AddDate(0, 0, loanDays).Format(time.DateOnly)
	if doc["borrower_email"] != "reader@example.com" || doc["book_title"] != "The Sea" || doc["due_on"] != due {
		t.Errorf("doc is %v", doc)
	}
	code, _ := loan["return_code"].(string)
	if _, there := doc["return_code"]; there || code == "" || strings.Contains(*events[0].Doc, code) {
		t.Errorf("the return code %q must be the borrower's alone, doc is %v", code, doc)
	}
}

func TestALoanThatIsRolledBackIsNoEvent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.watch("loans", "new")
	r.must(http.StatusCreated, "/books", `{"title":"The Sea","author":"A Writer","copies":0}`)
	r.must(http.StatusConflict, "/loans", `{"book_id":1,"borrower_name":"Reader","borrower_email":"reader@example.com"}`)

	if events := r.events(); len(events) != 0 {
		t.Errorf("events are %+v, want none", events)
	}
	var loans int64
	if err := r.db.Model(&Loan{}).Count(&loans).Error; err != nil || loans != 0 {
		t.Errorf("%d loans, error %v: want none", loans, err)
	}
}

func TestAReturnIsAnEventWithTheLoanBeforeAndAfterIt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.watch("loans", "value_change")
	r.must(http.StatusCreated, "/books", oneBook)
	loan := r.must(http.StatusCreated, "/loans", `{"book_id":1,"borrower_name":"Reader","borrower_email":"reader@example.com"}`)
	r.must(http.StatusNotFound, "/loans/1/return", `{"return_code":"guessed"}`)
	code, _ := loan["return_code"].(string)
	r.must(http.StatusOK, "/loans/1/return", `{"return_code":"`+code+`"}`)
	r.must(http.StatusNotFound, "/loans/1/return", `{"return_code":"`+code+`"}`)

	events := r.events()
	if len(events) != 1 || events[0].Action != "update" {
		t.Fatalf("events are %+v, want one update", events)
	}
	before, after := fields(t, events[0].OldDoc), fields(t, events[0].Doc)
	if before["returned_on"] != nil || after["returned_on"] != time.Now().UTC().Format(time.DateOnly) {
		t.Errorf("returned_on went from %v to %v", before["returned_on"], after["returned_on"])
	}
}

func TestABulkLoadIsNoEventAndASingleBookIs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.watch("books", "new")
	r.must(http.StatusCreated, "/books/import", "["+oneBook+","+oneBook+"]")
	if events := r.events(); len(events) != 0 {
		t.Fatalf("events are %+v, want none of a bulk load", events)
	}
	r.must(http.StatusCreated, "/books", oneBook)
	if events := r.events(); len(events) != 1 || events[0].Model != "books" {
		t.Errorf("events are %+v, want one of books", events)
	}
}

func TestTheCatalogHasTheLabelAndNotTheSecret(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var definition string
	if err := r.db.Raw("SELECT definition FROM notify_models WHERE name = 'loans'").Scan(&definition).Error; err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(definition, "Borrower's email") || strings.Contains(definition, "return_code") {
		t.Errorf("the catalog's entry is %s", definition)
	}
}

func TestItServesUntilItIsStopped(t *testing.T) {
	t.Parallel()
	path := filepath.ToSlash(filepath.Join(t.TempDir(), "library.db"))
	settings := map[string]string{"DATABASE_URL": "sqlite://" + path, "LIBRARY_ADDR": "127.0.0.1:0"}
	ctx, stop := context.WithCancel(t.Context())
	opened := &announcement{stop: stop}
	if err := run(ctx, func(name string) string { return settings[name] }, opened); err != nil {
		t.Error(err)
	}
}

// announcement stops the library when its log says that it is open.
type announcement struct{ stop func() }

func (a *announcement) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("The library is open")) {
		a.stop()
	}
	return len(line), nil
}

func TestAMissingDatabaseIsNamed(t *testing.T) {
	t.Parallel()
	err := run(t.Context(), func(string) string { return "" }, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "DATABASE_URL") {
		t.Errorf("error is %v, want one that names DATABASE_URL", err)
	}
}
