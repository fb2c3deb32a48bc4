package retry_test

import (
	"context"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/audit"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/retry"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

// ann asks in the console.
var ann = retry.By{Actor: "ann@example.com", Source: outbox.FromConsole}

// failed writes count failed deliveries, every second one of which is in doubt.
func failed(t *testing.T, db *gorm.DB, count int) []string {
	t.Helper()
	deliveries, ids := make([]*store.Delivery, count), make([]string, count)
	now := time.Now().UTC()
	for i := range deliveries {
		ids[i] = outbox.NewID()
		deliveries[i] = &store.Delivery{
			ID: ids[i], EventID: outbox.NewID(), NotificationID: outbox.NewID(), Channel: rule.SMS, Address: "+12025550123",
			Status: store.Retryable[i%2], CreatedAt: now, UpdatedAt: now,
		}
	}
	if _, err := (store.Deliveries{}).InsertTx(db, deliveries); err != nil {
		t.Fatal(err)
	}
	return ids
}

func asked(t *testing.T, db *gorm.DB) (count int64) {
	t.Helper()
	if err := db.Model(&outbox.Event{}).Where("action = ? AND source = ?", rule.Retry, outbox.FromConsole).Count(&count).Error; err != nil {
		t.Fatal(err)
	}
	return count
}

func steps(t *testing.T, r retry.Retries, count int) {
	t.Helper()
	for range count {
		if _, err := r.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func begun(t *testing.T, r retry.Retries) *retry.Bulk {
	t.Helper()
	b, err := r.Begin(t.Context(), store.DeliveryFilter{Channel: "sms"}, ann)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func now(t *testing.T, r retry.Retries, id string) *retry.Bulk {
	t.Helper()
	b, err := r.Bulk(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestABulkRetryTakesEachDeliveryOnceHoweverManyProcessesStep(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r := retry.Retries{DB: db}
		failed(t, db, 1030)
		b := begun(t, r)
		failed(t, db, 3) // later than the question
		var processes sync.WaitGroup
		for range 3 {
			processes.Go(func() { steps(t, r, 8) })
		}
		processes.Wait()
		steps(t, r, 8)
		if b = now(t, r, b.ID); b.Status != retry.Ended || b.Accepted != 1030 || b.Done() != 1030 || b.Total != 1030 || b.EndedAt == nil || asked(t, db) != 1030 {
			t.Errorf("the bulk retry is %+v, %d were asked for", b, asked(t, db))
		}
		if worked, err := r.Step(t.Context()); err != nil || worked {
			t.Errorf("there is something to do after the end: %v %v", worked, err)
		}
	})
}

// A worker whose clock is ahead has given IDs that the web app's clock comes to in hours only.
func TestABulkRetryTakesWhatAClockThatIsAheadHasMade(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		for _, id := range failed(t, db, 4) {
			ahead := outbox.FirstID(time.Now().Add(3*time.Hour)) + id[13:]
			if err := db.Model(&store.Delivery{}).Where("id = ?", id).Update("id", ahead).Error; err != nil {
				t.Fatal(err)
			}
		}
		r := retry.Retries{DB: db}
		b := begun(t, r)
		steps(t, r, 3)
		if b = now(t, r, b.ID); b.Status != retry.Ended || b.Total != 4 || b.Accepted != 4 {
			t.Errorf("%+v, want four deliveries asked for", b)
		}
	})
}

func TestAStoppedBulkRetryAsksForNothingMore(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r := retry.Retries{DB: db}
		failed(t, db, 500)
		b := begun(t, r)
		steps(t, r, 1)
		if err := r.Stop(t.Context(), b.ID, ann); err != nil {
			t.Fatal(err)
		}
		before := asked(t, db)
		steps(t, r, 3)
		if b = now(t, r, b.ID); b.Status != retry.Stopped || before == 0 || before != asked(t, db) || b.Accepted != before {
			t.Errorf("%+v: %d before, %d after", b, before, asked(t, db))
		}
		if running, err := r.Running(t.Context()); err != nil || len(running) != 0 {
			t.Errorf("still running: %v %v", running, err)
		}
	})
}

