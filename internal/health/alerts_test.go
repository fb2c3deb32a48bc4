package health_test

import (
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/health"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestADateAlertWithoutItsScheduleIsNamed(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		probe := health.DateAlerts(db, nil, 5*time.Minute)
		if a := probe.Ask(t.Context()); a.State != health.OK || !strings.Contains(a.Text, "No notification") {
			t.Errorf("none: %s", words(a))
		}
		days := 3
		n := &rule.Notification{Title: "Due", Active: true, Channel: rule.Email, Model: "orders", Trigger: rule.DaysBefore, DateField: "due", AlertDays: &days}
		if err := (store.Notifications{DB: db}).Create(t.Context(), n, "test"); err != nil {
			t.Fatal(err)
		}
		if a := probe.Ask(t.Context()); a.State != health.Warning || !strings.Contains(words(a), "1 of 1") || !strings.Contains(words(a), "every: 5m") {
			t.Errorf("without its schedule: %s", words(a))
		}
		if err := (store.AlertSchedules{DB: db}).Put(t.Context(), n.ID, n.Version); err != nil {
			t.Fatal(err)
		}
		if a := probe.Ask(t.Context()); a.State != health.OK {
			t.Errorf("in step: %s", words(a))
		}
		for _, plan := range testdb.Plans(t, db, func(db *gorm.DB) error {
			_, _, err := store.AlertSchedules{DB: db}.Count(t.Context())
			return err
		}) {
			if plan.Unguided() {
				t.Errorf("a count reads the whole table:\n%+v", plan)
			}
		}
	})
}
