package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/silquetech/silque-notifications/activities"
	"github.com/silquetech/silque-notifications/internal/rule"
)

// firstPass makes the first attempt at every delivery of the plan, many by one activity, the channels side by side. Health
// costs little so. Trouble is seen one by one: a delivery that was refused gets an activity of its own with the attempts
// that are left, and goes its way while the next plan begins.
func (s *sending) firstPass(ctx workflow.Context, plan activities.Plan) error {
	uncancelled, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	channels := workflow.NewWaitGroup(ctx)
	for _, group := range grouped(plan.Deliveries) {
		slots := workflow.NewSemaphore(ctx, parallelChunks)
		for _, chunk := range chunked(group, s.chunk) {
			channels.Add(1)
			workflow.Go(ctx, func(ctx workflow.Context) {
				defer channels.Done()
				uncancelled, done := workflow.NewDisconnectedContext(ctx)
				defer done()
				if slots.Acquire(uncancelled, 1) != nil {
					return
				}
				defer slots.Release(1)
				s.sendChunk(ctx, chunk, plan.Retry)
				showProgress(ctx, s.tally)
			})
		}
	}
	channels.Wait(uncancelled)
	return nil
}

// grouped parts deliveries by channel and priority, in the order of their first.
func grouped(deliveries []activities.Planned) (groups [][]activities.Planned) {
	type key struct {
		channel  rule.Channel
		priority int
	}
	index := make(map[key]int)
	for _, d := range deliveries {
		k := key{d.Channel, d.Priority}
		at, known := index[k]
		if !known {
			at = len(groups)
			index[k] = at
			groups = append(groups, nil)
		}
		groups[at] = append(groups[at], d)
	}
	return groups
}

func chunked(group []activities.Planned, size int) (chunks [][]activities.Planned) {
	for len(group) > size {
		chunks, group = append(chunks, group[:size]), group[size:]
	}
	return append(chunks, group)
}

// sendChunk makes one attempt at each delivery of the chunk, in as many activities as its channel needs time for. When the
// worker or the database fails it again and again, each delivery goes its way by itself.
func (s *sending) sendChunk(ctx workflow.Context, chunk []activities.Planned, r activities.RetryProfile) {
	byID := make(map[string]activities.Planned, len(chunk))
	items := make([]activities.ChunkItem, len(chunk))
	for i, d := range chunk {
		byID[d.ID], items[i] = d, activities.ChunkItem{ID: d.ID, RetryEventID: d.RetryEventID}
	}
	_, send := activitiesOf(chunk[0].Channel)
	waits := 0
	for len(items) > 0 {
		options := chunkOptions(ctx, chunk[0], len(items))
		var result activities.ChunkResult
		err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), send,
			activities.ChunkInput{Deliveries: items}).Get(ctx, &result)
		if result.Sent+len(result.Refused) > 0 {
			waits = 0
		}
		if err == nil && len(result.Unsent) > 0 {
			err = s.tellOnce(ctx)
		}
		if err == nil && result.Later > 0 && len(result.Unsent) > 0 {
			if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
				s.leftOver = true
				result.Unsent = nil
			} else {
				err = pause(ctx, slowPause(result.Later, waits), string(chunk[0].Channel)+" is to be slow")
				waits++
			}
		}
		s.tally.Sent += result.Sent
		s.tally.Suppressed += result.Suppressed
		s.tally.Failed += result.Ended
		for _, refused := range result.Refused {
			s.retry(ctx, byID[refused.ID], refused, r)
		}
		if err != nil {
			for _, item := range unsentOf(items, result) {
				s.alone(ctx, byID[item.ID], func(ctx workflow.Context) end { return s.inTurn(ctx, byID[item.ID], r) })
			}
			return
		}
		items = result.Unsent
	}
}

// unsentOf gives what a chunk that ended in an error has left.
func unsentOf(items []activities.ChunkItem, result activities.ChunkResult) []activities.ChunkItem {
	if result.Unsent != nil {
		return result.Unsent
	}
	return items
}

// retry goes on with a delivery whose first attempt was refused.
func (s *sending) retry(ctx workflow.Context, d activities.Planned, refused activities.Refused, r activities.RetryProfile) {
	s.alone(ctx, d, func(ctx workflow.Context) end {
		left := d.Retry.Or(r)
		left.Attempts--
		failure := activities.FailureBy(d, refused)
		wait := left.Interval
		if refused.Wait > 0 {
			wait = refused.Wait
		}
		if refused.Class != activities.Permanent && left.Attempts > 0 {
			err := pause(ctx, wait, fmt.Sprintf("%s · delivery %s · next attempt, %d left", d.Channel, d.ID, left.Attempts))
			if err == nil {
				d.Retry = left
				return s.inTurn(ctx, d, r)
			}
			failure = activities.FailureOf(d, err)
		}
		return s.fail(ctx, d, failure)
	})
}

// alone lets one delivery go its way beside all others.
func (s *sending) alone(ctx workflow.Context, d activities.Planned, way func(ctx workflow.Context) end) {
	s.troubledEvents[eventOf(d, s.eventIDs)] = true
	s.troubled.Add(1)
	workflow.Go(ctx, func(ctx workflow.Context) {
		defer s.troubled.Done()
		s.count(way(ctx))
	})
}

// fail records a failure when fewer than parallelSends others are under way: Temporal allows 2,000 at once.
func (s *sending) fail(ctx workflow.Context, d activities.Planned, failure activities.Failure) end {
	uncancelled, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	if s.troubledSlots.Acquire(uncancelled, 1) != nil {
		return notDelivered
	}
	defer s.troubledSlots.Release(1)
	recordFailure(ctx, d, failure)
	return notDelivered
}

// inTurn delivers when fewer than parallelSends others are under way.
func (s *sending) inTurn(ctx workflow.Context, d activities.Planned, r activities.RetryProfile) end {
	uncancelled, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	if s.troubledSlots.Acquire(uncancelled, 1) != nil {
		return notDelivered
	}
	defer s.troubledSlots.Release(1)
	return deliver(ctx, d, r)
}

// chunkSummary is what Temporal Web UI shows for a chunk.
func chunkSummary(c rule.Channel, count int) string {
	return fmt.Sprintf("%s · %d deliveries", c, count)
}
