package relay

import (
	"context"
	"sync"
	"time"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/workflows"
)

// busy is the set of batches whose first pass is not over.
type busy struct {
	mutex   sync.Mutex
	batches map[string]chan struct{} // closed when the batch has passed
	quiet   time.Time                // when the last batch left
}

func newBusy() *busy { return &busy{batches: make(map[string]chan struct{})} }

func (b *busy) count() int {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return len(b.batches)
}

// add gives the channel that is closed when the batch has passed; not ok when the batch is there already.
func (b *busy) add(batchID string) (passed <-chan struct{}, ok bool) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.batches[batchID] != nil {
		return nil, false
	}
	fresh := make(chan struct{})
	b.batches[batchID] = fresh
	return fresh, true
}

func (b *busy) remove(batchID string) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	delete(b.batches, batchID)
	b.quiet = time.Now()
}

// quietSince is when a batch left the last time.
func (b *busy) quietSince() time.Time {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.quiet
}

// pass says that a batch has passed, and whether it was in the set.
func (b *busy) pass(batchID string) bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	passed, known := b.batches[batchID]
	if !known {
		return false
	}
	select {
	case <-passed:
	default:
		close(passed)
	}
	return true
}

// passPoll is how often the database is asked for the pass of a batch where no notice of it can come: on SQLite from a
// worker in another process.
const passPoll = 25 * time.Millisecond

// awaitPass waits until the batch has passed, or BusyFor is over, and then notes the start unless the workflow has shown
// by itself that it runs: a note for each would cost a commit, and be in the way of the workflow's own.
func (r *Relay) awaitPass(ctx context.Context, b outbox.Batch, passed <-chan struct{}) {
	if !r.hasPassed(ctx, b, passed) {
		r.note(ctx, b)
	}
}

// note writes down that a batch's workflow was started.
func (r *Relay) note(ctx context.Context, b outbox.Batch) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), markTimeout)
	defer cancel()
	if err := outbox.MarkStarted(ctx, r.db, b, workflows.WorkflowID(b.ID)); err != nil {
		r.options.Log.Warn("A start could not be noted; it will be repeated without effect", "batch", b.ID, "error", err)
	}
}

func (r *Relay) hasPassed(ctx context.Context, b outbox.Batch, passed <-chan struct{}) bool {
	over := time.NewTimer(r.options.BusyFor)
	defer over.Stop()
	poll := time.NewTicker(passPoll)
	defer poll.Stop()
	if r.db.Name() == "postgres" {
		poll.Stop()
	}
	for {
		select {
		case <-passed:
			return true
		case <-over.C:
			return false
		case <-ctx.Done():
			return false
		case <-poll.C:
			if done, err := outbox.Passed(ctx, r.db, b.ID); err == nil && done {
				return true
			}
		}
	}
}
