package store_test

import (
	"slices"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/audit"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

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
