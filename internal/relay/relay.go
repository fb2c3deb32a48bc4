// Package relay brings events from the outbox to Temporal: it claims waiting events, starts their workflows, and finds
// what a dead process left behind. Any number of relays may run at once.
package relay

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/workflows"
)

// Temporal is the part of a Temporal client that a relay uses.
type Temporal interface {
	ExecuteWorkflow(ctx context.Context, o client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error)
	DescribeWorkflowExecution(ctx context.Context, workflowID, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error)
}

// Abandoner ends what a stopped workflow left: its unsent deliveries fail, the error log says so, its events settle.
type Abandoner interface {
	Abandon(ctx context.Context, eventIDs []string, reason string) error
}

// Options are a relay's numbers; zero values take the defaults.
type Options struct {
	TaskQueue string
	// BatchMax is the most events of one workflow under load; 1 means one workflow a change, always. Default 1.
	BatchMax int
	// Parallel is the most batches that are busy at a time while each has one event. Default 4; 8 when BatchMax is 1.
	Parallel int
	// Full is the most full batches that are busy at a time: while Temporal moves one on, another is sent. Default 3.
	Full int
	// Gather is how long the next batch waits for company after one that had several events and was not full. Default 100 ms.
	Gather time.Duration
	// BusyFor is how long a batch counts as busy at most, whatever becomes of it. Default 1 s.
	BusyFor time.Duration
	// Poll is how often the outbox is looked at without a nudge. Default 200 ms.
	Poll time.Duration
	// AbandonedAfter is the age at which a claim that led to no start is taken over. Default 5 s.
	AbandonedAfter time.Duration
	// CheckAfter is how long a started workflow is trusted before Temporal is asked about it. Default 1 minute.
	CheckAfter time.Duration
	Log        *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.BatchMax <= 0 {
		o.BatchMax = 1
	}
	if o.Parallel <= 0 {
		o.Parallel = 4
		if o.BatchMax == 1 {
			o.Parallel = 8
		}
	}
	if o.BusyFor <= 0 {
		o.BusyFor = time.Second
	}
	if o.Full <= 0 {
		o.Full = 3
	}
	if o.Gather <= 0 {
		o.Gather = 100 * time.Millisecond
	}
	if o.Poll <= 0 {
		o.Poll = 200 * time.Millisecond
	}
	if o.AbandonedAfter <= 0 {
		o.AbandonedAfter = 5 * time.Second
	}
	if o.CheckAfter <= 0 {
		o.CheckAfter = time.Minute
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Relay starts workflows for events. Make one with New, run it with Run, and Nudge it after a commit.
//
// It commits in groups: while a batch is busy, which is until each of its deliveries has been tried once, what comes
// meanwhile gathers and travels together. So a change has a workflow of its own while the system is idle, and a backlog
// travels in large batches that cost little.
type Relay struct {
	db        *gorm.DB
	temporal  Temporal
	abandoner Abandoner
	options   Options

	nudges chan struct{}
	turns  outbox.Turns // the dispatcher's own
	// last is how many events the last claim found; the dispatcher's own. More than one is a load.
	last   int
	busy   *busy
	starts sync.WaitGroup

	mutex   sync.Mutex
	failing int // how many starts Temporal has not taken at the last try
	// unable: the last look for events, or their claim, failed.
	unable bool
}

// New gives a relay between the database and Temporal.
func New(db *gorm.DB, temporal Temporal, abandoner Abandoner, o Options) *Relay {
	o = o.withDefaults()
	return &Relay{
		db:        db.Session(&gorm.Session{NewDB: true, SkipHooks: true}),
		temporal:  temporal,
		abandoner: abandoner,
		options:   o,
		nudges:    make(chan struct{}, 1),
		busy:      newBusy(),
	}
}

// Nudge says that an event has just been committed. It never blocks.
func (r *Relay) Nudge() {
	select {
	case r.nudges <- struct{}{}:
	default:
	}
}

// Run relays until ctx ends, then waits for the starts under way. A batch that Temporal has not taken by then keeps its
// claim, and the next relay repeats the same start.
func (r *Relay) Run(ctx context.Context) {
	var helpers sync.WaitGroup
	helpers.Go(func() { r.recover(ctx) })
	helpers.Go(func() { r.listen(ctx) })
	r.dispatch(ctx)
	helpers.Wait() // before the starts: the recovery begins some of them
	r.starts.Wait()
}

// Stalled says whether Temporal refuses starts at the moment: events wait meanwhile.
func (r *Relay) Stalled() bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.failing > 0
}

// Unable says whether events cannot be claimed at the moment, because the database does not let itself be written or does
// not answer: what waits in it waits on.
func (r *Relay) Unable() bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.unable
}

