package store_test

import (
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestTheLastDeliveriesOfNotificationsAreCountedWithoutReadingTheHistory(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		history(t, db)
		for i := range 2*store.LatelyLimit + 3 {
			insert(t, db, planned(func(d *store.Delivery) {
				d.EventID, d.NotificationID, d.Status = outbox.NewID(), "n", []store.DeliveryStatus{"sent", "delivered", "failed", "pending"}[min(3, i%4)]
			}))
		}
		s := store.Deliveries{DB: db}
		lately, err := s.Lately(t.Context(), []string{"n", "none"})
		if l := lately["n"]; err != nil || l.Sent != 10 || l.Failed != 5 || l.Other != 5 || len(lately) != 1 {
			t.Errorf("%+v, %v", lately, err)
		}
		for _, plan := range testdb.Plans(t, db, func(db *gorm.DB) error {
			_, err := store.Deliveries{DB: db}.Lately(t.Context(), []string{"n", "m"})
			return err
		}) {
			if plan.WholeTable(false) && !strings.Contains(plan.Text, "notify_deliveries_notification") {
				t.Errorf("%s\n%s", plan.Statement, plan.Text)
			}
		}
	})
}
