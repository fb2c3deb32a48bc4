package pace

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// releaseTimeout bounds what Release may take after its caller's context has ended: as long as a statement waits for others
// on SQLite, see store.Open.
const releaseTimeout = 15 * time.Second

// errNothing undoes the leases of a request for which the schedule has no room.
var errNothing = errors.New("nothing is granted")

// request is one call of Admit.
type request struct {
	*Gate
	channel rule.Channel
	limits  Limits
	// scheduled requests go through the channel's schedule: it has a rate, or a pause ended only just.
	scheduled bool
	patience  time.Duration
}

// admit takes what each of the limits allows, or none.
func (r request) admit(ctx context.Context, want int) (Admission, error) {
	if r.limits.Concurrency <= 0 && !r.scheduled {
		return r.admission(place{granted: want}, lease{}), nil
	}
	if err := r.writing.enter(ctx); err != nil {
		return Admission{}, err
	}
	defer r.writing.leave()
	if r.limits.Concurrency <= 0 {
		p, err := r.reserve(r.db.WithContext(ctx), want)
		return r.outcome(p, lease{}), err
	}
	l, p, err := r.both(ctx, want)
	if err == nil && len(l.slots) == 0 {
		return r.crowded(ctx, want)
	}
	return r.outcome(p, l), err
}

// both takes leases, and room in the schedule where there is one, at once or not at all. Leases come first: they wait for
// nobody, so those who wait for the schedule's row wait for one statement of others.
func (r request) both(ctx context.Context, want int) (l lease, p place, err error) {
	if !r.scheduled {
		l, err = r.hold(r.db.WithContext(ctx), want)
		return l, place{granted: len(l.slots)}, err
	}
	err = r.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if l, err = r.hold(tx, min(want, r.limits.burst())); err != nil || len(l.slots) == 0 {
			return err
		}
		if p, err = r.reserve(tx, len(l.slots)); err != nil {
			return err
		}
		if p.granted == 0 {
			return errNothing
		}
		return r.shorten(tx, &l, p.granted)
	})
	if errors.Is(err, errNothing) {
		err = nil
	}
	return l, p, err
}

// crowded answers when all of the concurrency is in use, after it has made sure that there is as much as the settings say.
func (r request) crowded(ctx context.Context, want int) (Admission, error) {
	found, free, err := r.freeSlots(ctx)
	if err != nil {
		return Admission{}, err
	}
	if found == r.limits.Concurrency {
		return r.refusal(min(free, crowdedWait)), nil
	}
	if err := r.makeSlots(ctx); err != nil {
		return Admission{}, err
	}
	l, p, err := r.both(ctx, want)
	if err == nil && len(l.slots) == 0 {
		return r.refusal(crowdedWait), nil
	}
	return r.outcome(p, l), err
}

// outcome turns what the schedule answered into an Admission.
func (r request) outcome(p place, l lease) Admission {
	if p.granted == 0 {
		return r.refusal(p.wait - r.patience)
	}
	return r.admission(p, l)
}

func (r request) refusal(wait time.Duration) Admission {
	return Admission{Wait: max(wait, leastWait), Release: func(context.Context, int) error { return nil }}
}

func (r request) admission(p place, l lease) Admission {
	var once sync.Once
	return Admission{Granted: p.granted, Wait: p.wait, Release: func(ctx context.Context, unused int) error {
		var err error
		once.Do(func() { err = r.release(ctx, p, l, min(max(unused, 0), p.granted)) })
		return err
	}}
}

// release gives back what an admission holds, although ctx may have ended.
func (r request) release(ctx context.Context, p place, l lease, unused int) error {
	if len(l.slots) == 0 && (unused == 0 || p.interval == 0) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	err := r.writing.enter(ctx)
	if err == nil {
		defer r.writing.leave()
		db := r.db.WithContext(ctx)
		err = errors.Join(r.shorten(db, &l, 0), r.giveBack(db, p, unused))
	}
	if err != nil {
		return fmt.Errorf("pace: release on channel %s: %w", r.channel, err)
	}
	return nil
}
