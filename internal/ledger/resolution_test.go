package ledger_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/activities"
	"github.com/silquetech/silque-notifications/internal/ledger"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestKeepingTwiceIsTheSameAsOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		id := b.event()
		b.keep(t.Context(), "w", resolution(id, "ann@example.com", "ben@example.com"))
		before, ids := b.eventOf(id), idsOf(b.unsent(id))
		// A repeated step can come to something else: a rule was mended meanwhile. What was kept counts.
		second := resolution(id, "ben@example.com", "cat@example.com")
		second.Reason, second.Decisions, second.Errors[0].Key = "another reason", nil, "another key"
		b.keep(t.Context(), "w2", second)
		after := b.eventOf(id)
		if got := idsOf(b.unsent(id)); !slices.Equal(got, ids) || len(ids) != 2 {
			t.Errorf("deliveries %v, then %v; want the same two", ids, got)
		}
		if len(b.errorLog(store.ErrorFilter{})) != 1 {
			t.Errorf("%d errors, want 1", len(b.errorLog(store.ErrorFilter{})))
		}
		if string(after.Decisions) != string(before.Decisions) || after.Reason != "" || after.WorkflowID != "w" || !after.ResolvedAt.Equal(*before.ResolvedAt) {
			t.Errorf("the event became %+v", after)
		}
		if !strings.Contains(string(after.Decisions), `"outcome":"sends"`) {
			t.Errorf("decisions %s", after.Decisions)
		}
		d := b.delivery(ids[0])
		if d.Address != "ann@example.com" || d.Subject != "s" || d.BodyText != "t" || d.BodyHTML != "h" || d.WorkflowID != "w" ||
			d.NotificationVersion != 2 || d.Status != store.DeliveryPending {
			t.Errorf("kept %+v", d)
		}
		e := b.errorLog(store.ErrorFilter{})[0]
		if e.EventID != id || e.NotificationID != "n" || e.Source != "resolve" || e.Code != "EMAIL_RECIPIENT_ERROR" {
			t.Errorf("logged %+v", e)
		}
	})
}

func TestKeepingAtTheSameMomentIsTheSameAsOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		id := b.event()
		var keepers sync.WaitGroup
		for _, address := range []string{"a", "b", "c", "d", "e", "f"} {
			keepers.Go(func() {
				if _, err := b.Keep(t.Context(), "w-"+address, resolution(id, address+"1@example.com", address+"2@example.com")); err != nil {
					t.Error(err)
				}
			})
		}
		keepers.Wait()
		kept := b.unsent(id)
		if len(kept) != 2 {
			t.Fatalf("%d deliveries, want the two of one keeper", len(kept))
		}
		for _, p := range kept {
			if d, e := b.delivery(p.ID), b.eventOf(id); d.WorkflowID != e.WorkflowID {
				t.Errorf("a delivery of %s, the event resolved by %s", d.WorkflowID, e.WorkflowID)
			}
		}
	})
}

func TestAResolutionThatCannotBeKeptLeavesNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		if _, err := b.Keep(t.Context(), "w", resolution(outbox.NewID(), "ann@example.com")); !errors.Is(err, outbox.ErrNotFound) {
			t.Errorf("an event that is gone: %v", err)
		}
		var deliveries int64
		b.must(b.db.Model(&store.Delivery{}).Count(&deliveries).Error)
		if deliveries != 0 || len(b.errorLog(store.ErrorFilter{})) != 0 {
			t.Errorf("%d deliveries and %d errors are left", deliveries, len(b.errorLog(store.ErrorFilter{})))
		}
	})
}

func TestARetryOpensOnlyADeliveryThatDidNotGoOut(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status store.DeliveryStatus
		opens  bool
		reason string
	}{
		{store.DeliveryFailed, true, ""},
		{store.DeliveryUnknown, true, ""},
		{store.DeliveryPending, false, "the delivery was pending, so it was not handed over again"},
		{store.DeliverySending, false, "the delivery was sending, so it was not handed over again"},
		{store.DeliverySent, false, "the delivery was sent, so it was not handed over again"},
		{store.DeliveryDelivered, false, "the delivery was delivered, so it was not handed over again"},
		{store.DeliverySuppressed, false, "the delivery was suppressed, so it was not handed over again"},
	}
	each(t, func(t *testing.T, b *book) {
		for _, test := range tests {
			p := b.planned()
			b.must(b.db.Model(&store.Delivery{}).Where("id = ?", p.ID).Update("status", test.status).Error)
			retry := b.retried(p.ID)
			if got := b.eventOf(retry).Reason; got != test.reason {
				t.Errorf("%s: reason %q, want %q", test.status, got, test.reason)
			}
			if !test.opens {
				b.wantStatus(p.ID, test.status)
				b.wantUnsent(retry)
				continue
			}
			b.wantStatus(p.ID, store.DeliveryPending)
			b.wantUnsent(retry, p.ID)
			b.wantUnsent(p.EventID)
		}
		if gone := b.retried(outbox.NewID()); b.eventOf(gone).Reason != "the delivery no longer exists" {
			t.Errorf("a delivery that is gone: %q", b.eventOf(gone).Reason)
		}
	})
}

