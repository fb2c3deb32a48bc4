package store_test

import (
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// BenchmarkCounting is what the counts by hour cost a chunk of 50 deliveries: inserted, begun and ended, with the triggers
// and without.
func BenchmarkCounting(b *testing.B) {
	for name, open := range map[string]func(testing.TB) *gorm.DB{"SQLite": testdb.SQLite, "Postgres": testdb.Postgres} {
		for _, counted := range []bool{true, false} {
			label := name + map[bool]string{true: " counted", false: " not counted"}[counted]
			b.Run(label, func(b *testing.B) {
				db := open(b)
				if !counted {
					forgetHours(b, db)
				}
				for b.Loop() {
					chunk(b, db)
				}
			})
		}
	}
}

func forgetHours(b *testing.B, db *gorm.DB) {
	b.Helper()
	statements := []string{"ALTER TABLE notify_deliveries DISABLE TRIGGER USER"}
	if db.Name() == "sqlite" {
		statements = []string{"DROP TRIGGER notify_deliveries_count_changed", "DROP TRIGGER notify_deliveries_count_ended", "DROP TRIGGER notify_deliveries_count_new"}
	}
	for _, s := range statements {
		if err := db.Exec(s).Error; err != nil {
			b.Fatal(err)
		}
	}
}

func chunk(b *testing.B, db *gorm.DB) {
	b.Helper()
	now := time.Now().UTC()
	deliveries, begin, ended := make([]*store.Delivery, 50), make([]store.Begin, 50), make([]store.Ended, 50)
	for i := range deliveries {
		id := outbox.NewID()
		deliveries[i] = &store.Delivery{ID: id, EventID: id, NotificationID: id, Channel: rule.Email, Address: "ann@example.com", Subject: "s",
			BodyText: "Hello Ann", Status: store.DeliveryPending, CreatedAt: now, UpdatedAt: now}
		begin[i] = store.Begin{ID: id}
		ended[i] = store.Ended{Attempt: store.Attempt{DeliveryID: id, Number: 1, Outcome: "sent", StartedAt: now, FinishedAt: now}, Status: store.DeliverySent}
	}
	if _, err := (store.Deliveries{}).InsertTx(db, deliveries); err != nil {
		b.Fatal(err)
	}
	for _, step := range []struct {
		ended []store.Ended
		begin []store.Begin
	}{{nil, begin}, {ended, nil}} {
		if _, err := (store.Deliveries{DB: db}).Advance(b.Context(), step.ended, step.begin, now); err != nil {
			b.Fatal(err)
		}
	}
}
