package ledger

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/activities"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/store"
)

// abandonedCode is the code of deliveries whose workflow was stopped by hand.
const abandonedCode = "workflow_stopped"

// Abandon ends what a workflow that a person stopped has left: its unsent deliveries fail, the error log says so, and
// its events settle. Nothing is forgotten: each delivery can be retried by hand.
func (l *Ledger) Abandon(ctx context.Context, eventIDs []string, reason string) error {
	for {
		unsent, err := l.Unsent(ctx, eventIDs, 500)
		if err != nil {
			return err
		}
		if len(unsent) == 0 {
			break
		}
		for _, d := range unsent {
			failure := activities.Failure{
				DeliveryID: d.ID, EventID: d.EventID, NotificationID: d.NotificationID, Channel: d.Channel,
				Class: activities.Temporary, Code: abandonedCode,
			}
			if err := l.Fail(ctx, failure, time.Now().UTC()); err != nil {
				return err
			}
		}
	}
	return l.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		for _, id := range eventIDs {
			entry := &store.ErrorEntry{
				Code: "WORKFLOW_STOPPED", Source: "relay", EventID: id, DedupKey: "stopped:" + id,
				Message: fmt.Sprintf("The event ends without all its messages: %s. Retry its deliveries by hand.", reason),
			}
			if err := l.errors.RecordTx(tx, entry); err != nil {
				return err
			}
		}
		now := time.Now().UTC()
		if err := tx.Model(&outbox.Event{}).Where("id IN ? AND reason = '' AND status <> ?", eventIDs, outbox.Settled).
			Update("reason", reason).Error; err != nil {
			return fmt.Errorf("ledger: abandon events: %w", err)
		}
		return outbox.Settle(ctx, tx, eventIDs, now)
	})
}