func TestABulkRetryGoesOnInWhateverProcessRuns(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	nudged := make(chan struct{}, 100)
	r := retry.Retries{DB: db, Nudge: func() { nudged <- struct{}{} }}
	failed(t, db, 10)
	b := begun(t, r)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	go r.Run(ctx)
	select {
	case <-nudged:
	case <-ctx.Done():
	}
	if b = now(t, r, b.ID); b.Accepted != 10 {
		t.Errorf("%+v", b)
	}
}

func TestABulkRetryThatCannotGoOnHoldsNoOtherUp(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r := retry.Retries{DB: db}
		failed(t, db, 3)
		stuck := begun(t, r)
		if err := db.Exec("UPDATE notify_bulk_retries SET filter = 'none' WHERE id = ?", stuck.ID).Error; err != nil {
			t.Fatal(err)
		}
		b := begun(t, r)
		if _, err := r.Step(t.Context()); err == nil {
			t.Error("nobody hears of the step that failed")
		}
		if _, err := r.Step(t.Context()); err != nil {
			t.Error(err)
		}
		if b = now(t, r, b.ID); b.Status != retry.Ended || b.Accepted != 3 {
			t.Errorf("the other one: %+v", b)
		}
	})
}

func TestWhoAskedForARetryIsKept(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r := retry.Retries{DB: db}
		ids := failed(t, db, 4)
		for _, some := range [][]string{ids[:1], ids[:1], ids[1:3]} { // the second asks for nothing new
			if _, err := r.Deliveries(t.Context(), some, ann); err != nil {
				t.Fatal(err)
			}
		}
		begun(t, r)
		records, _, err := audit.List(t.Context(), db, audit.Filter{Actor: "ann@example.com", Action: "delivery.retried"}, "", 0)
		if err != nil || len(records) != 3 {
			t.Fatalf("%+v %v", records, err)
		}
		if records[2].TargetID != ids[0] || records[1].Detail != "2 deliveries" || records[0].Detail != "all that a filter matches" {
			t.Errorf("%+v", records)
		}
	})
}

func TestNothingIsRetriedThatItsAddressDoesNotWant(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		ctx, r := t.Context(), retry.Retries{DB: db}
		ids := failed(t, db, 3)
		suppressed, expired := ids[0], ids[1]
		for id, code := range map[string]string{suppressed: "suppressed_stop", expired: store.ExpiredCode} {
			err := db.Model(&store.Delivery{}).Where("id = ?", id).
				Updates(map[string]any{"status": store.DeliverySuppressed, "error_code": code}).Error
			if err != nil {
				t.Fatal(err)
			}
		}
		stop := &store.Suppression{Channel: rule.SMS, Address: "+12025550123", Reason: store.SuppressedStop}
		if _, err := (store.Suppressions{DB: db}).Add(ctx, stop); err != nil {
			t.Fatal(err)
		}
		result, err := r.Deliveries(ctx, ids, ann)
		want := []retry.Skipped{{suppressed, retry.ReasonSuppressed}, {expired, retry.ReasonNotFailed}, {ids[2], retry.ReasonSuppressed}}
		if err != nil || !slices.Equal(result.Skipped, want) || asked(t, db) != 0 {
			t.Fatalf("passed over %v, %v; want %v", result.Skipped, err, want)
		}
		if _, err := (store.Suppressions{DB: db}).Remove(ctx, stop.ID, "ann@example.com"); err != nil {
			t.Fatal(err)
		}
		result, err = r.Deliveries(ctx, ids, ann)
		if want := []retry.Skipped{{expired, retry.ReasonNotFailed}}; err != nil || !slices.Equal(result.Skipped, want) || asked(t, db) != 2 {
			t.Errorf("once it is lifted: passed over %v, %v; want %v", result.Skipped, err, want)
		}
	})
}