func TestARetryEventOpensItsDeliveryOnceHoweverOftenItIsKept(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		p := b.planned()
		b.fail(p, activities.Temporary, "smtp_451")
		retry := b.retried(p.ID)
		again := activities.Resolution{EventID: retry, Reopen: p.ID}
		b.keep(t.Context(), "w2", again)
		if e := b.eventOf(retry); e.Reason != "" {
			t.Errorf("a repeated step gave the reason %q to a retry that is under way", e.Reason)
		}
		b.claim(p.ID, 1)
		b.finish(p.ID, 1, string(activities.Permanent), "smtp_550")
		p.RetryEventID = retry
		b.fail(p, activities.Permanent, "smtp_550")
		b.keep(t.Context(), "w3", again)
		b.wantStatus(p.ID, store.DeliveryFailed)
		b.wantUnsent(retry)
		if d := b.delivery(p.ID); d.WorkflowID != "w-"+retry || d.RetryEventID != retry {
			t.Errorf("the delivery belongs to %s and %s", d.WorkflowID, d.RetryEventID)
		}
	})
}

func TestTwoRetriesAtTheSameMomentOpenADeliveryOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		p := b.planned()
		b.fail(p, activities.Temporary, "smtp_451")
		retries := []string{b.event(), b.event(), b.event()}
		var all sync.WaitGroup
		for _, id := range retries {
			all.Go(func() {
				if _, err := b.Keep(t.Context(), "w", activities.Resolution{EventID: id, Reopen: p.ID}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		opened := 0
		for _, id := range retries {
			if found := b.unsent(id); len(found) == 1 && b.eventOf(id).Reason == "" {
				opened++
			} else if len(found) != 0 || !strings.Contains(b.eventOf(id).Reason, "was pending") {
				t.Errorf("a retry has %v to send and the reason %q", found, b.eventOf(id).Reason)
			}
		}
		if opened != 1 {
			t.Errorf("%d retries opened it", opened)
		}
	})
}

func TestUnsentGivesTheOldestOpenDeliveriesOfTheEvents(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		first, second, other := b.event(), b.event(), b.event()
		b.keep(t.Context(), "w", resolution(first, "a@example.com", "b@example.com", "c@example.com"))
		b.keep(t.Context(), "w", resolution(second, "d@example.com"))
		b.keep(t.Context(), "w", resolution(other, "e@example.com"))
		all := b.unsent(first, second)
		if len(all) != 4 || !slices.IsSorted(idsOf(all)) {
			t.Fatalf("%d to send, want 4 in the order of time: %v", len(all), idsOf(all))
		}
		want := activities.Planned{ID: all[3].ID, EventID: second, NotificationID: "n", Channel: "email"}
		if all[3] != want {
			t.Errorf("planned %+v, want %+v", all[3], want)
		}
		two, err := b.Unsent(t.Context(), []string{second, first}, "", 2)
		if err != nil || !slices.Equal(idsOf(two), idsOf(all)[:2]) {
			t.Errorf("the first two are %v, error %v", idsOf(two), err)
		}
		b.claim(all[0].ID, 1)
		b.claim(all[1].ID, 1)
		b.finish(all[1].ID, 1, activities.Accepted, "")
		b.fail(all[2], activities.Permanent, "smtp_550")
		b.wantUnsent(first, all[0].ID)
	})
}

func TestLookingForWhatIsUnsentDoesNotReadEveryOpenDelivery(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		const backlog = 2000
		deliveries := make([]*store.Delivery, backlog)
		for i := range deliveries {
			deliveries[i] = &store.Delivery{ID: outbox.NewID(), EventID: outbox.NewID(), Status: store.DeliveryPending, CreatedAt: time.Now().UTC()}
		}
		_, err := store.Deliveries{}.InsertTx(b.db, deliveries)
		b.must(err)
		if b.db.Name() == "postgres" {
			b.must(b.db.Exec("ANALYZE").Error)
		}
		plans := testdb.Plans(t, b.db, func(db *gorm.DB) error {
			other := ledger.New(db)
			if _, err := other.Recorded(t.Context(), "p", "d"); err != nil {
				return err
			}
			_, err := other.Unsent(t.Context(), []string{deliveries[0].EventID, deliveries[1].EventID}, "", 501)
			return err
		})
		for _, plan := range plans {
			if plan.WholeTable(false) || strings.Contains(plan.Text, "notify_deliveries_status") || plan.Unguided() {
				t.Errorf("%s\n%s", plan.Statement, plan.Text)
			}
		}
	})
}
