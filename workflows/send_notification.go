package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/silquetech/silque-notifications/activities"
)

// SendNotificationInput names the events to handle: one while the system is idle, more under load. It carries IDs only;
// what happened and to whom stays in the application's database.
type SendNotificationInput struct {
	EventIDs []string `json:"event_ids"`
	// Before counts what earlier runs of this workflow did, after a continue-as-new.
	Before Tally `json:"before,omitzero"`
}

// Tally counts deliveries by their end.
type Tally struct {
	Sent   int `json:"sent"`
	Failed int `json:"failed"`
	// Suppressed deliveries were no longer of use when their turn came.
	Suppressed int `json:"suppressed,omitempty"`
}

// Outcome sums the tally up.
func (t Tally) Outcome() Outcome {
	switch {
	case t.Failed == 0 && t.Sent == 0 && t.Suppressed > 0:
		return OutcomeSuppressed
	case t.Failed == 0 && t.Sent == 0:
		return OutcomeNothing
	case t.Failed == 0:
		return OutcomeSent
	case t.Sent == 0:
		return OutcomeFailed
	default:
		return OutcomePartlyFailed
	}
}

// SendNotification brings events to their end: it resolves them to deliveries, sends each, records every failure in the
// error log, and settles the events. While the system is idle each delivery is an activity of its own; when there are
// many at once, their first attempts are made in chunks, see firstPass. One recipient's failure never touches another's
// message, so the workflow itself does not fail for it; the tally and the outcome attribute tell.
func SendNotification(ctx workflow.Context, in SendNotificationInput) (Tally, error) {
	s := newSending(ctx, in)
	for after := ""; ; {
		plan, err := resolve(ctx, in.EventIDs, after)
		if err != nil {
			return s.tally, err
		}
		if err := s.send(ctx, plan); err != nil {
			return s.tally, err
		}
		if !plan.More && !s.leftOver {
			break
		}
		if s.leftOver || workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			s.awaitTroubled(ctx)
			in.Before = s.tally
			return s.tally, workflow.NewContinueAsNewError(ctx, SendNotification, in)
		}
		after = s.after
	}
	if err := s.settle(ctx); err != nil {
		return s.tally, err
	}
	return s.tally, s.tell(ctx, s.tally.Outcome())
}

// resolve turns events into deliveries, and gives those that are still to be sent.
func resolve(ctx workflow.Context, eventIDs []string, after string) (plan activities.Plan, err error) {
	var a *activities.Activities
	options := bookkeepingOptions("resolve events to deliveries")
	options.StartToCloseTimeout = resolveTimeout
	ctx = workflow.WithLocalActivityOptions(ctx, options)
	err = workflow.ExecuteLocalActivity(ctx, a.Resolve, activities.ResolveInput{EventIDs: eventIDs, After: after}).Get(ctx, &plan)
	return plan, err
}

// announce makes a workflow that sends findable by its notifications while it runs.
func announce(ctx workflow.Context, plan activities.Plan) error {
	if len(plan.Deliveries) == 0 {
		return nil
	}
	return workflow.UpsertTypedSearchAttributes(ctx,
		NotificationsAttribute.ValueSet(plan.NotificationIDs), OutcomeAttribute.ValueSet(string(OutcomeSending)))
}

// end is what became of a delivery in this workflow.
type end int

const (
	delivered end = iota
	notDelivered
	suppressed
	// leftOver is for the workflow's next run.
	leftOver
)

// deliver sends one delivery, and records its failure when the attempts are used up.
func deliver(ctx workflow.Context, d activities.Planned, r activities.RetryProfile) end {
	result, failure := send(ctx, d, r)
	if failure == nil {
		switch {
		case result.Later > 0:
			return leftOver
		case result.Taken:
			return delivered
		case result.Suppressed:
			return suppressed
		}
		return notDelivered // it had ended already
	}
	recordFailure(ctx, d, *failure)
	return notDelivered
}

// recordFailure ends a delivery whose attempts are used up, whatever becomes of the workflow meanwhile.
func recordFailure(ctx workflow.Context, d activities.Planned, failure activities.Failure) {
	var a *activities.Activities
	ctx, done := workflow.NewDisconnectedContext(ctx) // a cancelled send is a failure too
	defer done()
	ctx = workflow.WithActivityOptions(ctx, errorLogOptions(d))
	if err := workflow.ExecuteActivity(ctx, a.RecordFailure, failure).Get(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Error("A failure could not be recorded", "delivery", d.ID, "error", err)
	}
}

// send hands one delivery over under its retry profile. An interruption that was not the provider's doing (a worker that
// died, a database that was away) costs none of the attempts, and neither does a channel that is to be slow: the send
// begins anew.
func send(ctx workflow.Context, d activities.Planned, r activities.RetryProfile) (activities.SendResult, *activities.Failure) {
	activity, _ := activitiesOf(d.Channel)
	lost, waits := 0, 0
	for round := 1; ; round++ {
		options := sendOptions(ctx, d, r)
		options.ActivityID = activityID(d.ID, round)
		in := activities.SendInput{
			DeliveryID: d.ID, EventID: d.EventID, NotificationID: d.NotificationID, RetryEventID: d.RetryEventID,
		}
		var result activities.SendResult
		err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), activity, in).Get(ctx, &result)
		if err == nil && result.Later > 0 {
			if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
				return result, nil
			}
			err = pause(ctx, slowPause(result.Later, waits), string(d.Channel)+" is to be slow")
			waits++
			if err == nil {
				continue
			}
		}
		if err == nil {
			return result, nil
		}
		failure := activities.FailureOf(d, err)
		if failure.WorkerLost() {
			lost++
		}
		if !failure.Interrupted || lost == interruptionLimit || workflow.Sleep(ctx, interruptionPause(round)) != nil {
			return result, &failure
		}
	}
}

// settle says that events have come to their end, and that open ones wait for more tries.
func settle(ctx workflow.Context, eventIDs, open []string) error {
	var a *activities.Activities
	ctx, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	ctx = workflow.WithLocalActivityOptions(ctx, bookkeepingOptions("settle events"))
	return workflow.ExecuteLocalActivity(ctx, a.Settle, activities.SettleInput{EventIDs: eventIDs, Open: open}).Get(ctx, nil)
}

// showProgress writes the tally where Temporal Web UI shows it; it costs no event.
func showProgress(ctx workflow.Context, t Tally) {
	details := fmt.Sprintf("%d sent, %d failed", t.Sent, t.Failed)
	if t.Suppressed > 0 {
		details += fmt.Sprintf(", %d suppressed", t.Suppressed)
	}
	workflow.SetCurrentDetails(ctx, details)
}

// activityID is the delivery's ID, so that an event of the history names its delivery; a send that began anew gets a suffix.
func activityID(deliveryID string, round int) string {
	if round == 1 {
		return deliveryID
	}
	return fmt.Sprintf("%s-%d", deliveryID, round)
}
