package store_test

import (
	"slices"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/audit"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestTheAuditLogSaysWhoSentATestAndWhoResolvedAnError(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		ctx := t.Context()
		id, err := store.Events{DB: db}.AppendTest(ctx, rule.TestMessage{Channel: rule.SMS, To: "+12025550123", Text: "secret"}, outbox.FromConsole, "ann")
		if err != nil {
			t.Fatal(err)
		}
		if e, err := (store.Events{DB: db}).Get(ctx, id); err != nil || e.Action != rule.Test || e.Source != outbox.FromConsole || e.Revision == 0 {
			t.Errorf("%+v %v", e, err)
		}
		entry := &store.ErrorEntry{Code: "smtp_connect", Source: "send"}
		if err := (store.Errors{}).RecordTx(db, entry); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := (store.Errors{DB: db}).Resolve(ctx, entry.ID, "ben"); err != nil {
				t.Fatal(err)
			}
		}
		records, _, err := audit.List(ctx, db, audit.Filter{}, "", 0)
		if err != nil || len(records) != 2 {
			t.Fatalf("%+v %v", records, err)
		}
		if r := records[0]; r.Actor != "ben" || r.Action != "error.resolved" || r.TargetID != entry.ID {
			t.Errorf("%+v", r)
		}
		if r := records[1]; r.Actor != "ann" || r.Action != "event.test_sent" || r.TargetID != id || r.Detail != "sms" {
			t.Errorf("%+v", r)
		}
	})
}

func TestTheAuditLogHasEveryChangeOfNotificationsAndLists(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		ctx := t.Context()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		notifications, lists := store.Notifications{DB: db}, store.Lists{DB: db}
		n := &rule.Notification{Title: "Shipped", Channel: rule.Email, Model: "orders", Trigger: rule.OnNew}
		must(notifications.Create(ctx, n, "ann"))
		must(notifications.Update(ctx, n, "ben"))
		_, err := notifications.SetActive(ctx, []string{n.ID}, true, "cem")
		must(err)
		_, err = notifications.SetActive(ctx, []string{n.ID}, true, "nobody: it is active")
		must(err)
		must(notifications.Delete(ctx, n.ID, "dan"))
		l := &store.List{Name: "Night shift"}
		must(lists.Create(ctx, l, "ann"))
		must(lists.Update(ctx, l, "ben"))
		must(lists.Delete(ctx, l.ID, "cem"))
		if err := lists.Create(ctx, &store.List{Name: "Night shift"}, "eve"); err != nil {
			t.Fatal(err)
		}
		if err := lists.Create(ctx, &store.List{Name: "Night shift"}, "eve"); err == nil {
			t.Fatal("two lists of one name")
		}

		records, _, err := audit.List(ctx, db, audit.Filter{}, "", 0)
		must(err)
		var said []string
		for _, r := range slices.Backward(records) {
			said = append(said, r.Actor+" "+r.Action+" "+r.Target+" "+r.Detail)
			if r.TargetID == "" || r.At.IsZero() {
				t.Errorf("an entry without an ID or a time: %+v", r)
			}
		}
		want := []string{
			"ann notification.created notification Shipped", "ben notification.changed notification Shipped",
			"cem notification.activated notification Shipped", "dan notification.deleted notification Shipped",
			"ann list.created list Night shift", "ben list.changed list Night shift", "cem list.deleted list Night shift",
			"eve list.created list Night shift",
		}
		if !slices.Equal(said, want) {
			t.Errorf("the log says %q", said)
		}
	})
}
