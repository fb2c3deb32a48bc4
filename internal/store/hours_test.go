package store_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// recount counts the deliveries themselves, as the hours should have them.
func recount(t *testing.T, db *gorm.DB) map[string]int64 {
	t.Helper()
	var rows []*store.Delivery
	if err := db.Find(&rows).Error; err != nil {
		t.Fatal(err)
	}
	counts := map[string]int64{}
	for _, d := range rows {
		if d.Done() {
			counts[fmt.Sprint(d.CreatedAt.UTC().Truncate(time.Hour).Unix(), d.Channel, d.Status)]++
		}
	}
	return counts
}

// hours reads the counts as pages do.
func hours(t *testing.T, db *gorm.DB, from time.Time) map[string]int64 {
	t.Helper()
	counts, err := store.DeliveryHours{DB: db}.Since(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for _, c := range counts {
		got[fmt.Sprint(c.Hour.Unix(), c.Channel, c.Status)] = c.Count
	}
	return got
}

func same(t *testing.T, when string, got, want map[string]int64) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s the hours say %v, and the deliveries %v", when, got, want)
	}
}

func TestTheHoursCountWhatBecameOfDeliveriesWhoeverChangesThem(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		start := time.Now().UTC().Truncate(time.Hour)
		ids := make([]string, 200)
		for i := range ids {
			ids[i] = outbox.NewID()
		}
		// Several at once insert deliveries of three hours and end them, while another folds.
		var working sync.WaitGroup
		for w := range 4 {
			working.Go(func() {
				for i := w; i < len(ids); i += 4 {
					created := start.Add(-time.Duration(i%3) * time.Hour)
					d := &store.Delivery{ID: ids[i], EventID: ids[i], Channel: rule.Channels[i%2], Status: store.DeliveryPending, CreatedAt: created, UpdatedAt: created}
					if i%10 == 0 {
						d.Status = store.DeliverySuppressed // from the beginning
					}
					if _, err := (store.Deliveries{}).InsertTx(db, []*store.Delivery{d}); err != nil {
						t.Error(err)
					}
					status := []store.DeliveryStatus{store.DeliverySent, store.DeliveryFailed, store.DeliverySending}[i%7%3]
					if err := db.Exec("UPDATE notify_deliveries SET status = ? WHERE id = ? AND status = 'pending'", status, ids[i]).Error; err != nil {
						t.Error(err)
					}
				}
			})
		}
		working.Go(func() {
			for range 20 {
				if err := (store.DeliveryHours{DB: db}).Fold(t.Context(), start.Add(-24*time.Hour)); err != nil {
					t.Error(err)
				}
			}
		})
		working.Wait()
		want := recount(t, db)
		if len(want) < 6 {
			t.Fatalf("only %v", want)
		}
		same(t, "after the work", hours(t, db, start.Add(-5*time.Hour)), want)

		// Failed ones are tried again by hand, all in one statement, and arrive; one that was sent is delivered.
		for _, statement := range []string{
			"UPDATE notify_deliveries SET status = 'pending' WHERE status = 'failed'",
			"UPDATE notify_deliveries SET status = 'sent' WHERE status = 'pending'",
			"UPDATE notify_deliveries SET status = 'delivered' WHERE id = '" + ids[3] + "'",
			"UPDATE notify_deliveries SET attempts = attempts + 1",
		} {
			if err := db.Exec(statement).Error; err != nil {
				t.Fatal(err)
			}
			same(t, "after "+statement, hours(t, db, start.Add(-5*time.Hour)), recount(t, db))
		}
		if err := (store.DeliveryHours{DB: db}).Fold(t.Context(), start.Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
		got := hours(t, db, time.Time{}.Add(time.Hour))
		for key := range got {
			if strings.HasPrefix(key, fmt.Sprint(start.Add(-2*time.Hour).Unix())) {
				t.Errorf("an hour that is not kept is still there: %v", got)
			}
		}
		want = recount(t, db)
		if err := db.Exec("DELETE FROM notify_deliveries").Error; err != nil {
			t.Fatal(err)
		}
		for key, n := range hours(t, db, start.Add(-time.Hour)) {
			if want[key] != n {
				t.Errorf("deleting deliveries changed %s from %d to %d", key, want[key], n)
			}
		}
	})
}

func TestTheHoursAreReadByTheirIndex(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		for hour := range 3000 {
			if err := db.Exec("INSERT INTO notify_delivery_hours VALUES (?, 'email', 'sent', 1)", 400000+hour).Error; err != nil {
				t.Fatal(err)
			}
		}
		if db.Name() == "postgres" {
			if err := db.Exec("ANALYZE").Error; err != nil {
				t.Fatal(err)
			}
		}
		for _, plan := range testdb.Plans(t, db, func(db *gorm.DB) error {
			_, err := store.DeliveryHours{DB: db}.Since(t.Context(), time.Unix(402990*3600, 0))
			return err
		}) {
			if strings.Contains(plan.Text, "Seq Scan on notify_delivery_hours") || strings.Contains(plan.Text, "SCAN notify_delivery_hours") {
				t.Errorf("%s\n%s", plan.Statement, plan.Text)
			}
		}
	})
}
