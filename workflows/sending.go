package workflows

import (
	"slices"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/silquetech/silque-notifications/activities"
)

// sending is a SendNotification under way.
type sending struct {
	eventIDs []string
	tally    Tally
	// after is the last delivery of the plan before.
	after string
	// inChunks: first attempts are made many by one activity, at most so many as chunk says.
	inChunks, begun bool
	chunk           int
	// leftOver: deliveries were left to the workflow's next run, because their channel is slow and this history long.
	leftOver bool
	// troubled counts the deliveries whose first attempt was no success, and which are on their way by themselves;
	// troubledEvents holds their events.
	troubled       workflow.WaitGroup
	troubledSlots  workflow.Semaphore
	troubledEvents map[string]bool
	// notificationIDs are those of a batch that send.
	notificationIDs []string
	told            bool
}

func newSending(ctx workflow.Context, in SendNotificationInput) *sending {
	return &sending{
		eventIDs: in.EventIDs, tally: in.Before,
		troubled: workflow.NewWaitGroup(ctx), troubledSlots: workflow.NewSemaphore(ctx, parallelSends),
		troubledEvents: make(map[string]bool),
	}
}

// send sends a plan's deliveries: in chunks when they are many. That is decided once, by the first plan: it alone tells a
// single change with a few recipients from a batch of changes, and from a change with thousands.
func (s *sending) send(ctx workflow.Context, plan activities.Plan) error {
	if !s.begun {
		s.begun = true
		s.chunk = plan.Chunk
		s.inChunks = plan.Chunk > 0 && (len(s.eventIDs) > 1 || len(plan.Deliveries) > plan.Chunk)
	}
	if !s.inChunks {
		if err := announce(ctx, plan); err != nil {
			return err
		}
		if err := s.each(ctx, plan); err != nil {
			return err
		}
		showProgress(ctx, s.tally)
		return nil
	}
	s.remember(plan)
	if len(plan.Deliveries) > 0 {
		s.after = plan.Deliveries[len(plan.Deliveries)-1].ID
	}
	return s.firstPass(ctx, plan)
}

// remember gathers the notifications that send: a batch tells them when it ends, or when a part of it waits. While all is
// well it ends so soon that nobody looks for it.
func (s *sending) remember(plan activities.Plan) {
	for _, id := range plan.NotificationIDs {
		if !slices.Contains(s.notificationIDs, id) {
			s.notificationIDs = append(s.notificationIDs, id)
		}
	}
}

// tell makes the workflow findable by its notifications and its outcome.
func (s *sending) tell(ctx workflow.Context, outcome Outcome) error {
	updates := []temporal.SearchAttributeUpdate{OutcomeAttribute.ValueSet(string(outcome))}
	if len(s.notificationIDs) > 0 {
		slices.Sort(s.notificationIDs)
		updates = append(updates, NotificationsAttribute.ValueSet(s.notificationIDs[:min(len(s.notificationIDs), notificationsShown)]))
	}
	return workflow.UpsertTypedSearchAttributes(ctx, updates...)
}

// tellOnce tells of a batch that takes longer than a moment.
func (s *sending) tellOnce(ctx workflow.Context) error {
	if s.told {
		return nil
	}
	s.told = true
	return s.tell(ctx, OutcomeSending)
}

// notificationsShown is how many IDs fit the search attribute: 2 KB.
const notificationsShown = 50

// each brings every delivery of the plan to its end, side by side, by an activity of its own. When a person cancels the
// workflow, the rest ends as failed with the code canceled: waiting for a slot and for the siblings is not cancelled.
func (s *sending) each(ctx workflow.Context, plan activities.Plan) error {
	uncancelled, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	slots := workflow.NewSemaphore(ctx, parallelSends)
	siblings := workflow.NewWaitGroup(ctx)
	for _, delivery := range plan.Deliveries {
		if err := slots.Acquire(uncancelled, 1); err != nil {
			return err
		}
		siblings.Add(1)
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer siblings.Done()
			defer slots.Release(1)
			s.count(deliver(ctx, delivery, plan.Retry))
		})
	}
	siblings.Wait(uncancelled)
	return nil
}

func (s *sending) count(e end) {
	switch e {
	case delivered:
		s.tally.Sent++
	case notDelivered:
		s.tally.Failed++
	case suppressed:
		s.tally.Suppressed++
	case leftOver:
		s.leftOver = true
	}
}

// settle ends the events: at once those without trouble, so that the relay and their readers need not wait, and the others
// when their last try is over.
func (s *sending) settle(ctx workflow.Context) error {
	if len(s.troubledEvents) == 0 {
		return settle(ctx, s.eventIDs, nil)
	}
	var done, open []string
	for _, id := range s.eventIDs {
		if s.troubledEvents[id] {
			open = append(open, id)
		} else {
			done = append(done, id)
		}
	}
	if err := settle(ctx, done, open); err != nil {
		return err
	}
	if err := s.tellOnce(ctx); err != nil {
		return err
	}
	s.awaitTroubled(ctx)
	return settle(ctx, open, nil)
}

// awaitTroubled waits for the deliveries that are on their way by themselves.
func (s *sending) awaitTroubled(ctx workflow.Context) {
	ctx, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	s.troubled.Wait(ctx)
	showProgress(ctx, s.tally)
}

// eventOf is the event of the workflow because of which the delivery is sent.
func eventOf(d activities.Planned, eventIDs []string) string {
	if d.RetryEventID != "" && slices.Contains(eventIDs, d.RetryEventID) {
		return d.RetryEventID
	}
	return d.EventID
}
