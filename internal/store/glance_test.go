package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestWhatWaitsIsCounted(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		glance := store.Glance{DB: db}
		if w, err := glance.Waiting(t.Context()); err != nil || w.Events != 0 || w.Oldest != nil || w.More {
			t.Errorf("an empty system: %+v, %v", w, err)
		}
		old := time.Now().UTC().Add(-time.Hour).Truncate(time.Millisecond)
		if err := outbox.Append(db, &outbox.Event{ID: outbox.NewID(), CreatedAt: old}, &outbox.Event{ID: outbox.NewID()}); err != nil {
			t.Fatal(err)
		}
		var rows []*store.Delivery
		for i, status := range []store.DeliveryStatus{store.DeliveryPending, store.DeliverySending, store.DeliverySent, store.DeliveryPending} {
			id := outbox.NewID()
			rows = append(rows, &store.Delivery{ID: id, EventID: id, Channel: rule.Channels[i/3], Status: status, CreatedAt: old, UpdatedAt: old})
		}
		if _, err := (store.Deliveries{}).InsertTx(db, rows); err != nil {
			t.Fatal(err)
		}
		w, err := glance.Waiting(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if w.Events != 2 || w.Started != 0 || w.Oldest == nil || !w.Oldest.Equal(old) || w.Deliveries[rule.Email] != 2 || w.Deliveries[rule.SMS] != 1 {
			t.Errorf("waiting: %+v", w)
		}
	})
}

func TestWhatFailsMostComesFirst(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		var rows []*store.Delivery
		for i := range 60 {
			id := outbox.NewID()
			d := &store.Delivery{ID: id, EventID: id, Channel: rule.Email, Status: store.DeliveryFailed, ErrorCode: fmt.Sprint("code", i%2),
				NotificationID: []string{"a", "b", "b", ""}[i%4], Address: fmt.Sprint(i % 3), CreatedAt: time.Now(), UpdatedAt: time.Now()}
			if i >= 50 {
				d.Status = store.DeliverySent
			}
			rows = append(rows, d)
		}
		if _, err := (store.Deliveries{}).InsertTx(db, rows); err != nil {
			t.Fatal(err)
		}
		f, err := store.Glance{DB: db}.Failures(t.Context(), time.Now().Add(-time.Hour), 2)
		if err != nil {
			t.Fatal(err)
		}
		if f.Looked != 50 || f.More || len(f.Notifications) != 2 || len(f.Addresses) != 2 {
			t.Fatalf("failures: %+v", f)
		}
		if first := f.Notifications[0]; first.NotificationID != "b" || first.Count != 25 || first.LastID != rows[49].ID || first.ErrorCode != "code1" {
			t.Errorf("the first is %+v", first)
		}
		if first := f.Addresses[0]; first.Address != "1" || first.Count != 17 {
			t.Errorf("the first address is %+v", first)
		}
		later, err := store.Glance{DB: db}.Failures(t.Context(), time.Now().Add(time.Hour), 2)
		if err != nil || later.Looked != 0 {
			t.Errorf("of the future: %+v, %v", later, err)
		}
	})
}

func TestAGlanceReadsNoWholeTable(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		var rows []*store.Delivery
		events := make([]*outbox.Event, 2000)
		for i := range events {
			id := outbox.NewID()
			events[i] = &outbox.Event{ID: id, Status: outbox.Settled}
			d := &store.Delivery{ID: id, EventID: id, Channel: rule.Email, Status: store.DeliverySent, CreatedAt: time.Now(), UpdatedAt: time.Now()}
			if i%100 == 0 {
				d.Status = store.DeliveryFailed
			}
			rows = append(rows, d)
		}
		if err := outbox.Append(db, events...); err != nil {
			t.Fatal(err)
		}
		if err := db.Exec("UPDATE notify_events SET status = 'settled'").Error; err != nil {
			t.Fatal(err)
		}
		if _, err := (store.Deliveries{}).InsertTx(db, rows); err != nil {
			t.Fatal(err)
		}
		if db.Name() == "postgres" {
			if err := db.Exec("ANALYZE").Error; err != nil {
				t.Fatal(err)
			}
		}
		plans := testdb.Plans(t, db, func(db *gorm.DB) error {
			if _, err := (store.Glance{DB: db}).Waiting(t.Context()); err != nil {
				return err
			}
			_, err := store.Glance{DB: db}.Failures(t.Context(), time.Now().Add(-time.Hour), 5)
			return err
		})
		if len(plans) < 5 {
			t.Errorf("only %d statements", len(plans))
		}
		for _, plan := range plans {
			if plan.WholeTable(false) || !strings.Contains(plan.Text, "notify_") {
				t.Errorf("%s\n%s", plan.Statement, plan.Text)
			}
		}
	})
}
