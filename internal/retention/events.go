package retention

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
)

const (
	// pageSize is how many events one step looks at: most have one delivery with one attempt, which fits a transaction.
	pageSize = 64
	// mostRows bounds what one transaction deletes, but for one delivery's attempts, which go together.
	mostRows = 200
)

// events goes through the old events in the order of time, a page at a time.
type events struct {
	db *gorm.DB
	// cutoff is the moment since which nothing may have happened to an event, keys the one for those with a key.
	cutoff, keys time.Time
	// after is the last ID of the last page.
	after string
	// page is what is left to delete of it, and last says that there is no other.
	page    []string
	last    bool
	deleted *counters
}

// step deletes up to mostRows rows in one transaction, and reads the next page when the last one is done.
func (w *events) step(ctx context.Context) (more bool, err error) {
	if len(w.page) == 0 {
		if err := w.read(ctx); err != nil || len(w.page) == 0 {
			return !w.last, err
		}
	}
	var done Counts
	var left []string
	err = session(w.db).WithContext(ctx).Transaction(func(tx *gorm.DB) (err error) {
		done, left, err = w.remove(tx)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("retention: delete old events: %w", err)
	}
	w.deleted.add(done)
	if w.page = left; done == (Counts{}) {
		w.page = nil // somebody else has them in hand
	}
	return len(w.page) > 0 || !w.last, nil
}

// ended is what the rows of events that may go have in common; it takes the cutoff and the bound of those with a key.
const ended = "(status = 'settled' AND COALESCE(settled_at, created_at) < ? AND (idempotency_key IS NULL OR id < ?))"

// read looks at the next page, and keeps those that may go. It locks nothing.
func (w *events) read(ctx context.Context) error {
	var rows []struct {
		ID, BatchID string
		Ended       bool
	}
	db := session(w.db).WithContext(ctx)
	err := db.Raw("SELECT id, COALESCE(batch_id, '') AS batch_id, "+ended+` AS ended FROM notify_events
		WHERE id > ? AND id < ? ORDER BY id LIMIT ?`, w.cutoff, bound(w.keys), w.after, bound(w.cutoff), pageSize).Scan(&rows).Error
	if err != nil {
		return fmt.Errorf("retention: look for old events: %w", err)
	}
	var batches []string
	for _, r := range rows {
		w.after = r.ID
		if r.Ended && r.BatchID != "" && !slices.Contains(batches, r.BatchID) {
			batches = append(batches, r.BatchID)
		}
	}
	open, err := w.openBatches(db, batches)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.Ended && !open[r.BatchID] {
			w.page = append(w.page, r.ID)
		}
	}
	w.last = len(rows) < pageSize
	return nil
}

// openBatches gives the batches that are not settled as a whole: their workflow still speaks of all their events.
func (w *events) openBatches(db *gorm.DB, batches []string) (map[string]bool, error) {
	if len(batches) == 0 {
		return nil, nil
	}
	var ids []string
	err := db.Raw("SELECT DISTINCT batch_id FROM notify_events WHERE batch_id IS NOT NULL AND batch_id IN ? AND COALESCE(status, '') <> 'settled'",
		batches).Scan(&ids).Error
	if err != nil {
		return nil, fmt.Errorf("retention: look for open batches: %w", err)
	}
	return set(ids), nil
}

// remove deletes in tx what there is room for: attempts, then their deliveries, then events that have none left.
func (w *events) remove(tx *gorm.DB) (done Counts, left []string, err error) {
	var gone []string
	err = tx.Raw("SELECT id FROM notify_events WHERE id IN ? AND "+ended+" ORDER BY id"+locked(tx),
		w.page, w.cutoff, bound(w.keys)).Scan(&gone).Error
	if err != nil || len(gone) == 0 {
		return done, nil, err
	}
	held, err := w.held(tx, gone)
	if err != nil {
		return done, nil, err
	}
	if gone = without(gone, held); len(gone) == 0 {
		return done, nil, nil
	}
	done, err = w.removeDeliveries(tx, gone)
	if err != nil {
		return done, nil, err
	}
	room := int(mostRows - done.Deliveries - done.Attempts)
	if room <= 0 {
		return done, gone, nil
	}
	var removed []string
	err = tx.Raw(`DELETE FROM notify_events WHERE id IN ?
		AND NOT EXISTS (SELECT 1 FROM notify_deliveries d WHERE d.event_id = notify_events.id) RETURNING id`,
		gone[:min(room, len(gone))]).Scan(&removed).Error
	done.Events = int64(len(removed))
	return done, without(gone, set(removed)), err
}

