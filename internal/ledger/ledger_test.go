package ledger_test

import (
	"testing"

	"github.com/silquetech/silque-notifications/activities"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

var _ activities.Ledger = (*book)(nil)

func TestEventsComeInTheOrderOfTimeWithTheirSnapshots(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		first, second := b.event(), b.event()
		b.keep(t.Context(), "w", activities.Resolution{EventID: first, Reason: "nobody asked"})
		events, err := b.Events(t.Context(), []string{second, outbox.NewID(), first})
		b.must(err)
		if len(events) != 2 || events[0].ID != first || events[1].ID != second || !events[0].Resolved || events[1].Resolved {
			t.Fatalf("read %+v", events)
		}
		e := events[1]
		if e.Model != "orders" || e.Key != "7" || e.Action != rule.Create || string(e.Doc) != `{"id":7}` || e.OldDoc != nil || e.Revision != 3 {
			t.Errorf("read %+v", e)
		}
		if reason := b.eventOf(first).Reason; reason != "nobody asked" {
			t.Errorf("kept the reason %q", reason)
		}
	})
}

func TestSettlingTwiceIsTheSameAsOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		id, first := b.event(), now()
		b.must(b.Settle(t.Context(), []string{id}, nil, first))
		b.must(b.Settle(t.Context(), []string{id, outbox.NewID()}, nil, first.AddDate(1, 0, 0)))
		if e := b.eventOf(id); e.Status != outbox.Settled || !e.SettledAt.Equal(first) {
			t.Errorf("%s since %v", e.Status, e.SettledAt)
		}
	})
}

func TestARuleIsReadAsItWasAtTheEventsRevision(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		rules := store.Notifications{DB: b.db}
		n := &rule.Notification{Title: "before", Active: true, Channel: rule.Email, Model: "orders", Trigger: rule.OnNew}
		b.must(rules.Create(t.Context(), n, "test"))
		revision, err := rules.Revision(t.Context())
		b.must(err)
		n.Title = "after"
		b.must(rules.Update(t.Context(), n, "test"))
		found, err := b.InForce(t.Context(), "orders", []rule.Trigger{rule.OnNew}, revision)
		if err != nil || len(found) != 1 || found[0].Title != "before" {
			t.Errorf("in force %+v, error %v", found, err)
		}
	})
}
