package outbox

import (
	"context"
	"fmt"
	"sort"
	"strings"

	"gorm.io/gorm"
)

// Turns claims waiting events for one relay. Lanes take turns: each has its share of a batch, so that a hundred thousand
// events of one lane do not keep the one event of another waiting, and within a lane the oldest come first. It is for
// one goroutine.
type Turns struct {
	// after is the lane that had the last turn; the next claim begins behind it.
	after string
}

// Claim takes up to limit waiting events, oldest first, as a relay without a memory of turns does; see Turns.
func Claim(ctx context.Context, db *gorm.DB, limit int) (Batch, error) {
	return new(Turns).Claim(ctx, db, limit)
}

// Claim takes up to limit waiting events for this relay alone, and persists their batch ID: that of the event when it is
// the only one. On Postgres any number of relays claim at once without waiting for each other; SQLite lets one write at
// a time. An empty batch means that nothing waits.
func (t *Turns) Claim(ctx context.Context, db *gorm.DB, limit int) (Batch, error) {
	lanes, err := t.lanes(ctx, db, limit)
	if err != nil {
		return Batch{}, fmt.Errorf("outbox: claim: %w", err)
	}
	return t.claimFrom(ctx, db, lanes, limit)
}

// claimFrom takes each lane's share, and then what the others left. Other relays may have emptied a lane meanwhile.
func (t *Turns) claimFrom(ctx context.Context, db *gorm.DB, lanes []string, limit int) (b Batch, err error) {
	b.ID = NewID()
	for err == nil && len(lanes) > 0 && len(b.Events) < limit {
		room := limit - len(b.Events)
		if len(lanes) > room {
			lanes = lanes[:room]
		}
		share := room / len(lanes)
		t.after = lanes[len(lanes)-1]
		var claimed []laned
		if claimed, err = claimLanes(ctx, db, lanes, share, b.ID, room == limit); err != nil {
			break
		}
		for _, c := range claimed {
			b.Events = append(b.Events, c.Claimed)
		}
		if len(b.Events) == 1 && room == limit {
			break // it has its own ID as its batch already, and so no others
		}
		lanes = full(lanes, claimed, share)
	}
	if err != nil {
		return Batch{}, fmt.Errorf("outbox: claim: %w", err)
	}
	if len(b.Events) == 0 {
		return Batch{}, nil
	}
	if len(b.Events) == 1 {
		b.ID = b.Events[0].ID
	}
	sort.Slice(b.Events, func(i, j int) bool { return b.Events[i].ID < b.Events[j].ID })
	return b, nil
}

// Waiting counts the waiting events, up to limit.
func Waiting(ctx context.Context, db *gorm.DB, limit int) (count int, err error) {
	err = db.WithContext(ctx).Raw("SELECT COUNT(*) FROM (SELECT 1 FROM notify_events WHERE "+waiting+" AND lane >= '' LIMIT ?) AS waiting", limit).Scan(&count).Error
	if err != nil {
		return 0, fmt.Errorf("outbox: count waiting events: %w", err)
	}
	return count, nil
}

// lanes lists up to limit lanes in which events wait, those behind the last turn first. It jumps from lane to lane in the
// index, so that it costs as much as there are lanes, however many events wait in them.
func (t *Turns) lanes(ctx context.Context, db *gorm.DB, limit int) (lanes []string, err error) {
	after, behind := t.after, ">"
	for range 2 {
		if after == "" {
			behind = ">=" // events of an older version have no lane
		}
		var some []string
		err := db.WithContext(ctx).Raw(`WITH RECURSIVE lanes(lane) AS (
			SELECT (SELECT lane FROM notify_events WHERE `+waiting+` AND lane `+behind+` ? ORDER BY lane LIMIT 1)
			UNION ALL
			SELECT (SELECT lane FROM notify_events WHERE `+waiting+` AND lane > lanes.lane ORDER BY lane LIMIT 1)
			FROM lanes WHERE lanes.lane IS NOT NULL
		) SELECT lane FROM lanes WHERE lane IS NOT NULL LIMIT ?`, after, limit-len(lanes)).Scan(&some).Error
		if err != nil {
			return nil, err
		}
		for _, lane := range some {
			if len(lanes) > 0 && lane == lanes[0] {
				return lanes, nil // round
			}
			lanes = append(lanes, lane)
		}
		if t.after == "" || len(lanes) == limit {
			return lanes, nil
		}
		after = ""
	}
	return lanes, nil
}

type laned struct {
	Claimed
	Lane string
}

// claimLanes takes up to share events of each lane, in one statement. They are chosen, and on Postgres locked, exactly
// once: as a plain subselect Postgres may run the choice again for every row, and then takes more than the limit. alone
// says that no other event has been taken for the batch yet: then a single one gives the batch its own ID.
func claimLanes(ctx context.Context, db *gorm.DB, lanes []string, share int, batchID string, alone bool) (claimed []laned, err error) {
	var heads, chosen []string
	var arguments []any
	for i, lane := range lanes {
		name := fmt.Sprintf("l%d", i)
		heads = append(heads, name+" AS MATERIALIZED (SELECT id FROM notify_events WHERE "+waiting+
			" AND lane = ? ORDER BY id LIMIT ?"+skipLocked(db)+")")
		chosen = append(chosen, "SELECT id FROM "+name)
		arguments = append(arguments, lane, share)
	}
	batch := "?"
	if alone {
		batch = "CASE WHEN (SELECT COUNT(*) FROM chosen) = 1 THEN id ELSE ? END"
	}
	arguments = append(arguments, batchID, db.NowFunc().UTC())
	err = db.WithContext(ctx).Raw("WITH "+strings.Join(heads, ", ")+", chosen AS MATERIALIZED ("+strings.Join(chosen, " UNION ALL ")+`)
		UPDATE notify_events SET batch_id = `+batch+`, claimed_at = ?
		WHERE id IN (SELECT id FROM chosen) RETURNING id, model, action, lane`, arguments...).Scan(&claimed).Error
	return claimed, err
}

// full gives the lanes that had as many events as their share: only there can more be waiting.
func full(lanes []string, claimed []laned, share int) (left []string) {
	had := make(map[string]int, len(lanes))
	for _, c := range claimed {
		had[c.Lane]++
	}
	for _, lane := range lanes {
		if had[lane] == share {
			left = append(left, lane)
		}
	}
	return left
}

func skipLocked(db *gorm.DB) string {
	if db.Name() == "postgres" {
		return " FOR UPDATE SKIP LOCKED"
	}
	return ""
}