// claimed notes how the last look or claim ended, and logs where that changes: looks are many.
func (r *Relay) claimed(err error) {
	r.mutex.Lock()
	before := r.unable
	r.unable = err != nil
	r.mutex.Unlock()
	switch {
	case err != nil && !before:
		r.options.Log.Warn("Events cannot be claimed; trying until they can", "error", err)
	case err == nil && before:
		r.options.Log.Info("Events can be claimed again")
	}
}

// dispatch claims and starts whenever it is nudged, and at every poll.
func (r *Relay) dispatch(ctx context.Context) {
	poll := time.NewTicker(r.options.Poll)
	defer poll.Stop()
	for {
		r.drain(ctx)
		select {
		case <-ctx.Done():
			return
		case <-r.nudges:
		case <-poll.C:
		}
	}
}

// drain claims as long as something waits and there is room for it. Room comes first: an event is claimed only when its
// start can begin at once.
func (r *Relay) drain(ctx context.Context) {
	for ctx.Err() == nil {
		room, err := r.room(ctx)
		if err == nil && room > 0 {
			var batch outbox.Batch
			if batch, err = r.turns.Claim(ctx, r.db, room); err == nil {
				r.last = len(batch.Events)
				if len(batch.Events) > 0 {
					r.claimed(nil)
					r.begin(ctx, batch, false)
					continue
				}
			}
		}
		if ctx.Err() == nil {
			r.claimed(err)
		}
		return
	}
}

// room gives how many events the next batch may have. Under load a batch goes alone unless it is full, and as full as a
// moment's patience makes it: small workflows would eat the time in which others are saved. A single event that waits
// while the system is idle need not wait for another single one.
func (r *Relay) room(ctx context.Context) (int, error) {
	busy := r.busy.count()
	switch {
	case busy >= r.options.Parallel || busy > 0 && r.Stalled():
		return 0, nil
	case r.options.BatchMax == 1:
		return 1, nil
	case r.last == r.options.BatchMax && busy < r.options.Full:
		return r.options.BatchMax, nil
	case r.last > 1 && (busy > 0 || !r.gathered()):
		return 0, nil
	case busy == 0:
		return r.options.BatchMax, nil
	}
	waiting, err := outbox.Waiting(ctx, r.db, 2)
	if waiting == 1 && err == nil {
		return 1, nil
	}
	return 0, err
}

// gathered says whether the next batch has had time to fill since the last one was over. After a full one it need not
// wait: more is there.
func (r *Relay) gathered() bool {
	return r.last == r.options.BatchMax || time.Since(r.busy.quietSince()) >= r.options.Gather
}

// begin starts a batch's workflow in the background, and counts it as busy until its first pass is over. A start that is
// repeated is noted at once: its workflow may have resolved its events long ago, and shows nothing any more.
func (r *Relay) begin(ctx context.Context, b outbox.Batch, again bool) {
	passed, ok := r.busy.add(b.ID)
	if !ok {
		return // this relay has it in hand already
	}
	r.starts.Go(func() {
		defer r.nudgeSoon(len(b.Events))
		defer r.busy.remove(b.ID)
		if r.start(ctx, b) {
			if again {
				r.note(ctx, b)
			}
			r.awaitPass(ctx, b, passed)
		}
	})
}

// nudgeSoon looks for the next batch when that has had time to gather.
func (r *Relay) nudgeSoon(events int) {
	if events > 1 && events < r.options.BatchMax {
		time.AfterFunc(r.options.Gather, r.Nudge)
		return
	}
	r.Nudge()
}

// Passed says that a workflow's deliveries have all been tried once, or that one of them is to be tried again: either way
// nothing need wait for it any longer. It says whether this relay knows the workflow, and never blocks.
func (r *Relay) Passed(workflowID string) bool {
	batchID, ok := workflows.BatchOf(workflowID)
	return ok && r.busy.pass(batchID)
}
