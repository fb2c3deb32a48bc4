package outbox

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
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
