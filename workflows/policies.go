package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/silquetech/silque-notifications/activities"
	"github.com/silquetech/silque-notifications/internal/rule"
)

// Every timeout and retry of the workflows, each named for its purpose.

const (
	// sendTimeout is longer than a provider's (20 s, at most 25 s), so that an abandoned attempt has ended, and has
	// written down how, before its successor begins.
	sendTimeout = 30 * time.Second

	// interruptionLimit is how often a send is begun anew because its worker died in the middle, again and again: then
	// the message itself may be what kills it. A database that is away is waited for without a limit.
	interruptionLimit   = 30
	interruptionWait    = 5 * time.Second
	interruptionMaxWait = 10 * time.Minute

	// slowShortWait is what a chunk waits for its channel by itself.
	slowShortWait = time.Second
	// slowMaxPause bounds the wait for a channel that is to be slow, unless it asks for a longer one.
	slowMaxPause = 30 * time.Second

	// bookkeepingPatience is how long a step that needs the database goes on trying. It must be said: a local activity
	// without it gives up after its StartToCloseTimeout, retries included.
	bookkeepingPatience = 365 * 24 * time.Hour

	// resolveTimeout has room for a thousand notifications that each read related rows from a slow database.
	resolveTimeout = 10 * time.Minute

	// chunkAttempts is how often a chunk is tried whose worker or database fails; then each delivery goes its way by itself.
	chunkAttempts = 5
	// parallelChunks bounds the chunks of one channel that a workflow has under way: one is worked on, and the next is
	// there when it ends.
	parallelChunks = 2

	// parallelSends bounds the sends under way in one workflow; Temporal allows 2,000 pending activities.
	parallelSends = 200
)

// sendProfile is the retry profile of a hand-over: so many attempts in all, the same wait between them. The numbers
// come with the plan, so that they are part of the history and a changed setting meets no running workflow.
func sendProfile(r activities.RetryProfile) *temporal.RetryPolicy {
	return &temporal.RetryPolicy{
		InitialInterval:    r.Interval,
		BackoffCoefficient: 1,
		MaximumInterval:    r.Interval,
		MaximumAttempts:    int32(r.Attempts), //nolint:gosec // 1 to 100, see the settings
	}
}

// sendOptions are those of one hand-over, on its channel's queue.
func sendOptions(ctx workflow.Context, d activities.Planned, r activities.RetryProfile) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		TaskQueue:           ChannelQueue(workflow.GetInfo(ctx).TaskQueueName, d.Channel),
		StartToCloseTimeout: sendTimeout,
		WaitForCancellation: true, // a hand-over under way comes to its end, and its end counts
		RetryPolicy:         sendProfile(d.Retry.Or(r)),
		Priority:            temporal.Priority{PriorityKey: d.Priority},
		Summary:             string(d.Channel) + " · delivery " + d.ID,
	}
}

// chunkOptions are those of one attempt at many deliveries of a channel, on its queue for such. Only a worker or a
// database can fail it; what a provider refuses is its result.
func chunkOptions(ctx workflow.Context, first activities.Planned, count int) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		TaskQueue:           ChunkQueue(workflow.GetInfo(ctx).TaskQueueName, first.Channel),
		StartToCloseTimeout: sendTimeout,
		WaitForCancellation: true,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 30 * time.Second, MaximumAttempts: chunkAttempts,
		},
		Priority: temporal.Priority{PriorityKey: first.Priority},
		Summary:  chunkSummary(first.Channel, count),
	}
}

// bookkeepingOptions are those of the short local steps that read and write the application's database. They go on
// trying: until the database is back there is nothing else to do.
func bookkeepingOptions(summary string) workflow.LocalActivityOptions {
	return workflow.LocalActivityOptions{
		StartToCloseTimeout:    time.Minute,
		ScheduleToCloseTimeout: bookkeepingPatience,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    500 * time.Millisecond,
			BackoffCoefficient: 2,
			MaximumInterval:    30 * time.Second,
		},
		Summary: summary,
	}
}

// errorLogOptions are those of RecordFailure, which tries until it succeeds: no failure may go unrecorded.
func errorLogOptions(d activities.Planned) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    time.Second,
			BackoffCoefficient: 2,
			MaximumInterval:    time.Minute,
		},
		Summary: "error log · delivery " + d.ID,
	}
}

// scanOptions are those of the steps of a scan, which try until the application's database is there: the schedule starts
// no other scan of the notification meanwhile.
func scanOptions() workflow.ActivityOptions {
	return workflow.ActivityOptions{
		StartToCloseTimeout: 5 * time.Minute,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    time.Second,
			BackoffCoefficient: 2,
			MaximumInterval:    time.Minute,
		},
		Summary: "look for dates that have come",
	}
}

// slowPause is the wait before a channel that is to be slow is asked for the next time: as long as it asked for, and longer
// each time that was in vain, because each is some lines of the history. Zero stands for a wait so short that the next
// activity had better do it: a timer of Temporal's can be a second late, which would waste half of a low rate.
func slowPause(asked time.Duration, vain int) time.Duration {
	if vain == 0 {
		if asked <= slowShortWait {
			return 0
		}
		return asked
	}
	return max(asked, min(time.Second<<min(vain-1, 10), slowMaxPause))
}

// pause waits, under a line in Temporal Web UI that says for what.
func pause(ctx workflow.Context, d time.Duration, why string) error {
	if d <= 0 {
		return ctx.Err()
	}
	return workflow.NewTimerWithOptions(ctx, d, workflow.TimerOptions{Summary: why}).Get(ctx, nil)
}

// interruptionPause is the wait before a send is begun anew after its n-th interruption.
func interruptionPause(n int) time.Duration {
	pause := interruptionWait
	for range n - 1 {
		if pause *= 2; pause > interruptionMaxWait {
			return interruptionMaxWait
		}
	}
	return pause
}

// activitiesOf names a channel's activities: for one delivery, and for many.
func activitiesOf(c rule.Channel) (one, many any) {
	var a *activities.Activities
	switch c {
	case rule.SMS:
		return a.SendSMS, a.SendSMSChunk
	case rule.WhatsApp:
		return a.SendWhatsApp, a.SendWhatsAppChunk
	default:
		return a.SendEmail, a.SendEmailChunk
	}
}
