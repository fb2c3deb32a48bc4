package console

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/health"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// ofEachKind gives Health one part of each kind: up, down, one that hangs, and channels without settings.
func ofEachKind(t *testing.T, db *gorm.DB) func(*Config) {
	stuck := health.Probe{Name: "temporal", Title: "Temporal", Ask: func(ctx context.Context) health.Answer {
		<-ctx.Done()
		return health.Answer{State: health.Down, Text: "It does not answer."}
	}}
	worker := health.Probe{Name: "worker", Title: "Worker", Ask: func(context.Context) health.Answer {
		return health.Answer{State: health.Down, Text: "No worker takes tasks.", Advice: "Start a worker.",
			Facts: []health.Fact{{Name: "Email", Value: "seen", At: time.Now().Add(-time.Minute)}}}
	}}
	mail := health.Channel(rule.Email, func(context.Context) health.Answer {
		return health.Answer{State: health.OK, Text: "The mail server lets us in."}
	}, noPauses{})
	m := health.New(health.Database(db), stuck, worker, mail, health.Channel(rule.SMS, nil, nil), health.Channel(rule.WhatsApp, nil, nil))
	t.Cleanup(m.Stop)
	return func(c *Config) { c.Health = m }
}

type noPauses struct{}

func (noPauses) Paused(context.Context, rule.Channel) (time.Duration, error) { return 0, nil }

func TestHealthShowsEachPartAndWaitsForNone(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	v := visit(t, db, account.Editor, ofEachKind(t, db))
	page := v.page("/health") // that a part is still being asked says that nobody waited for it
	v.holds(page, "SQLite 3.", "1 part does not work", "Start a worker.", "1 minute ago", "It is being asked.",
		"The mail server lets us in.", `value="ann@example.com"`, "not configured", "TWILIO_SMS_FROM", `name="csrf_token"`)
}

func TestATestMessageGoesTheOrdinaryWayAndIsFollowed(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		nudged := 0
		v := visit(t, db, account.Editor, ofEachKind(t, db), func(c *Config) { c.Nudge = func() { nudged++ } })
		answer := v.post("/health/tests", "channel", "sms", "to", "(202) 555-0123")
		path := answer.Header().Get("Location")
		if answer.Code != http.StatusSeeOther || !strings.HasPrefix(path, "/health/tests/") || nudged != 1 {
			t.Fatalf("%d %s, nudged %d times", answer.Code, path, nudged)
		}
		id := strings.TrimPrefix(path, "/health/tests/")
		e, err := store.Events{DB: db}.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if m, ok := rule.ReadTestMessage(e.Doc); !ok || m.To != "+12025550123" || m.Channel != rule.SMS || e.Action != rule.Test || e.Source != outbox.FromConsole || e.Revision == 0 {
			t.Errorf("event %+v", e)
		}
		v.holds(v.page(path), "waits for its turn", `data-live="1"`, "SMS")

		d := &store.Delivery{EventID: id, Channel: rule.SMS, Address: "+12025550123", Status: store.DeliverySent}
		if _, err := (store.Deliveries{DB: db}).InsertTx(db, []*store.Delivery{d}); err != nil {
			t.Fatal(err)
		}
		if err := db.Exec("UPDATE notify_events SET status = 'settled' WHERE id = ?", id).Error; err != nil {
			t.Fatal(err)
		}
		page := v.page(path)
		v.holds(page, "come to its end", "/deliveries/"+d.ID)
		if strings.Contains(page, "data-live") {
			t.Error("a page of what has ended asks on")
		}
	})
}

func TestATestThatCannotGoIsExplainedWhereItWasWritten(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	v := visit(t, db, account.Editor, ofEachKind(t, db))
	answer := v.post("/health/tests", "channel", "email", "to", "<nobody>")
	if answer.Code != http.StatusUnprocessableEntity {
		t.Errorf("status %d", answer.Code)
	}
	v.holds(answer.Body.String(), `aria-invalid="true"`, "&lt;nobody&gt;", `id="wrong-email"`)
	if answer := v.post("/health/tests", "channel", "fax", "to", "1"); answer.Code != http.StatusBadRequest {
		t.Errorf("an unknown channel: %d", answer.Code)
	}
	if answer := v.get("/health/tests/" + outbox.NewID()); answer.Code != http.StatusNotFound {
		t.Errorf("a test that is none: %d", answer.Code)
	}
}

func TestAViewerSeesHealthAndSendsNothing(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	v := visit(t, db, account.Viewer, ofEachKind(t, db))
	if page := v.page("/health"); strings.Contains(page, "Send a test") || !strings.Contains(page, "An editor can send a test") {
		t.Error("a viewer is offered a test")
	}
	if answer := v.post("/health/tests", "channel", "email", "to", "ann@example.com"); answer.Code != http.StatusForbidden {
		t.Errorf("a viewer sends a test: %d", answer.Code)
	}
	var events int64
	if err := db.Table("notify_events").Count(&events).Error; err != nil || events != 0 {
		t.Errorf("%d events, %v", events, err)
	}
}

func TestLinksToTemporalAreGreyedWhenItIsDown(t *testing.T) {
	t.Parallel()
	v := visit(t, testdb.SQLite(t), account.Viewer, func(c *Config) { c.TemporalUp = func() bool { return false } })
	page := v.page("/health")
	v.holds(page, "Temporal does not answer now")
	if strings.Contains(page, `href="http://127.0.0.1:8233"`) {
		t.Error("the link leads on")
	}
}
