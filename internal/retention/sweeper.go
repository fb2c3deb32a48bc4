// Package retention deletes what has been at its end for long: settled events with their deliveries and attempts, and the
// error log's rows. Without it the outbox grows for ever, with everybody's addresses in it.
package retention

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/store"
)

const (
	// interval is how often a sweep begins.
	interval = time.Hour
	// firstPause is the least wait before the first sweep: a start has more urgent things to do.
	firstPause = time.Minute
	// retryPause is the wait after the database did not answer; it doubles up to interval.
	retryPause = time.Minute
	// stepTimeout bounds what is done between two pauses.
	stepTimeout = 20 * time.Second
	// restFactor is how many times as long as a step took the sweep then rests: a database that is slow because it has
	// other work gets more rest, and one sweeper takes a sixteenth of one connection's time at most.
	restFactor = 15
	leastRest  = 5 * time.Millisecond
	mostRest   = 5 * time.Second
)

// Options are what a Sweeper works with.
type Options struct {
	DB *gorm.DB
	// Keep is how long what has come to its end stays; zero keeps everything.
	Keep time.Duration
	// Interval is how often a sweep begins; an hour when zero.
	Interval time.Duration
	Log      *slog.Logger
}

// Sweeper deletes old rows. Make one with New and run it with Run. Any number of processes may do so at once: each passes
// over what another has in hand. A database that is down delays deletions and nothing else.
type Sweeper struct {
	db       *gorm.DB
	keep     time.Duration
	interval time.Duration
	log      *slog.Logger
	deleted  counters
	// finished is when the last whole sweep ended, in seconds since 1970; zero before.
	finished atomic.Int64
}

// New gives a Sweeper on the application's database.
func New(o Options) *Sweeper {
	if o.Interval <= 0 {
		o.Interval = interval
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Sweeper{db: o.DB, keep: o.Keep, interval: o.Interval, log: o.Log}
}

// Counts says how many rows were deleted.
type Counts struct{ Events, Deliveries, Attempts, Errors int64 }

type counters struct{ events, deliveries, attempts, errors atomic.Int64 }

// Deleted gives what this Sweeper has deleted so far.
func (s *Sweeper) Deleted() Counts {
	return Counts{
		Events: s.deleted.events.Load(), Deliveries: s.deleted.deliveries.Load(),
		Attempts: s.deleted.attempts.Load(), Errors: s.deleted.errors.Load(),
	}
}

// Finished is when the last whole sweep ended; the zero time before the first has.
func (s *Sweeper) Finished() time.Time {
	if at := s.finished.Load(); at > 0 {
		return time.Unix(at, 0).UTC()
	}
	return time.Time{}
}

// Run sweeps now and then until ctx ends. Processes that start together begin at different moments.
func (s *Sweeper) Run(ctx context.Context) {
	if s.keep <= 0 {
		return
	}
	wait, pause := min(firstPause, s.interval)+spread(s.interval), min(retryPause, s.interval)
	for sleep(ctx, wait) {
		before, begun := s.Deleted(), time.Now()
		err := s.Sweep(ctx)
		if after := s.Deleted(); after != before {
			s.log.Info("Old rows were deleted", "events", after.Events-before.Events, "deliveries", after.Deliveries-before.Deliveries,
				"attempts", after.Attempts-before.Attempts, "errors", after.Errors-before.Errors, "took", time.Since(begun).Round(time.Second))
		}
		if err == nil {
			wait, pause = s.interval+spread(s.interval), min(retryPause, s.interval)
			continue
		}
		if ctx.Err() == nil {
			s.log.Warn("Old rows could not all be deleted; trying again", "error", err, "in", pause)
		}
		wait, pause = pause, min(2*pause, s.interval)
	}
}

// spread is up to a tenth of a duration, by chance.
func spread(d time.Duration) time.Duration { return rand.N(d/10 + 1) } //nolint:gosec // it hides nothing

// Sweep goes once through everything that is old enough. What another process has in hand it leaves to that one.
func (s *Sweeper) Sweep(ctx context.Context) error {
	if s.keep <= 0 {
		return nil
	}
	now := s.db.NowFunc().UTC() // the database's: a machine whose clock is a year ahead must not delete the year
	if err := s.walk(ctx, (&events{db: s.db, cutoff: now.Add(-s.keep), keys: now.Add(-KeyWindow), deleted: &s.deleted}).step); err != nil {
		return err
	}
	// The error log comes second: a row of it stays for as long as its event does.
	cutoff := now.Add(-s.keep)
	if err := s.walk(ctx, (&errorLog{db: s.db, resolved: cutoff, any: cutoff.Add(-s.keep), deleted: &s.deleted}).step); err != nil {
		return err
	}
	if err := s.leftovers(ctx, now); err != nil {
		return err
	}
	s.finished.Store(time.Now().Unix())
	return nil
}

// leftovers deletes what a person's work leaves behind and what may name an address: files that were uploaded and not
// imported since, filters of bulk retries that have ended, and where somebody was signed in until their session was over.
func (s *Sweeper) leftovers(ctx context.Context, now time.Time) error {
	bounded, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	db := session(s.db).WithContext(bounded)
	for _, old := range []struct {
		statement string
		before    time.Time
	}{
		{"DELETE FROM notify_rule_files WHERE created_at < ?", now.Add(-store.RuleFileAge)},
		{"DELETE FROM notify_bulk_retries WHERE status <> 'running' AND ended_at < ?", now.Add(-s.keep)},
		{"DELETE FROM notify_sessions WHERE expires_at < ?", now},
		{"DELETE FROM notify_invitations WHERE expires_at < ?", now.Add(-s.keep)},
	} {
		if err := db.Exec(old.statement, old.before).Error; err != nil {
			return fmt.Errorf("retention: delete what is left over: %w", err)
		}
	}
	return nil
}

// walk takes steps until there are no more, and rests after each in proportion to what it took.
func (s *Sweeper) walk(ctx context.Context, step func(ctx context.Context) (more bool, err error)) error {
	for {
		begun := time.Now()
		bounded, cancel := context.WithTimeout(ctx, stepTimeout)
		more, err := step(bounded)
		cancel()
		if err != nil || !more {
			return err
		}
		if !sleep(ctx, min(max(restFactor*time.Since(begun), leastRest), mostRest)) {
			return ctx.Err()
		}
	}
}

// sleep says whether the time has passed, and not ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
