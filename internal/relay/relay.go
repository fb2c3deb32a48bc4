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
	// BatchMax is the most events of one workflow. Default 1: one workflow a change.
	BatchMax int
	// Parallel is the most starts under way. Default 8.
	Parallel int
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
		o.Parallel = 8
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
type Relay struct {
	db        *gorm.DB
	temporal  Temporal
	abandoner Abandoner
	options   Options

	nudges chan struct{}
	slots  chan struct{}
	starts sync.WaitGroup

	mutex    sync.Mutex
	inFlight map[string]bool // batches that this relay is starting
	failing  int             // how many of them Temporal has not taken at the last try
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
		slots:     make(chan struct{}, o.Parallel),
		inFlight:  make(map[string]bool),
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

// drain claims until nothing waits. A slot comes first: an event is claimed only when its start can begin at once.
func (r *Relay) drain(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case r.slots <- struct{}{}:
		}
		batch, err := outbox.Claim(ctx, r.db, r.options.BatchMax)
		if err != nil || len(batch.Events) == 0 {
			<-r.slots
			if err != nil && ctx.Err() == nil {
				r.options.Log.Warn("Events cannot be claimed; trying again", "error", err)
			}
			return
		}
		r.begin(ctx, batch)
	}
}

// begin starts a batch's workflow in the background. The caller has taken a slot.
func (r *Relay) begin(ctx context.Context, b outbox.Batch) {
	if !r.take(b.ID) {
		<-r.slots
		return
	}
	r.starts.Go(func() {
		defer func() { <-r.slots }()
		defer r.release(b.ID)
		r.start(ctx, b)
	})
}

func (r *Relay) take(batchID string) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.inFlight[batchID] {
		return false
	}
	r.inFlight[batchID] = true
	return true
}

func (r *Relay) release(batchID string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	delete(r.inFlight, batchID)
}
