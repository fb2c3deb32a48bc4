package activities

import (
	"context"
	"sync/atomic"
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

// Gate says when hand-overs of a channel may begin, for all workers together: a provider takes so many a second, so many
// at once, and sometimes asks everybody to slow down.
type Gate interface {
	// Admit asks for up to want hand-overs that begin within patience. It gives how many may (0 to want), and how long to
	// wait before they begin; with none, how long before asking again. release gives the admission back when all of them
	// are over, with the number that did not begin.
	Admit(ctx context.Context, channel rule.Channel, want int, patience time.Duration) (granted int, wait time.Duration, release func(ctx context.Context, unused int), err error)
	// Slow says that the provider refused with the code, and asked for the wait (zero: for none in particular). Codes that
	// concern one message only change nothing.
	Slow(ctx context.Context, channel rule.Channel, code string, wait time.Duration)
}

// admission is the right to make hand-overs now. Whoever has it calls leave once for each of them.
type admission struct {
	granted int
	turns   *Turns
	release func(unused int)
	left    atomic.Int64
	unused  atomic.Int64
}

// enter asks for turns on a channel: first of this worker's, see Turns, then of all workers', see Gate. It waits up to
// patience until the hand-overs may begin. With none granted, later is how long to wait before asking again.
func (a *Activities) enter(ctx context.Context, channel rule.Channel, want int, patience time.Duration) (ad *admission, later time.Duration) {
	until := time.Now().Add(patience)
	ad = &admission{granted: want, turns: a.Turns[channel], release: func(int) {}}
	if ad.turns != nil {
		if ad.granted, later = ad.turns.enter(ctx, want, patience); ad.granted == 0 {
			return ad, later
		}
	}
	if a.Gate != nil {
		later = a.pass(ctx, channel, ad, max(time.Until(until), 0))
	}
	ad.left.Store(int64(ad.granted))
	return ad, later
}

// pass takes the worker's turns through the gate, and gives back those that it does not admit.
func (a *Activities) pass(ctx context.Context, channel rule.Channel, ad *admission, patience time.Duration) (later time.Duration) {
	asking, cancel := context.WithTimeout(ctx, patience+gateTimeout)
	defer cancel()
	granted, wait, release, err := a.Gate.Admit(asking, channel, ad.granted, patience)
	if err != nil {
		a.Log.Warn("The application's database did not answer", "step", "admit hand-overs", "error", err)
		granted, wait = 0, turnPause
	}
	if granted > 0 {
		ad.release = func(unused int) { release(context.WithoutCancel(ctx), unused) }
		if !sleep(ctx, wait) {
			ad.release(granted)
			granted, wait = 0, turnPause
		}
	}
	if ad.turns != nil {
		ad.turns.slots.Release(int64(ad.granted - granted))
	}
	ad.granted = granted
	if granted == 0 {
		return max(wait, minPause)
	}
	return 0
}

// gateTimeout bounds a question to the gate beyond the caller's patience: hand-overs that end meanwhile are to be written
// down.
const gateTimeout = 2 * time.Second

// minPause keeps a send that may not begin from coming back at once: each time is some lines of its workflow's history.
const minPause = 50 * time.Millisecond

// sleep waits, and says whether ctx lasted.
func sleep(ctx context.Context, wait time.Duration) bool {
	if wait <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// leave says that one hand-over is over, or did not begin.
func (ad *admission) leave(begun bool) {
	ad.free()
	ad.end(begun)
}

// free lets another have the turn of a hand-over that is over.
func (ad *admission) free() {
	if ad.turns != nil {
		ad.turns.slots.Release(1)
	}
}

// end tells the gate of a hand-over that is over, or did not begin; that can take some seconds.
func (ad *admission) end(begun bool) {
	if !begun {
		ad.unused.Add(1)
	}
	if ad.left.Add(-1) == 0 {
		ad.release(int(ad.unused.Load()))
	}
}

// noteTimeout bounds a note about a hand-over that is over.
const noteTimeout = 5 * time.Second

// slow tells the gate of a refusal.
func (a *Activities) slow(ctx context.Context, channel rule.Channel, e ended) {
	if a.Gate != nil && e.Outcome != Accepted {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
		defer cancel()
		a.Gate.Slow(ctx, channel, e.Code, e.retryAfter)
	}
}
