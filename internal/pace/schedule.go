package pace

import (
	"errors"
	"math"
	"strings"
	"time"

	"gorm.io/gorm"
)

// The schedule of a channel is the first moment that nobody has reserved (GCRA's "theoretical arrival time"): whoever asks
// gets that moment, or now if it has passed, and moves it on by the rate's interval for each hand-over. Since those of one
// grant begin together and the next one's only when all of them are paid for, any time of length t sees at most one grant
// more than t allows.
//
// gentleTime is how long a channel is entered gently after a pause, by this schedule even without a rate: in the first
// second at most gentleStart hand-overs, and each second twice as many, to 1,024 in the eighth. A rate goes on to hold.
const (
	gentleTime  = 8 * time.Second
	gentleStart = 8
)

// How far the schedule and leases, and pauses, can reach. What lies beyond was written before the database's clock was set
// back, and does not count: a channel must not stand still until the clock is there again. Both leave some room for small
// steps of the clock.
const (
	maxAhead      = 2 * maxPatience
	maxPauseAhead = MaxPause + time.Minute
)

// errNoRow ends what would go round for ever: a row that was made and cannot be seen.
var errNoRow = errors.New("the channel's row in notify_pace cannot be seen: the database's default isolation must be read committed")

// place is a moment in a channel's schedule, for some hand-overs.
type place struct {
	granted int
	// wait is how long until the place comes: with none granted, how long it would have been.
	wait time.Duration
	// nextAt is the schedule's first free moment after this place, and interval what each hand-over moved it on by, both in
	// microseconds. Both are zero for what was not scheduled.
	nextAt, interval int64
}

// interval is the time from one hand-over to the next in microseconds, rounded up so that the rate holds.
func (l Limits) interval() int64 {
	if l.PerSecond <= 0 {
		return 0
	}
	return int64(math.Ceil(1e6 / l.PerSecond))
}

// burst is how many hand-overs may begin together.
func (l Limits) burst() int {
	if l.PerSecond <= 0 {
		return math.MaxInt32
	}
	return max(1, int(burstTime.Microseconds()/l.interval()))
}

// reserveSQL moves a channel's schedule on, in one statement and under the row's lock. :NOW is read after the lock was got,
// which is why the first two steps are apart. The parts in brackets are Postgres's.
const reserveSQL = `WITH held AS MATERIALIZED (
	SELECT next_at, paused_until FROM notify_pace WHERE channel = ?[ FOR UPDATE]
), timed AS MATERIALIZED (
	SELECT next_at, paused_until, :NOW AS asked_at FROM held
), free AS (
	SELECT asked_at, paused_until, :GREATEST(CASE WHEN next_at > asked_at + CAST(? AS BIGINT) THEN 0 ELSE next_at END,
		CASE WHEN paused_until > asked_at + CAST(? AS BIGINT) THEN 0 ELSE paused_until END, asked_at) AS begin_at FROM timed
), paced AS (
	SELECT asked_at, begin_at, :GREATEST(CAST(? AS BIGINT), CASE WHEN begin_at - paused_until BETWEEN 0 AND CAST(? AS BIGINT)
		THEN CAST(? AS BIGINT) / (1 << CAST((begin_at - paused_until) / 1000000 AS INTEGER)) ELSE 0 END) AS step FROM free
), answer AS (
	SELECT asked_at, begin_at, step, CASE WHEN begin_at - asked_at > CAST(? AS BIGINT) THEN 0
		ELSE :LEAST(CAST(? AS BIGINT), :GREATEST(1, CAST(? AS BIGINT) / :GREATEST(step, 1))) END AS granted FROM paced
)
UPDATE notify_pace SET asked_at = answer.asked_at, begin_at = answer.begin_at, granted = answer.granted,
	next_at = CASE answer.granted WHEN 0 THEN notify_pace.next_at ELSE answer.begin_at + answer.granted * answer.step END
FROM answer WHERE notify_pace.channel = ?
RETURNING notify_pace.asked_at, notify_pace.begin_at, notify_pace.granted, notify_pace.next_at`

// postgresWords and sqliteWords are what the databases call the same things.
var (
	postgresWords = []string{":GREATEST", "GREATEST", ":LEAST", "LEAST", "[", "", "]", ""}
	sqliteWords   = []string{":GREATEST", "MAX", ":LEAST", "MIN", "[ FOR UPDATE SKIP LOCKED]", "", "[ FOR UPDATE]", ""}
)

// sql writes a statement for the Gate's database and clock.
func (g *Gate) sql(text string) string {
	words := sqliteWords
	if g.db.Name() == "postgres" {
		words = postgresWords
	}
	return strings.NewReplacer(append([]string{":NOW", g.sqlNow()}, words...)...).Replace(text)
}

// reserve takes the next place for up to want hand-overs, if it comes within the request's patience.
func (r request) reserve(db *gorm.DB, want int) (place, error) {
	for made := false; ; made = true {
		var row struct{ AskedAt, BeginAt, Granted, NextAt int64 }
		result := db.Raw(r.sql(reserveSQL), r.channel, maxAhead.Microseconds(), maxPauseAhead.Microseconds(), r.limits.interval(),
			gentleTime.Microseconds()-1, time.Second.Microseconds()/gentleStart, r.patience.Microseconds(), want,
			burstTime.Microseconds(), r.channel).Scan(&row)
		if result.Error != nil {
			return place{}, result.Error
		}
		if result.RowsAffected == 1 {
			p := place{granted: int(row.Granted), wait: time.Duration(row.BeginAt-row.AskedAt) * time.Microsecond, nextAt: row.NextAt}
			if p.granted > 0 {
				p.interval = (row.NextAt - row.BeginAt) / row.Granted
			}
			return p, nil
		}
		if made {
			return place{}, errNoRow
		}
		err := db.Exec("INSERT INTO notify_pace (channel) VALUES (?) ON CONFLICT DO NOTHING", r.channel).Error
		if err != nil {
			return place{}, err
		}
	}
}

// giveBack lets others have what was reserved and not used. Once somebody has reserved after it, it is lost: moving the
// schedule back would let theirs and the next one's begin together.
func (r request) giveBack(db *gorm.DB, p place, unused int) error {
	if unused == 0 || p.interval == 0 {
		return nil
	}
	return db.Exec("UPDATE notify_pace SET next_at = ? WHERE channel = ? AND next_at = ?",
		p.nextAt-int64(unused)*p.interval, r.channel, p.nextAt).Error
}
