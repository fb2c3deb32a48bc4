// Package pace keeps all workers together within what the provider of a channel takes: so many messages a second, so
// many hand-overs at once, and none while the provider has asked for a pause. What the workers share stands in two tables
// of the application's database, and the time is that database's: the workers' clocks differ.
package pace

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// Limits are what the provider of one channel takes from all workers together. Zero means no limit.
//
// Where providers say what they take: WhatsApp over Twilio takes 80 messages a second for each sender
// (twilio.com/docs/whatsapp/best-practices-and-faqs), SMS 3 segments from a US toll-free number; more is queued there, up
// to hours. Twilio's API refuses too many requests at once with 429 and error 20429, which were not processed and may be
// repeated (twilio.com/docs/api/errors/20429). Amazon SES refuses what is above an account's rate with "454 Throttling
// failure" (docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas-errors.html).
type Limits struct {
	// PerSecond is a rate, such as 14 or 0.5. Over any time, no more hand-overs are let begin than PerSecond times its
	// seconds, and beyond that one burst: what the rate allows in a tenth of a second, at least one.
	PerSecond float64
	// Concurrency is the number of hand-overs under way at once.
	Concurrency int
}

const (
	// burstTime is the time whose hand-overs may begin together. It bounds how often a worker must ask: at any rate, ten
	// times a second serve for all of it.
	burstTime = 100 * time.Millisecond
	// leaseTime is how long a worker that died keeps its part of the concurrency from the others. It is longer than the
	// activity of a hand-over may take (30 s, see workflows), so that one that lives never loses it: nobody renews.
	leaseTime = 60 * time.Second
	// maxPatience bounds how far ahead hand-overs are reserved.
	maxPatience = 30 * time.Minute
	// crowdedWait is when to ask again for a part of the concurrency. Most hand-overs end sooner.
	crowdedWait = 100 * time.Millisecond
	// leastWait keeps a caller that is told to ask again from asking without a pause.
	leastWait = 10 * time.Millisecond
)

// Gate says when hand-overs of a channel may begin, for all workers together. Every worker has its own, on the same
// database. It is safe for concurrent use.
type Gate struct {
	db     *gorm.DB
	limits map[rule.Channel]Limits
	pauses map[rule.Channel]*pause
	// writing lets one goroutine at a time write on SQLite, which has one writer anyway and does not let those that wait in
	// their order: of many, one could wait for longer than its time.
	writing turn
	lease   time.Duration
	// now is the worker's clock: for how old a look is, never for what the workers share.
	now func() time.Time
	// sqlNow is an expression for the database's clock, in microseconds.
	sqlNow func() string
}

// New makes a Gate. A channel that limits does not name has none; pauses hold for every channel.
func New(db *gorm.DB, limits map[rule.Channel]Limits) *Gate {
	g := &Gate{
		db:     db.Session(&gorm.Session{NewDB: true, SkipHooks: true}),
		limits: limits, pauses: make(map[rule.Channel]*pause), lease: leaseTime, now: time.Now, sqlNow: sqlNow(db),
	}
	if db.Name() == "sqlite" {
		g.writing = newTurn()
	}
	for _, channel := range rule.Channels {
		g.pauses[channel] = &pause{turn: newTurn()}
	}
	return g
}

// sqlNow reads the clock anew wherever it stands in a Postgres statement: the statement may have waited for a lock since
// it began. SQLite reads it once for each statement, after it has the lock.
func sqlNow(db *gorm.DB) func() string {
	expression := "CAST(unixepoch('subsec') * 1000000 AS INTEGER)"
	if db.Name() == "postgres" {
		expression = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"
	}
	return func() string { return expression }
}

// Admission is leave for some hand-overs, for the caller alone.
type Admission struct {
	// Granted is how many hand-overs may begin: all of them after Wait.
	Granted int
	// Wait is how long to wait before they begin; with none granted, before the next Admit.
	Wait time.Duration
	// Release ends the admission, once its hand-overs have ended or are not to begin: it must be called when some were
	// granted, and may be called in any case, and again. unused is how many never began: the rate gets them back if nobody
	// has reserved after them. It works after ctx has ended, within 15 s. After an error the concurrency comes free when the
	// lease ends.
	Release func(ctx context.Context, unused int) error
}

// Admit asks for up to want hand-overs of a channel. Only what may begin within patience (30 minutes at most) is granted,
// which can be fewer than want, or none; what is granted begins together.
//
// For a channel without limits it looks at the database once in 250 ms at most, and otherwise costs nothing; for some
// seconds after a pause (see Slow) it asks the database each time. With limits it is one statement for the rate, one for
// the concurrency, and one transaction of both for both.
func (g *Gate) Admit(ctx context.Context, channel rule.Channel, want int, patience time.Duration) (Admission, error) {
	p := g.pauses[channel]
	if p == nil {
		return Admission{}, fmt.Errorf("pace: admit: %q is no channel", channel)
	}
	limits := g.limits[channel]
	r := request{Gate: g, channel: channel, limits: limits, scheduled: limits.PerSecond > 0, patience: min(max(patience, 0), maxPatience)}
	if want <= 0 {
		return r.refusal(0), nil
	}
	if !r.scheduled {
		until, gentle, err := g.look(ctx, channel)
		if err != nil {
			return Admission{}, err
		}
		if left := until.Sub(g.now()); left > r.patience {
			return r.refusal(left - r.patience), nil
		}
		r.scheduled = gentle
	}
	admission, err := r.admit(ctx, want)
	if err != nil {
		return Admission{}, fmt.Errorf("pace: admit on channel %s: %w", channel, err)
	}
	return admission, nil
}
