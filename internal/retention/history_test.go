package retention_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

const day = 24 * time.Hour

// idOf gives a UUIDv7 of a moment that many days ago.
func idOf(days int) string {
	id := uuid.Must(uuid.NewV7())
	ms := time.Now().Add(-time.Duration(days) * day).UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	return id.String()
}

// history writes rows that are as old as a test says.
type history struct {
	t  testing.TB
	db *gorm.DB
}

func (h history) create(row any) {
	h.t.Helper()
	if err := h.db.Create(row).Error; err != nil {
		h.t.Fatal(err)
	}
}

// settled is an event that came to its end that many days ago.
func settled(days int) *outbox.Event {
	at := time.Now().UTC().Add(-time.Duration(days) * day)
	e := &outbox.Event{
		ID: idOf(days), Model: "orders", Key: "1", Action: rule.Update, Doc: outbox.Snapshot(`{"id":1}`), Revision: 1,
		Source: outbox.FromPlugin, Status: outbox.Settled, CreatedAt: at, SettledAt: &at, ResolvedAt: &at,
	}
	e.BatchID = &e.ID
	return e
}

// event writes a settled event, changed as the test wants.
func (h history) event(days int, change ...func(e *outbox.Event)) string {
	h.t.Helper()
	e := settled(days)
	for _, c := range change {
		c(e)
	}
	h.create(e)
	return e.ID
}

// sent is a delivery that its provider took that many days ago, after so many attempts.
func sent(eventID string, days, attempts int) (*store.Delivery, []store.Attempt) {
	at := time.Now().UTC().Add(-time.Duration(days) * day)
	d := &store.Delivery{
		ID: idOf(days), EventID: eventID, NotificationID: "n", Channel: rule.Email, Status: store.DeliverySent,
		Attempts: attempts, WorkflowID: "w", CreatedAt: at, UpdatedAt: at,
	}
	d.Address = d.ID + "@example.com"
	tries := make([]store.Attempt, attempts)
	for i := range tries {
		tries[i] = store.Attempt{DeliveryID: d.ID, Number: i + 1, Outcome: "sent", StartedAt: at, FinishedAt: at}
	}
	return d, tries
}

// delivery writes a delivery that was sent, changed as the test wants.
func (h history) delivery(eventID string, days, attempts int, change ...func(d *store.Delivery)) string {
	h.t.Helper()
	d, tries := sent(eventID, days, attempts)
	for _, c := range change {
		c(d)
	}
	h.create(d)
	h.create(&tries)
	return d.ID
}

func (h history) failure(eventID string, days int, resolved bool) string {
	h.t.Helper()
	e := &store.ErrorEntry{ID: idOf(days), Code: "C", Source: "send", EventID: eventID, Resolved: resolved, CreatedAt: time.Now().UTC()}
	e.DedupKey = e.ID
	h.create(e)
	return e.ID
}

// many writes events with one delivery of one attempt each.
func (h history) many(days, count int) {
	h.t.Helper()
	var events []*outbox.Event
	var deliveries []*store.Delivery
	var attempts []store.Attempt
	for range count {
		e := settled(days)
		d, tries := sent(e.ID, days, 1)
		events, deliveries, attempts = append(events, e), append(deliveries, d), append(attempts, tries...)
	}
	h.create(&events)
	h.create(&deliveries)
	h.create(&attempts)
}

func (h history) has(table, id string) bool {
	h.t.Helper()
	return h.count(table, "id = ?", id) == 1
}

func (h history) count(table, where string, values ...any) (count int64) {
	h.t.Helper()
	if err := h.db.Table(table).Where(where, values...).Count(&count).Error; err != nil {
		h.t.Fatal(err)
	}
	return count
}

// left counts all rows, table by table.
func (h history) left() string {
	h.t.Helper()
	return fmt.Sprint(h.count("notify_events", "1=1"), h.count("notify_deliveries", "1=1"), h.count("notify_attempts", "1=1"), h.count("notify_errors", "1=1"))
}

// The machine of a web app is a year ahead of the database, by whose clock everything was written.
func TestAMachineWhoseClockIsAYearAheadDeletesNothingThatIsNotOld(t *testing.T) {
	t.Parallel()
	const year = 365
	db := testdb.Open(t, testdb.PostgresURLWithClock(t, -year*day))
	h := history{t, db}
	young, old := h.event(year+50), h.event(year+100)
	sweep(t, db, 90*day)
	if !h.has("notify_events", young) || h.has("notify_events", old) {
		t.Errorf("of 50 days there is one: %v; of 100 days: %v; want the young one alone", h.has("notify_events", young), h.has("notify_events", old))
	}
}