// held gives the events with a delivery that is not at its end: one that waits, is under way, has been touched since the
// cutoff, or that a person has just asked to hand over again. COALESCE keeps the status from being looked up in its
// index: the events lead to the rows.
func (w *events) held(tx *gorm.DB, eventIDs []string) (map[string]bool, error) {
	var touched, asked []string
	err := tx.Raw(`SELECT DISTINCT event_id FROM notify_deliveries
		WHERE event_id IN ? AND (COALESCE(status, '') IN ('pending', 'sending') OR updated_at >= ?)`, eventIDs, w.cutoff).Scan(&touched).Error
	if err != nil {
		return nil, err
	}
	err = tx.Raw(`SELECT DISTINCT d.event_id FROM notify_deliveries d JOIN notify_events r ON r.key = d.id AND r.model = ''
		WHERE d.event_id IN ? AND r.action = 'retry' AND COALESCE(r.status, '') <> 'settled'`, eventIDs).Scan(&asked).Error
	return set(append(touched, asked...)), err
}

// removeDeliveries deletes deliveries of the events with their attempts.
func (w *events) removeDeliveries(tx *gorm.DB, eventIDs []string) (done Counts, err error) {
	var ids []string
	err = tx.Raw(`SELECT id FROM notify_deliveries WHERE event_id IN ? AND COALESCE(status, '') NOT IN ('pending', 'sending')
		ORDER BY event_id LIMIT ?`+locked(tx), eventIDs, mostRows).Scan(&ids).Error
	if err != nil || len(ids) == 0 {
		return done, err
	}
	// Whoever asks for a retry holds the delivery's row meanwhile: what is asked for since held has looked shows now.
	var asked []string
	err = tx.Raw("SELECT key FROM notify_events WHERE key IN ? AND model = '' AND action = 'retry' AND COALESCE(status, '') <> 'settled'",
		ids).Scan(&asked).Error
	if err != nil {
		return done, err
	}
	if ids, err = w.fitting(tx, without(ids, set(asked))); err != nil || len(ids) == 0 {
		return done, err
	}
	result := tx.Exec("DELETE FROM notify_attempts WHERE delivery_id IN ?", ids)
	if done.Attempts = result.RowsAffected; result.Error != nil {
		return done, result.Error
	}
	result = tx.Exec("DELETE FROM notify_deliveries WHERE id IN ?", ids)
	done.Deliveries = result.RowsAffected
	return done, result.Error
}

// fitting gives the first deliveries that fit one transaction with their attempts, one at least.
func (w *events) fitting(tx *gorm.DB, ids []string) ([]string, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var counts []struct {
		DeliveryID string
		Attempts   int
	}
	err := tx.Raw("SELECT delivery_id, COUNT(*) AS attempts FROM notify_attempts WHERE delivery_id IN ? GROUP BY delivery_id", ids).Scan(&counts).Error
	if err != nil {
		return nil, err
	}
	attempts := make(map[string]int, len(counts))
	for _, c := range counts {
		attempts[c.DeliveryID] = c.Attempts
	}
	rows := 0
	for i, id := range ids {
		if rows += 1 + attempts[id]; rows > mostRows && i > 0 {
			return ids[:i], nil
		}
	}
	return ids, nil
}

func (c *counters) add(n Counts) {
	c.events.Add(n.Events)
	c.deliveries.Add(n.Deliveries)
	c.attempts.Add(n.Attempts)
	c.errors.Add(n.Errors)
}

func set(ids []string) map[string]bool {
	m := make(map[string]bool, len(ids))
	for _, id := range ids {
		m[id] = true
	}
	return m
}

func without(ids []string, out map[string]bool) []string {
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return out[id] })
}
