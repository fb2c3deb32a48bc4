package separate_test

import (
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/rules"
	"github.com/silquetech/silque-notifications/workflows"
)

func TestEachChangeHasItsOwnWorkflowWhenThatIsSet(t *testing.T) {
	t.Parallel()
	eachWhenLong(t, "on Postgres", func(t *testing.T, url string) {
		t.Parallel()
		eachItsOwn(t, open(t, url, "NOTIFY_BATCH_MAX=1"))
	})
}

func eachItsOwn(t *testing.T, h *house) {
	h.notification(t, "customers", "Welcome", rules.Recipient{DocumentField: "doc.email"})
	const changes = 40
	h.customers(t, changes)
	h.start(t, "worker")
	h.start(t, "web")
	until(t, "every event is settled", func() (bool, error) {
		return h.count(t, new(outbox.Event), "status = 'settled'") == changes, nil
	})
	var events []outbox.Event
	must(t, h.db.Find(&events).Error)
	for _, e := range events {
		h.explainSlow(t, e)
		if e.WorkflowID != workflows.WorkflowID(e.ID) || e.BatchID == nil || *e.BatchID != e.ID {
			t.Errorf("event %s has the workflow %s", e.ID, e.WorkflowID)
		}
	}
	until(t, "each workflow shows, and no other", func() (bool, error) {
		found, err := h.temporal.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{
			Namespace: h.server.Namespace(), Query: "WorkflowType = 'SendNotification'",
		})
		return found.GetCount() == changes, err
	})
	if n := len(h.messages(t)); n != changes {
		t.Errorf("%d messages, want %d", n, changes)
	}
}

// explainSlow shows where the time of an event went that took far more than it should.
func (h *house) explainSlow(t *testing.T, e outbox.Event) {
	t.Helper()
	const slow = 30 * time.Second
	if e.SettledAt == nil || e.SettledAt.Sub(e.CreatedAt) < slow {
		return
	}
	t.Logf("event %s: created %s, claimed %s, started %s, resolved %s, settled %s", e.ID, e.CreatedAt, e.ClaimedAt, e.StartedAt, e.ResolvedAt, e.SettledAt)
	history := h.temporal.GetWorkflowHistory(t.Context(), e.WorkflowID, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		event, err := history.Next()
		must(t, err)
		t.Logf("  %s %s", event.EventTime.AsTime(), event.EventType)
	}
}
