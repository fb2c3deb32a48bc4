package outbox

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/silquetech/silque-notifications/internal/wording"
)

// Resolution is what an event came to, as its row keeps it.
type Resolution struct {
	EventID string
	// Reason says why nothing is sent; empty when something is.
	Reason    string
	Decisions Snapshot
}

// OpenTx gives those of the events that are still to be resolved, and on Postgres holds their rows until the caller's
// transaction ends, so that of two that resolve an event at the same moment one waits and then finds it done. SQLite's
// transactions wait for each other anyway. It gives ErrNotFound when one of them is not there.
func OpenTx(tx *gorm.DB, eventIDs ...string) (open map[string]bool, err error) {
	query := clean(tx).Select("id", "resolved_at").Where("id IN ?", eventIDs).Order("id")
	if tx.Name() == "postgres" {
		query = query.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate})
	}
	var events []Event
	if err := query.Find(&events).Error; err != nil {
		return nil, fmt.Errorf("outbox: read %d events: %w", len(eventIDs), err)
	}
	if len(events) < len(eventIDs) {
		return nil, fmt.Errorf("%w: %d of %d", ErrNotFound, len(eventIDs)-len(events), len(eventIDs))
	}
	open = make(map[string]bool, len(events))
	for _, e := range events {
		if e.ResolvedAt == nil {
			open[e.ID] = true
		}
	}
	return open, nil
}

// ResolveTx keeps resolutions in the caller's transaction, and says that the workflow has started: it must have. An event
// that is resolved already stays as it is.
func ResolveTx(tx *gorm.DB, workflowID string, at time.Time, resolutions ...Resolution) error {
	if len(resolutions) == 0 {
		return nil
	}
	rows := strings.TrimSuffix(strings.Repeat("(?, ?, ?),", len(resolutions)), ",")
	arguments := make([]any, 0, 3*len(resolutions)+4)
	for _, r := range resolutions {
		arguments = append(arguments, r.EventID, wording.Kept(r.Reason, 0), r.Decisions)
	}
	arguments = append(arguments, workflowID, at, at, at)
	err := clean(tx).Exec("WITH r(id, reason, decisions) AS (VALUES "+rows+`)
		UPDATE notify_events SET reason = r.reason, decisions = r.decisions, workflow_id = ?, resolved_at = ?,
			status = CASE status WHEN 'pending' THEN 'started' ELSE status END,
			started_at = COALESCE(started_at, ?), checked_at = COALESCE(checked_at, ?)
		FROM r WHERE notify_events.id = r.id AND resolved_at IS NULL`, arguments...).Error
	if err != nil {
		return fmt.Errorf("outbox: resolve %d events: %w", len(resolutions), err)
	}
	return nil
}

// MarkPassed says that every delivery of the events' workflow has been tried once, though these events wait for more
// tries: the relay need not wait for them any longer.
func MarkPassed(ctx context.Context, db *gorm.DB, eventIDs []string, now time.Time) error {
	err := clean(db).WithContext(ctx).Exec(
		"UPDATE notify_events SET passed_at = ? WHERE id IN ? AND passed_at IS NULL", now, eventIDs).Error
	if err != nil {
		return fmt.Errorf("outbox: mark %d events: %w", len(eventIDs), err)
	}
	return nil
}

// Passed says whether every delivery of a batch has been tried once at least.
func Passed(ctx context.Context, db *gorm.DB, batchID string) (passed bool, err error) {
	err = clean(db).WithContext(ctx).Raw(`SELECT NOT EXISTS (SELECT 1 FROM notify_events
		WHERE batch_id = ? AND status <> 'settled' AND passed_at IS NULL)`, batchID).Scan(&passed).Error
	if err != nil {
		return false, fmt.Errorf("outbox: look at batch %s: %w", batchID, err)
	}
	return passed, nil
}

// Settle says that events have come to their end.
func Settle(ctx context.Context, db *gorm.DB, eventIDs []string, now time.Time) error {
	err := clean(db).WithContext(ctx).Exec(
		"UPDATE notify_events SET status = 'settled', settled_at = ? WHERE id IN ? AND status <> 'settled'",
		now, eventIDs).Error
	if err != nil {
		return fmt.Errorf("outbox: settle %d events: %w", len(eventIDs), err)
	}
	return nil
}
