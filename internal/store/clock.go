package store

import (
	"context"
	"database/sql"
	"sync/atomic"
	"time"
)

const (
	// clockAge is how old a reading of the database's clock may be.
	clockAge = 30 * time.Second
	// clockTolerance is how far the clocks may be apart and count as the same: what machines that keep their time differ
	// by, and what the way to the database takes.
	clockTolerance = time.Second
	// clockPatience bounds one look at the database's clock.
	clockPatience = 5 * time.Second
)

// clock tells the time that all processes of one database share, which is that database's: the clock of a machine can be
// hours ahead or behind, or be set while we run, and then what one process writes would be taken for the future, or for
// long past, by another. Between two looks at the database it counts by the process's own steady clock, which no setting
// of the time moves.
type clock struct {
	own func() time.Time
	// ask gives the database's time.
	ask     func(ctx context.Context) (time.Time, error)
	reading atomic.Pointer[reading]
	looking atomic.Bool
}

// reading is what one look at the database's clock saw.
type reading struct {
	// at is when it was, by the own clock.
	at time.Time
	// ahead is how far the database's clock is ahead of the own one; zero when they tell the same.
	ahead time.Duration
}

// now is the time, in UTC. It never waits for the database.
func (c *clock) now() time.Time {
	own, r := c.own(), c.reading.Load()
	if r == nil {
		return own.UTC().Round(0)
	}
	since := own.Sub(r.at)
	if since >= clockAge && c.looking.CompareAndSwap(false, true) {
		go func() { defer c.looking.Store(false); c.look(context.Background()) }()
	}
	return r.at.Round(0).Add(r.ahead + since).UTC()
}

// look asks the database. While that does not answer, what was seen last goes on.
func (c *clock) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, clockPatience)
	defer cancel()
	begun := c.own()
	theirs, err := c.ask(ctx)
	took := c.own().Sub(begun)
	if err != nil {
		if r := c.reading.Load(); r != nil {
			since := begun.Sub(r.at)
			c.reading.Store(&reading{at: begun, ahead: r.at.Round(0).Add(r.ahead + since).Sub(begun.Round(0))})
		}
		return
	}
	at := begun.Add(took / 2)
	c.reading.Store(&reading{at: at, ahead: apart(theirs.Sub(at.Round(0)), max(clockTolerance, took))})
}

// apart gives a difference that is more than the tolerance, and else none.
func apart(d, tolerance time.Duration) time.Duration {
	if d.Abs() <= tolerance {
		return 0
	}
	return d
}

// postgresTime asks Postgres for its clock.
func postgresTime(pool *sql.DB) func(ctx context.Context) (time.Time, error) {
	return func(ctx context.Context) (at time.Time, err error) {
		err = pool.QueryRowContext(ctx, "SELECT clock_timestamp()").Scan(&at)
		return at, err
	}
}
