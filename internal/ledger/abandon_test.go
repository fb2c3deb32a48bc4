package ledger_test

import (
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/activities"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/store"
)

const stopped = "the workflow was stopped by hand"

func TestAStoppedWorkflowsDeliveriesEndAndItsEventsSettle(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		id := b.event()
		b.keep(t.Context(), "w", resolution(id, "sent@example.com", "sending@example.com", "waiting@example.com"))
		all := b.unsent(id)
		sent, sending, waiting := all[0], all[1], all[2]
		b.claim(sent.ID, 1)
		b.finish(sent.ID, 1, activities.Accepted, "")
		b.claim(sending.ID, 1)
		unresolved := b.event()
		for range 2 {
			b.must(b.Abandon(t.Context(), []string{id, unresolved}, stopped))
		}
		b.wantStatus(sent.ID, store.DeliverySent)
		b.wantStatus(sending.ID, store.DeliveryUnknown) // the provider may have it
		b.wantStatus(waiting.ID, store.DeliveryFailed)
		for _, event := range []string{id, unresolved} {
			if e := b.eventOf(event); e.Status != outbox.Settled || e.Reason != stopped {
				t.Errorf("the event is %s because %q", e.Status, e.Reason)
			}
			if log := b.errorLog(store.ErrorFilter{EventID: event, Code: "WORKFLOW_STOPPED"}); len(log) != 1 || !strings.Contains(log[0].Message, stopped) {
				t.Errorf("%d lines say that the workflow was stopped, want 1", len(log))
			}
		}
		for p, want := range map[activities.Planned]string{sending: "it may have arrived", waiting: "stopped by hand after 0 attempts"} {
			log := b.errorLog(store.ErrorFilter{DeliveryID: p.ID})
			if len(log) != 1 || !strings.Contains(log[0].Message, want) {
				t.Errorf("logged %+v, want %q", log, want)
			}
		}
		again := b.retried(waiting.ID)
		b.wantUnsent(again, waiting.ID)
	})
}

func TestAnEventThatHasSettledIsNotSaidToHaveStopped(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		p := b.planned()
		b.claim(p.ID, 1)
		b.finish(p.ID, 1, activities.Accepted, "")
		settled := now()
		b.must(b.Settle(t.Context(), []string{p.EventID}, nil, settled))
		b.must(b.Abandon(t.Context(), []string{p.EventID}, stopped))
		if e := b.eventOf(p.EventID); e.Status != outbox.Settled || e.Reason != "" || !e.SettledAt.Equal(settled) {
			t.Errorf("the event is %s since %v because %q", e.Status, e.SettledAt, e.Reason)
		}
		if log := b.errorLog(store.ErrorFilter{Code: "WORKFLOW_STOPPED"}); len(log) != 0 {
			t.Errorf("logged %+v", log[0])
		}
	})
}

func TestAStoppedRetryEndsItsDeliveryAndAStoppedFirstWorkflowDoesNot(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		p := b.planned()
		b.fail(p, activities.Temporary, "smtp_451")
		retry := b.retried(p.ID)
		b.must(b.Abandon(t.Context(), []string{p.EventID}, stopped))
		b.wantStatus(p.ID, store.DeliveryPending)
		b.must(b.Abandon(t.Context(), []string{retry}, stopped))
		b.wantStatus(p.ID, store.DeliveryFailed)
	})
}
