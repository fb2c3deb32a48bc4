package ledger

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/activities"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/wording"
)

// abandonedCode is the code of deliveries whose workflow was stopped by hand.
const abandonedCode = "workflow_stopped"

// abandonLimit is how many deliveries Abandon reads at once.
const abandonLimit = 500

// Abandon ends what a workflow that a person stopped has left: its unsent deliveries fail (one whose attempt was under
// way ends as unknown, because the provider may have it), the error log says so, and its events settle. Events that have
// settled already stay as they are. Nothing is forgotten: each delivery can be retried by hand.
func (l *Ledger) Abandon(ctx context.Context, eventIDs []string, reason string) error {
	for {
		unsent, err := l.Unsent(ctx, eventIDs, "", abandonLimit)
		if err != nil {
			return err
		}
		if len(unsent) == 0 {
			return l.endStopped(ctx, eventIDs, reason)
		}
		for _, d := range unsent {
			if err := l.failStopped(ctx, d); err != nil {
				return err
			}
		}
	}
}

func (l *Ledger) failStopped(ctx context.Context, d activities.Planned) error {
	delivery, err := l.deliveries.Get(ctx, d.ID)
	if err != nil {
		return fmt.Errorf("ledger: read delivery %s: %w", d.ID, err)
	}
	class := activities.Temporary
	if delivery.Status == store.DeliverySending {
		class = activities.Unknown
	}
	return l.Fail(ctx, activities.Failure{
		DeliveryID: d.ID, EventID: d.EventID, NotificationID: d.NotificationID, Channel: d.Channel,
		RetryEventID: d.RetryEventID,
		Class:        class, Code: abandonedCode,
	}, l.db.NowFunc().UTC())
}

// reasonLimit is in characters: whoever stops a workflow by hand may write whatever they want.
const reasonLimit = 1000

// endStopped settles the events that are open, each with a line in the error log and the reason why it ended.
func (l *Ledger) endStopped(ctx context.Context, eventIDs []string, reason string) error {
	reason = wording.Kept(reason, reasonLimit)
	return l.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var open []string
		err := tx.Model(&outbox.Event{}).Where("id IN ? AND status <> ?", eventIDs, outbox.Settled).Order("id").Pluck("id", &open).Error
		if err != nil {
			return fmt.Errorf("ledger: read events: %w", err)
		}
		entries := make([]*store.ErrorEntry, len(open))
		for i, id := range open {
			entries[i] = &store.ErrorEntry{
				Code: "WORKFLOW_STOPPED", Source: "relay", EventID: id, DedupKey: "stopped:" + id,
				Message: fmt.Sprintf("The event ends without all its messages: %s. Retry its deliveries by hand.", reason),
			}
		}
		if err := l.errors.RecordTx(tx, entries...); err != nil {
			return err
		}
		if err := tx.Model(&outbox.Event{}).Where("id IN ? AND reason = ''", open).Update("reason", reason).Error; err != nil {
			return fmt.Errorf("ledger: abandon events: %w", err)
		}
		return outbox.Settle(ctx, tx, open, tx.NowFunc().UTC())
	})
}
