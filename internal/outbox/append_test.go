package outbox_test

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

// change is an event as the plugin captures one.
func change(key string) *outbox.Event {
	return &outbox.Event{
		Model: "orders", Key: key, Action: rule.Create, Doc: outbox.Snapshot(`{"id":1}`), Revision: 1, Source: outbox.FromPlugin,
	}
}

// appended writes count events, and gives their IDs in order.
func appended(t testing.TB, db *gorm.DB, count int) []string {
	t.Helper()
	events, ids := make([]*outbox.Event, count), make([]string, count)
	for i := range events {
		events[i] = change(fmt.Sprint(i))
		events[i].ID = outbox.NewID()
		ids[i] = events[i].ID
	}
	if err := outbox.Append(db, events...); err != nil {
		t.Fatal(err)
	}
	return ids
}

func stored(t testing.TB, db *gorm.DB, id string) outbox.Event {
	t.Helper()
	var e outbox.Event
	if err := db.Take(&e, "id = ?", id).Error; err != nil {
		t.Fatal(err)
	}
	return e
}

func countOf(t testing.TB, db *gorm.DB) (count int64) {
	t.Helper()
	if err := db.Model(&outbox.Event{}).Count(&count).Error; err != nil {
		t.Fatal(err)
	}
	return count
}

func TestATenantOfAnyNameKeepsNoChangeOut(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		for _, tenant := range []string{"M\xfcller", "a\x00b", "Müller\n"} {
			e := change("7")
			e.Lane = outbox.TenantLane(tenant)
			if err := outbox.Append(db, e); err != nil {
				t.Fatalf("%q: %v", tenant, err)
			}
			if got := stored(t, db, e.ID).Lane; got != e.Lane || got == "" {
				t.Errorf("%q has the lane %q", tenant, got)
			}
		}
	})
}

func TestARolledBackTransactionLeavesNoEvent(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		regret := errors.New("regret")
		err := db.Transaction(func(tx *gorm.DB) error {
			once := change("2")
			key := "key"
			once.IdempotencyKey = &key
			_, _, failed := outbox.AppendOnce(tx, once)
			if err := errors.Join(outbox.Append(tx, change("1")), failed); err != nil {
				t.Error(err)
			}
			return regret
		})
		if !errors.Is(err, regret) || countOf(t, db) != 0 {
			t.Errorf("%d events after a rollback, error %v", countOf(t, db), err)
		}
	})
}

func TestAppendFillsInWhatIsEmptyAndTakesMoreThanOneStatementHolds(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		if err := outbox.Append(db); err != nil {
			t.Errorf("appending nothing: %v", err)
		}
		if ids := appended(t, db, 1203); countOf(t, db) != int64(len(ids)) {
			t.Errorf("%d events, want %d", countOf(t, db), len(ids))
		}
		e := change("x")
		e.Status = outbox.Settled
		// The caller's clauses must not reach the outbox's statement.
		if err := outbox.Append(db.Where("id = ?", "none").Omit("model"), e); err != nil {
			t.Fatal(err)
		}
		got := stored(t, db, e.ID)
		if got.Status != outbox.Pending || got.Model != "orders" || got.CreatedAt.IsZero() || got.BatchID != nil {
			t.Errorf("stored %+v", got)
		}
	})
}

func TestOneIdempotencyKeyIsOneEventHoweverManyAskAtOnce(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		const callers = 12
		ids, fresh := make([]string, callers), make([]bool, callers)
		var all sync.WaitGroup
		for i := range callers {
			all.Go(func() {
				e, key := change(fmt.Sprint(i)), "order-7-paid"
				e.IdempotencyKey = &key
				var err error
				if ids[i], fresh[i], err = outbox.AppendOnce(db.WithContext(t.Context()), e); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		first := 0
		for i := range callers {
			if ids[i] != ids[0] || ids[i] == "" {
				t.Errorf("caller %d got event %q, caller 0 got %q", i, ids[i], ids[0])
			}
			if fresh[i] {
				first++
			}
		}
		if first != 1 || countOf(t, db) != 1 {
			t.Errorf("%d callers wrote, %d events are there; want one of each", first, countOf(t, db))
		}
	})
}

func TestWithoutAnIdempotencyKeyEveryAppendIsAnEvent(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		for range 2 {
			if _, fresh, err := outbox.AppendOnce(db, change("1")); err != nil || !fresh {
				t.Errorf("fresh %v, error %v", fresh, err)
			}
		}
		if countOf(t, db) != 2 {
			t.Errorf("%d events, want 2", countOf(t, db))
		}
	})
}

func TestASnapshotIsTextInTheDatabaseAndComesBackAsItWent(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		e := change("1")
		e.Doc, e.OldDoc = outbox.Snapshot(`{"name":"Zoë \u0001","big":12345678901234567890.10}`), nil
		if err := outbox.Append(db, e); err != nil {
			t.Fatal(err)
		}
		got := stored(t, db, e.ID)
		if string(got.Doc) != string(e.Doc) || got.OldDoc != nil || got.Decisions != nil {
			t.Errorf("doc %s, old_doc %v, decisions %v", got.Doc, got.OldDoc, got.Decisions)
		}
		kind := "typeof"
		if db.Name() == "postgres" {
			kind = "pg_typeof"
		}
		var column, name string
		if err := db.Raw("SELECT " + kind + "(doc) FROM notify_events").Scan(&column).Error; err != nil || column != "text" {
			t.Errorf("the column holds %q, error %v", column, err)
		}
		field := "json_extract(doc, '$.name')"
		if db.Name() == "postgres" {
			field = "replace(doc, '\\u0001', '')::json->>'name'"
		}
		if err := db.Raw("SELECT " + field + " FROM notify_events").Scan(&name).Error; err != nil || len(name) < 4 {
			t.Errorf("the database's own JSON functions read %q, error %v", name, err)
		}
	})
}
