package pace

import (
	"context"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
)

// lease is some of a channel's slots, each of which allows one hand-over at a time.
type lease struct {
	holder string
	slots  []int64
}

// holdSQL takes free slots in one statement. On Postgres those that others are about to take are passed over, so nobody
// waits. A slot that is held beyond what is possible was taken before the database's clock was set back.
const holdSQL = `WITH free AS MATERIALIZED (
	SELECT slot FROM notify_pace_leases WHERE channel = ? AND slot < ? AND (held_until <= :NOW OR held_until > :NOW + CAST(? AS BIGINT))
	ORDER BY slot LIMIT ?[ FOR UPDATE SKIP LOCKED]
)
UPDATE notify_pace_leases SET holder = ?, held_until = :NOW + CAST(? AS BIGINT)
WHERE channel = ? AND slot IN (SELECT slot FROM free) RETURNING slot`

// hold takes up to want slots, which may be none. They are held until released, and no longer than the wait that the
// schedule may ask for and a lease's time.
func (r request) hold(db *gorm.DB, want int) (lease, error) {
	l := lease{holder: uuid.NewString()}
	err := db.Raw(r.sql(holdSQL), r.channel, r.limits.Concurrency, maxAhead.Microseconds(), want,
		l.holder, (r.patience + r.lease).Microseconds(), r.channel).Scan(&l.slots).Error
	return l, err
}

// shorten frees all but the first slots of a lease. What has been taken over meanwhile stays with its new holder.
func (r request) shorten(db *gorm.DB, l *lease, kept int) error {
	if len(l.slots) <= kept {
		return nil
	}
	freed := l.slots[kept:]
	l.slots = l.slots[:kept]
	return db.Exec("UPDATE notify_pace_leases SET holder = '', held_until = 0 WHERE channel = ? AND slot IN ? AND holder = ?",
		r.channel, freed, l.holder).Error
}

// freeSlots says how many slots there are, and when at the latest the first of them comes free.
func (r request) freeSlots(ctx context.Context) (found int, free time.Duration, err error) {
	var row struct {
		Found int
		Free  *int64
	}
	err = r.db.WithContext(ctx).Raw(r.sql(`SELECT COUNT(*) AS found, MIN(held_until) - :NOW AS free
		FROM notify_pace_leases WHERE channel = ? AND slot < ?`), r.channel, r.limits.Concurrency).Scan(&row).Error
	if row.Free != nil {
		free = time.Duration(*row.Free) * time.Microsecond
	}
	return row.Found, free, err
}

// makeSlots makes those that the settings allow and nobody has made yet. Fewer are needed after a change: the rest stays,
// unused.
func (r request) makeSlots(ctx context.Context) error {
	return r.db.WithContext(ctx).Exec(`INSERT INTO notify_pace_leases (channel, slot)
		WITH RECURSIVE numbers(slot) AS (SELECT 0 UNION ALL SELECT slot + 1 FROM numbers WHERE slot + 1 < ?)
		SELECT ?, slot FROM numbers WHERE TRUE ON CONFLICT DO NOTHING`, r.limits.Concurrency, r.channel).Error
}
