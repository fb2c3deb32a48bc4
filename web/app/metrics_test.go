package app

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/retention"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
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

func TestWhatWasDeletedBecauseItWasOldIsCounted(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	at := time.Now().UTC().Add(-100 * 24 * time.Hour)
	old := uuid.Must(uuid.NewV7())
	for i := range 6 { // the first 48 bits are the milliseconds
		old[i] = byte(at.UnixMilli() >> (40 - 8*i))
	}
	if err := db.Create(&outbox.Event{ID: old.String(), Status: outbox.Settled, CreatedAt: at, SettledAt: &at}).Error; err != nil {
		t.Fatal(err)
	}
	sweeper := retention.New(retention.Options{DB: db, Keep: 90 * 24 * time.Hour})
	gather := func() map[string]float64 {
		registry := prometheus.NewRegistry()
		registry.MustRegister(sweeps{sweeper})
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		figures := map[string]float64{}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				name := f.GetName()
				for _, l := range m.GetLabel() {
					name += " " + l.GetValue()
				}
				figures[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
		return figures
	}
	const deleted, last = "notify_retention_deleted_rows_total ", "notify_retention_last_sweep_timestamp_seconds"
	if figures := gather(); len(figures) != 4 || figures[deleted+"notify_events"] != 0 {
		t.Errorf("before the first sweep: %v", figures)
	}
	if err := sweeper.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if figures := gather(); len(figures) != 5 || figures[deleted+"notify_events"] != 1 || figures[deleted+"notify_deliveries"] != 0 || figures[last] == 0 {
		t.Errorf("after it: %v", figures)
	}
}

func TestUnsentDeliveriesAreCountedByChannel(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		now := time.Now().UTC()
		row := func(channel rule.Channel, status store.DeliveryStatus, id string) *store.Delivery {
			return &store.Delivery{ID: id, EventID: id, Channel: channel, Status: status, CreatedAt: now, UpdatedAt: now}
		}
		old := uuid.Must(uuid.Parse("01900000-0000-7000-8000-000000000000")).String() // of June 2024
		deliveries := []*store.Delivery{
			row(rule.Email, store.DeliveryPending, old), row(rule.Email, store.DeliverySending, outbox.NewID()),
			row(rule.Email, store.DeliverySent, outbox.NewID()), row(rule.SMS, store.DeliveryPending, outbox.NewID()),
		}
		if _, err := (store.Deliveries{}).InsertTx(db, deliveries); err != nil {
			t.Fatal(err)
		}
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(unsent{db: db})
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, family := range families {
			for _, m := range family.GetMetric() {
				got[family.GetName()+" "+m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
			}
		}
		for name, want := range map[string]float64{
			"notify_deliveries_unsent email": 2, "notify_deliveries_unsent sms": 1, "notify_deliveries_unsent whatsapp": 0,
		} {
			if got[name] != want {
				t.Errorf("%s is %v, want %v", name, got[name], want)
			}
		}
		if age := got["notify_deliveries_oldest_unsent_seconds email"]; age < (365 * 24 * time.Hour).Seconds() {
			t.Errorf("the oldest email is %v s old", age)
		}
		if _, there := got["notify_deliveries_oldest_unsent_seconds whatsapp"]; there {
			t.Error("a channel without unsent deliveries has an oldest one")
		}
	})
}
