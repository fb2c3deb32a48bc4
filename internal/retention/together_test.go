package retention_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/retention"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// deadline is when a test that waits gives up.
const deadline = 20 * time.Second

func TestSeveralSweepersDeleteEverythingOnce(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		h := history{t, db}
		h.many(100, 400)
		h.many(1, 10)
		for range 50 {
			h.failure("", 100, true)
		}
		sweepers := make([]*retention.Sweeper, 4)
		var running sync.WaitGroup
		for i := range sweepers {
			sweepers[i] = retention.New(retention.Options{DB: db, Keep: 90 * day})
			running.Go(func() {
				if err := sweepers[i].Sweep(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		running.Wait()
		var all retention.Counts
		for _, s := range sweepers {
			d := s.Deleted()
			all.Events, all.Deliveries = all.Events+d.Events, all.Deliveries+d.Deliveries
			all.Attempts, all.Errors = all.Attempts+d.Attempts, all.Errors+d.Errors
		}
		if want := (retention.Counts{Events: 400, Deliveries: 400, Attempts: 400, Errors: 50}); all != want {
			t.Errorf("together they deleted %+v, want %+v", all, want)
		}
		if left := h.left(); left != "10 10 10 0" {
			t.Errorf("%s rows are left, want 10 10 10 0", left)
		}
	})
}

func TestNoTransactionIsLarge(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		h := history{t, db}
		h.many(100, 150)
		wide := h.event(99) // one event that went to many
		deliveries := make([]*store.Delivery, 900)
		at := time.Now().UTC().Add(-99 * day)
		for i := range deliveries {
			id := idOf(99)
			deliveries[i] = &store.Delivery{ID: id, EventID: wide, NotificationID: "n", Channel: rule.SMS, Address: id, Status: store.DeliveryFailed, UpdatedAt: at}
		}
		if _, err := (store.Deliveries{}).InsertTx(db, deliveries); err != nil {
			t.Fatal(err)
		}
		stubborn := h.event(98)
		for range 4 {
			h.delivery(stubborn, 98, 90)
		}
		silent := make([]*outbox.Event, 300) // nobody was told of
		for i := range silent {
			silent[i] = settled(97)
		}
		h.create(&silent)
		steps := 0
		err := retention.EventSteps(t.Context(), db, 90*day, func(c retention.Counts) {
			steps++
			if rows := c.Events + c.Deliveries + c.Attempts; rows > retention.MostRows {
				t.Errorf("one transaction deleted %+v", c)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if left := h.left(); left != "0 0 0 0" {
			t.Errorf("%s rows are left after %d steps", left, steps)
		}
	})
}

func TestWhatSomebodyHasInHandIsPassedOver(t *testing.T) {
	t.Parallel()
	db := testdb.Postgres(t)
	h := history{t, db}
	h.many(100, 20)
	event, delivery := h.event(100), h.delivery(h.event(100), 100, 2)
	tx := db.Begin()
	defer tx.Rollback()
	for _, lock := range []string{"SELECT id FROM notify_events WHERE id = ? FOR UPDATE", "SELECT id FROM notify_deliveries WHERE id = ? FOR UPDATE"} {
		if err := tx.Exec(lock, map[bool]string{true: event, false: delivery}[strings.Contains(lock, "events")]).Error; err != nil {
			t.Fatal(err)
		}
	}
	if deleted := sweep(t, db, 90*day); deleted != (retention.Counts{Events: 20, Deliveries: 20, Attempts: 20}) {
		t.Errorf("beside the rows in hand it deleted %+v", deleted)
	}
	if left := h.left(); left != "2 1 2 0" {
		t.Errorf("%s rows are left, want those in hand, 2 1 2 0", left)
	}
	tx.Rollback()
	if deleted := sweep(t, db, 90*day); deleted != (retention.Counts{Events: 2, Deliveries: 1, Attempts: 2}) {
		t.Errorf("afterwards it deleted %+v", deleted)
	}
}

func TestASweepTouchesFewRowsHoweverLongTheHistory(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		h := history{t, db}
		h.many(1, 600)
		old := h.event(100)
		h.delivery(old, 100, 1)
		h.failure(old, 100, true)
		failures := make([]*store.ErrorEntry, 600)
		for i := range failures {
			failures[i] = &store.ErrorEntry{ID: idOf(1), CreatedAt: time.Now().UTC()}
			failures[i].DedupKey = failures[i].ID
		}
		h.create(&failures)
		h.event(0, func(e *outbox.Event) { e.Status, e.SettledAt, e.Model, e.Action = outbox.Pending, nil, "", rule.Retry })
		if db.Name() == "postgres" {
			if err := db.Exec("ANALYZE").Error; err != nil {
				t.Fatal(err)
			}
		}
		plans := testdb.Plans(t, db, func(db *gorm.DB) error {
			return retention.New(retention.Options{DB: db, Keep: 90 * day}).Sweep(t.Context())
		})
		if len(plans) < 13 {
			t.Errorf("%d statements were sent: not every one was seen", len(plans))
		}
		for _, plan := range plans {
			if plan.WholeTable(false) || plan.Unguided() {
				t.Errorf("a sweep reads a whole table:\n%s\n%s", plan.Statement, plan.Text)
			}
		}
	})
}

func TestABrokenDatabaseDelaysASweepAndNothingElse(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		h := history{t, db}
		h.many(100, 5)
		exec := func(statement string) {
			t.Helper()
			if err := db.Exec(statement).Error; err != nil {
				t.Fatal(err)
			}
		}
		exec("ALTER TABLE notify_attempts RENAME TO away")
		var log lines
		s := retention.New(retention.Options{DB: db, Keep: 90 * day, Interval: 10 * time.Millisecond, Log: slog.New(slog.NewTextHandler(&log, nil))})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { s.Run(ctx); close(ended) }()
		defer func() { stop(); <-ended }()
		await(t, "a word in the log", func() bool { return strings.Contains(log.String(), "could not all be deleted") })
		exec("ALTER TABLE away RENAME TO notify_attempts")
		await(t, "a whole sweep", func() bool { return !s.Finished().IsZero() })
		if left := h.left(); left != "0 0 0 0" {
			t.Errorf("%s rows are left", left)
		}
	})
}

func TestASweepThatTheDatabaseHoldsUpEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	db := testdb.Postgres(t)
	h := history{t, db}
	h.many(100, 1)
	tx := db.Begin()
	defer tx.Rollback()
	if err := tx.Exec("LOCK TABLE notify_events IN ACCESS EXCLUSIVE MODE").Error; err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		retention.New(retention.Options{DB: db, Keep: 90 * day, Interval: time.Millisecond}).Run(ctx)
		close(ended)
	}()
	await(t, "the sweep to wait for the lock", func() bool {
		var waiting int64
		db.Raw("SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())").Scan(&waiting)
		return waiting > 0
	})
	stop()
	select {
	case <-ended:
	case <-time.After(deadline):
		t.Fatal("the sweep did not end")
	}
}

// await polls until something is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(deadline); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// lines is a log that may be read while it is written.
type lines struct {
	sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(line []byte) (int, error) {
	l.Lock()
	defer l.Unlock()
	return l.text.Write(line)
}

func (l *lines) String() string {
	l.Lock()
	defer l.Unlock()
	return l.text.String()
}
