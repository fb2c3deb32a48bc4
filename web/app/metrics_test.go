package app

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

func TestTheBacklogIsCountedWithoutReadingTheHistory(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		events := make([]*outbox.Event, 1000)
		for i := range events {
			events[i] = &outbox.Event{ID: outbox.NewID(), CreatedAt: time.Now().UTC().Add(-time.Hour)}
		}
		if err := outbox.Append(db, events...); err != nil {
			t.Fatal(err)
		}
		for i, status := range []outbox.Status{outbox.Settled, outbox.Started} {
			ids := []string{events[0].ID, events[998].ID}
			err := db.Model(&outbox.Event{}).Where("id BETWEEN ? AND ?", ids[i], events[997+i].ID).Update("status", status).Error
			if err != nil {
				t.Fatal(err)
			}
		}
		if db.Name() == "postgres" {
			if err := db.Exec("ANALYZE").Error; err != nil {
				t.Fatal(err)
			}
		}
		plans := testdb.Plans(t, db, func(db *gorm.DB) error {
			registry := prometheus.NewRegistry()
			registry.MustRegister(backlog{db: db})
			families, err := registry.Gather()
			if err != nil {
				return err
			}
			for _, f := range families {
				for _, m := range f.GetMetric() {
					if got := m.GetGauge().GetValue(); f.GetName() == "notify_outbox_events" && got != 1 ||
						f.GetName() == "notify_outbox_oldest_pending_seconds" && (got < 3590 || got > 4200) {
						t.Errorf("%s %v is %v", f.GetName(), m.GetLabel(), got)
					}
				}
			}
			return nil
		})
		if len(plans) != 3 {
			t.Errorf("%d statements, want 3", len(plans))
		}
		for _, plan := range plans {
			if plan.WholeTable(false) || !strings.Contains(plan.Text, "notify_events_open") {
				t.Errorf("%s\n%s", plan.Statement, plan.Text)
			}
		}
	})
}
