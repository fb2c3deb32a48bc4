package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Resolution is what an event came to, as its row keeps it.
type Resolution struct {
	EventID    string
	WorkflowID string
	// Reason says why nothing is sent; empty when something is.
	Reason    string
	Decisions Snapshot
	At        time.Time
}

// OpenTx says whether an event is still to be resolved, and on Postgres holds its row until the caller's transaction
// ends, so that of two that resolve it at the same moment one waits and then finds it done. SQLite's transactions wait
// for each other anyway. It gives ErrNotFound when no event has the ID.
func OpenTx(tx *gorm.DB, eventID string) (bool, error) {
	query := clean(tx).Select("id", "resolved_at")
	if tx.Name() == "postgres" {
		query = query.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate})
	}
	var e Event
	err := query.Take(&e, "id = ?", eventID).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return false, fmt.Errorf("%w: %s", ErrNotFound, eventID)
	}
	if err != nil {
		return false, fmt.Errorf("outbox: read event %s: %w", eventID, err)
	}
	return e.ResolvedAt == nil, nil
}

// ResolveTx keeps a resolution in the caller's transaction. An event that is resolved already stays as it is.
func ResolveTx(tx *gorm.DB, r Resolution) error {
	err := clean(tx).Exec(`UPDATE notify_events SET resolved_at = ?, reason = ?, decisions = ?, workflow_id = ?
		WHERE id = ? AND resolved_at IS NULL`, r.At, r.Reason, r.Decisions, r.WorkflowID, r.EventID).Error
	if err != nil {
		return fmt.Errorf("outbox: resolve event %s: %w", r.EventID, err)
	}
	return nil
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
