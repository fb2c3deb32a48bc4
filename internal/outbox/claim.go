package outbox

import (
	"context"
	"fmt"
	"sort"
	"time"

	"gorm.io/gorm"
)

// Claimed is the part of an event that a relay needs to start its workflow: no snapshot is read.
type Claimed struct {
	ID     string
	Model  string
	Action string
}

// Batch is the events of one workflow. A batch of one has its event's ID.
type Batch struct {
	ID     string
	Events []Claimed
}

// EventIDs lists the batch's events in their order.
func (b Batch) EventIDs() []string {
	ids := make([]string, len(b.Events))
	for i, e := range b.Events {
		ids[i] = e.ID
	}
	return ids
}

// What a relay looks for. The conditions are those of the partial indexes, word for word: SQLite uses one only then.
const (
	waiting = "status = 'pending' AND batch_id IS NULL"
	claimed = "status = 'pending' AND batch_id IS NOT NULL"
	started = "status = 'started'"
)

// MarkStarted says that Temporal has taken the batch's workflow. Events that the workflow has settled already keep that.
func MarkStarted(ctx context.Context, db *gorm.DB, b Batch, workflowID string) error {
	now := db.NowFunc().UTC()
	err := db.WithContext(ctx).Exec(`UPDATE notify_events
		SET status = CASE status WHEN 'pending' THEN 'started' ELSE status END, workflow_id = ?, started_at = ?, checked_at = ?
		WHERE id IN ? AND batch_id = ?`, workflowID, now, now, b.EventIDs(), b.ID).Error
	if err != nil {
		return fmt.Errorf("outbox: mark batch %s started: %w", b.ID, err)
	}
	return nil
}

// Abandoned gives batches that were claimed more than age ago and whose workflow is not known to have started: a relay
// died, or could not reach Temporal. It moves their claim time on, so that of several relays one takes each batch.
func Abandoned(ctx context.Context, db *gorm.DB, age time.Duration, limit int) ([]Batch, error) {
	return take(ctx, db, claimed, "claimed_at", age, limit)
}

// Unfinished gives batches whose workflow was started and which nobody has checked for age, although their events are
// not settled. It moves their check time on, so that of several relays one takes each batch.
func Unfinished(ctx context.Context, db *gorm.DB, age time.Duration, limit int) ([]Batch, error) {
	return take(ctx, db, started, "checked_at", age, limit)
}

// clockSlack is how far ahead of this process's clock a time of another one may be and still be believed. One that is
// further ahead was written by a clock that is wrong, here or there, and its age says nothing: it would be waited for
// until this clock has come as far, for hours perhaps.
const clockSlack = time.Minute

// take looks at what is old and at what claims to come from the future, each by the index. To take over a start that
// somebody has in hand does no harm: the same start is made again.
func take(ctx context.Context, db *gorm.DB, condition, column string, age time.Duration, limit int) ([]Batch, error) {
	now := db.NowFunc().UTC()
	var rows []struct {
		Claimed
		BatchID string
	}
	err := db.WithContext(ctx).Raw("WITH "+head(db, "old", condition+" AND "+column+" < ?", column)+", "+
		head(db, "ahead", condition+" AND "+column+" > ?", column)+`
		UPDATE notify_events SET `+column+` = ? WHERE id IN (SELECT id FROM old UNION ALL SELECT id FROM ahead)
		RETURNING id, model, action, batch_id`, now.Add(-age), limit, now.Add(clockSlack), limit, now).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("outbox: look for batches left behind: %w", err)
	}
	byBatch := make(map[string]*Batch)
	for _, r := range rows {
		if byBatch[r.BatchID] == nil {
			byBatch[r.BatchID] = &Batch{ID: r.BatchID}
		}
		byBatch[r.BatchID].Events = append(byBatch[r.BatchID].Events, r.Claimed)
	}
	return completed(ctx, db, byBatch)
}

// completed reads every event of the batches found: a workflow is started with the same input as the first time.
func completed(ctx context.Context, db *gorm.DB, found map[string]*Batch) ([]Batch, error) {
	batches := make([]Batch, 0, len(found))
	for id := range found {
		var events []Claimed
		err := db.WithContext(ctx).Raw(
			"SELECT id, model, action FROM notify_events WHERE batch_id = ? ORDER BY id", id).Scan(&events).Error
		if err != nil {
			return nil, fmt.Errorf("outbox: read batch %s: %w", id, err)
		}
		batches = append(batches, Batch{ID: id, Events: events})
	}
	sort.Slice(batches, func(i, j int) bool { return batches[i].ID < batches[j].ID })
	return batches, nil
}

// Rebatch moves a batch's unsettled events to a new batch, which has a workflow ID of its own: the old workflow ended
// without settling them, and Temporal keeps its ID for it. An empty batch means that all were settled meanwhile.
func Rebatch(ctx context.Context, db *gorm.DB, b Batch) (Batch, error) {
	next := Batch{ID: NewID()}
	err := db.WithContext(ctx).Raw(`UPDATE notify_events SET status = 'pending', batch_id = ?, claimed_at = ?, passed_at = NULL
		WHERE batch_id = ? AND status <> 'settled' RETURNING id, model, action`,
		next.ID, db.NowFunc().UTC(), b.ID).Scan(&next.Events).Error
	if err != nil {
		return Batch{}, fmt.Errorf("outbox: rebatch %s: %w", b.ID, err)
	}
	sort.Slice(next.Events, func(i, j int) bool { return next.Events[i].ID < next.Events[j].ID })
	return next, nil
}

// head is the part of a statement that chooses events, and on Postgres locks them, exactly once. As a plain subselect
// Postgres may run it again for every row, and then takes more than the limit.
func head(db *gorm.DB, name, condition, order string) string {
	return name + " AS MATERIALIZED (SELECT id FROM notify_events WHERE " + condition +
		" ORDER BY " + order + " LIMIT ?" + skipLocked(db) + ")"
}
