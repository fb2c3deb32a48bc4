package activities

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// Turns bounds the hand-overs that this worker makes at once on a channel, those of chunks and single ones together.
// Whoever waits longest comes first, so that one message is not kept waiting by ten thousand.
type Turns struct {
	slots *semaphore.Weighted
}

// NewTurns allows so many at once.
func NewTurns(atOnce int) *Turns { return &Turns{slots: semaphore.NewWeighted(int64(atOnce))} }

// enter waits up to patience for one turn, takes as many more as are free, up to want, and gives their number. With none
// it says how long to wait before asking again.
func (t *Turns) enter(ctx context.Context, want int, patience time.Duration) (granted int, later time.Duration) {
	if !t.slots.TryAcquire(1) {
		if patience <= 0 {
			return 0, turnPause
		}
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if t.slots.Acquire(ctx, 1) != nil {
			return 0, turnPause
		}
	}
	for granted = 1; granted < want && t.slots.TryAcquire(1); granted++ {
		continue
	}
	return granted, 0
}

// turnPause is the wait before a channel is asked again whose turns were all taken.
const turnPause = 2 * time.Second

// enter asks for turns on a channel, see Turns. A channel without a bound gives them all.
func (a *Activities) enter(ctx context.Context, channel rule.Channel, want int, patience time.Duration) (granted int, later time.Duration) {
	turns, bounded := a.Turns[channel]
	if !bounded {
		return want, 0
	}
	return turns.enter(ctx, want, patience)
}

// leave gives turns back.
func (a *Activities) leave(channel rule.Channel, count int) {
	if turns, bounded := a.Turns[channel]; bounded && count > 0 {
		turns.slots.Release(int64(count))
	}
}
