package workflows_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/activities"
	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/workflows"
)

func TestATestMessageGoesTheOrdinaryWay(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	event := h.event(rule.Test, `{"channel":"sms","to":"+12025550123"}`)
	h.run(event)
	if d := h.delivery(event); d.Channel != rule.SMS || d.Status != store.DeliverySent {
		t.Errorf("delivery %+v, want a sent SMS", d)
	}
}

func TestAFailedDeliveryIsHandedOverAgainByARetryEvent(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.notify(nil)
	h.sender.answers["ann@example.com"] = []error{never}
	event := h.event(rule.Create, newOrder)
	h.run(event)
	failed := h.delivery(event)

	again := h.event(rule.Retry, fmt.Sprintf(`{"delivery_id":%q}`, failed.ID))
	retry := *h
	retry.env = h.freshEnvironment()
	tally, _ := retry.run(again)
	if tally.Sent != 1 {
		t.Errorf("tally %+v, want one sent", tally)
	}
	if d := h.delivery(event); d.ID != failed.ID || d.Status != store.DeliverySent || d.Attempts != 2 || d.RetryEventID != again {
		t.Errorf("delivery %+v, want the same one sent at its second attempt", d)
	}
	h.wantSettled(again)
}

func TestARetryOfASentDeliverySaysWhyItDoesNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.notify(nil)
	event := h.event(rule.Create, newOrder)
	h.run(event)
	again := h.event(rule.Retry, fmt.Sprintf(`{"delivery_id":%q}`, h.delivery(event).ID))
	retry := *h
	retry.env = h.freshEnvironment()
	retry.run(again)
	if e := h.wantSettled(again); !strings.Contains(e.Reason, "was sent") {
		t.Errorf("the reason is %q, want it to say that the delivery was sent", e.Reason)
	}
	if len(h.sender.taken) != 1 {
		t.Errorf("handed over %d times, want once", len(h.sender.taken))
	}
}

func TestAPlanBeyondItsLimitIsSentInParts(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	event := h.event(rule.Create, newOrder)
	const many = 620
	var deliveries []*store.Delivery
	for i := range many {
		deliveries = append(deliveries, &store.Delivery{
			ID: outbox.NewID(), EventID: event, NotificationID: "n", Channel: rule.Email, Address: fmt.Sprintf("p%d@example.com", i),
			Status: store.DeliveryPending, CreatedAt: time.Now().UTC(), UpdatedAt: time.Now().UTC(),
		})
	}
	if _, err := (store.Deliveries{DB: h.db}).InsertTx(h.db, deliveries); err != nil {
		t.Fatal(err)
	}
	tally, _ := h.run(event)
	if tally.Sent != many {
		t.Errorf("%d sent, want %d", tally.Sent, many)
	}
}

func TestEveryCandidatesDecisionIsKept(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	sends := h.notify(nil)
	silent := h.notify(func(n *rule.Notification) { n.Conditions = "doc.id > 100" })
	event := h.event(rule.Create, newOrder)
	h.run(event)
	var decisions []activities.Decision
	if err := json.Unmarshal(h.wantSettled(event).Decisions, &decisions); err != nil {
		t.Fatal(err)
	}
	if len(decisions) != 2 || decisions[0].NotificationID != sends.ID || decisions[0].Outcome != rule.Sends ||
		decisions[1].NotificationID != silent.ID || decisions[1].Outcome != rule.FalseLines {
		t.Errorf("decisions %+v", decisions)
	}
}

func TestAnEventOfAnotherDatabaseFailsWhereItIsSeen(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.env.ExecuteWorkflow(workflows.SendNotification, workflows.SendNotificationInput{EventIDs: []string{outbox.NewID()}})
	if err := h.env.GetWorkflowError(); err == nil || !strings.Contains(err.Error(), "NOTIFY_TASK_QUEUE") {
		t.Errorf("the workflow ended with %v, want an error that says where to look", err)
	}
}

func TestAModelThatWasRegisteredAMomentAgoIsKnown(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	if _, err := h.ledger.Models(t.Context(), true); err != nil { // the ledger keeps the catalog for a while
		t.Fatal(err)
	}
	fresh := *orders
	fresh.Name = "parcels"
	if err := catalog.Save(t.Context(), h.db, &fresh); err != nil {
		t.Fatal(err)
	}
	h.notify(func(n *rule.Notification) { n.Model = "parcels" })
	event := h.event(rule.Create, newOrder)
	if err := h.db.Exec("UPDATE notify_events SET model = 'parcels' WHERE id = ?", event).Error; err != nil {
		t.Fatal(err)
	}
	h.run(event)
	if d := h.delivery(event); d.Status != store.DeliverySent {
		t.Errorf("the delivery is %s, want sent", d.Status)
	}
}

func TestAProvidersMessageThatBelongsToAnotherDeliveryIsNotThisOne(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.notify(nil)
	first := h.event(rule.Create, newOrder)
	h.run(first)
	h.sender.answers["ann@example.com"] = []error{perhaps}
	h.sender.has["ann@example.com"] = []string{h.delivery(first).ProviderID, "provider-own"}
	second := h.event(rule.Create, newOrder)
	again := *h
	again.env = h.freshEnvironment()
	again.run(second)
	if d := h.delivery(second); d.ProviderID != "provider-own" || len(h.sender.taken) != 1 {
		t.Errorf("taken as %q with %d hand-overs, want its own message found", d.ProviderID, len(h.sender.taken))
	}
}

func TestADoubtThatWasNotClearedStaysInTheOutcome(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.notify(nil)
	h.sender.answers["ann@example.com"] = []error{perhaps, later, later}
	event := h.event(rule.Create, newOrder)
	h.run(event)
	if d := h.delivery(event); d.Status != store.DeliveryUnknown {
		t.Errorf("the delivery is %s, want unknown: the first attempt may have arrived", d.Status)
	}
}

func TestADatabaseThatIsAwayForHoursIsWaitedFor(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.notify(nil)
	h.ledger.failClaims = 60
	event := h.event(rule.Create, newOrder)
	_, took := h.run(event)
	if d := h.delivery(event); d.Status != store.DeliverySent || d.Attempts != 1 {
		t.Errorf("%s after %d attempts, want sent at the first", d.Status, d.Attempts)
	}
	if took < 6*time.Hour {
		t.Errorf("took %s of virtual time, want hours of waiting", took)
	}
}
