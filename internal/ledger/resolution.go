package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/activities"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/store"
)

// Keep writes what events came to, at once or not at all: their deliveries, their decisions, the errors met. Keeping it
// twice, or twice at the same moment, is the same as once: what a resolved event came to stays as it is, and a retry
// event opens its delivery one time only, however late a repeated step comes. A delivery that its address does not want
// is kept as suppressed.
//
// It gives the deliveries, oldest first, when all of them are new and everything there is to send for the events; nil says
// that Unsent must be asked.
func (l *Ledger) Keep(ctx context.Context, workflowID string, resolutions ...activities.Resolution) (fresh []activities.Planned, err error) {
	now := l.db.NowFunc().UTC()
	err = l.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		ids := make([]string, len(resolutions))
		for i, r := range resolutions {
			ids[i] = r.EventID
		}
		open, err := outbox.OpenTx(tx, ids...)
		if err != nil {
			return err
		}
		k := kept{fresh: true}
		for _, r := range resolutions {
			if !open[r.EventID] || r.Reopen != "" {
				k.fresh = false
			}
			if !open[r.EventID] {
				continue
			}
			if err := l.add(tx, &k, workflowID, r, now); err != nil {
				return err
			}
		}
		if err := l.deliveries.SuppressTx(tx, k.deliveries); err != nil {
			return err
		}
		inserted, err := l.deliveries.InsertTx(tx, k.deliveries)
		if err != nil {
			return err
		}
		if k.fresh && inserted > 0 && inserted == len(k.deliveries) {
			fresh = planned(slices.DeleteFunc(k.deliveries, (*store.Delivery).Done))
		}
		if err := l.errors.RecordTx(tx, k.errors...); err != nil {
			return err
		}
		return outbox.ResolveTx(tx, workflowID, now, k.resolutions...)
	})
	if err != nil {
		return nil, err
	}
	return fresh, nil
}

// kept is what one Keep writes.
type kept struct {
	deliveries  []*store.Delivery
	errors      []*store.ErrorEntry
	resolutions []outbox.Resolution
	// fresh: the deliveries are all that there is to send.
	fresh bool
}

func (l *Ledger) add(tx *gorm.DB, k *kept, workflowID string, r activities.Resolution, now time.Time) (err error) {
	reason := r.Reason
	if r.Reopen != "" {
		if reason, err = l.reopen(tx, workflowID, r, now); err != nil {
			return err
		}
	}
	deliveries, err := deliveriesOf(workflowID, r, now)
	if err != nil {
		return err
	}
	decisions, err := json.Marshal(r.Decisions)
	if err != nil {
		return fmt.Errorf("ledger: decisions of event %s: %w", r.EventID, err)
	}
	k.deliveries = append(k.deliveries, deliveries...)
	k.errors = append(k.errors, errorsOf(r)...)
	k.resolutions = append(k.resolutions, outbox.Resolution{EventID: r.EventID, Reason: reason, Decisions: decisions})
	return nil
}

func deliveriesOf(workflowID string, r activities.Resolution, now time.Time) ([]*store.Delivery, error) {
	deliveries := make([]*store.Delivery, len(r.Deliveries))
	for i, d := range r.Deliveries {
		deliveries[i] = &store.Delivery{
			ID: outbox.NewID(), EventID: r.EventID, NotificationID: d.NotificationID,
			NotificationVersion: d.NotificationVersion, Channel: d.Channel, Address: d.Address,
			Subject: d.Subject, BodyText: d.Text, BodyHTML: d.HTML, Locale: d.Locale,
			RetryAttempts: d.Retry.Attempts, RetryInterval: d.Retry.Interval, Priority: d.Priority, ValidUntil: d.ValidUntil,
			Status: store.DeliveryPending, WorkflowID: workflowID, CreatedAt: now, UpdatedAt: now,
		}
		if d.Details.IsZero() {
			continue
		}
		details, err := json.Marshal(d.Details)
		if err != nil {
			return nil, fmt.Errorf("ledger: details of a delivery of event %s: %w", r.EventID, err)
		}
		deliveries[i].Details = details
	}
	return deliveries, nil
}

func errorsOf(r activities.Resolution) []*store.ErrorEntry {
	entries := make([]*store.ErrorEntry, len(r.Errors))
	for i, e := range r.Errors {
		entries[i] = &store.ErrorEntry{
			Code: string(e.Code), Source: "resolve", Message: e.Message,
			EventID: r.EventID, NotificationID: e.NotificationID,
			DedupKey: "resolve:" + r.EventID + ":" + e.NotificationID + ":" + e.Key,
		}
	}
	return entries
}

// reopen makes a failed delivery pending again because a person asked, and says why not when it cannot.
func (l *Ledger) reopen(tx *gorm.DB, workflowID string, r activities.Resolution, now time.Time) (reason string, err error) {
	result := tx.Model(&store.Delivery{}).
		Where("id = ?", r.Reopen).Where(store.RetryableSQL, store.Retryable).
		Updates(map[string]any{
			"valid_until": nil, // a person wants it after all
			"status":      store.DeliveryPending, "retry_event_id": r.EventID, "workflow_id": workflowID, "updated_at": now,
			// Of one in doubt, Twilio's list is asked before it is handed over again, unless a person has said more (internal/doubt).
			"doubt_ended": gorm.Expr("CASE WHEN status = 'unknown' THEN doubt_ended ELSE attempts END"),
		})
	if result.Error != nil {
		return "", fmt.Errorf("ledger: reopen delivery %s: %w", r.Reopen, result.Error)
	}
	if result.RowsAffected == 1 {
		return "", nil
	}
	var status store.DeliveryStatus
	err = tx.Model(&store.Delivery{}).Select("status").Where("id = ?", r.Reopen).Scan(&status).Error
	if err != nil {
		return "", fmt.Errorf("ledger: read delivery %s: %w", r.Reopen, err)
	}
	if status == "" {
		return "the delivery no longer exists", nil
	}
	return fmt.Sprintf("the delivery was %s, so it was not handed over again", status), nil
}

// Unsent reads up to limit deliveries of the events that have not ended, oldest first, those after the ID. A delivery belongs to the event
// that made it, or to the retry event that opened it again. COALESCE keeps the status from being looked up in its index:
// while a provider is away that holds every delivery that waits, and each workflow would read them all.
func (l *Ledger) Unsent(ctx context.Context, eventIDs []string, after string, limit int) ([]activities.Planned, error) {
	unsent := []store.DeliveryStatus{store.DeliveryPending, store.DeliverySending}
	var rows []*store.Delivery
	query := l.db.WithContext(ctx)
	if after != "" {
		query = query.Where("COALESCE(id, '') > ?", after) // as with the status: the events lead to the rows, not the ID
	}
	err := query.Select("id", "event_id", "notification_id", "channel", "retry_event_id", "retry_attempts", "retry_interval", "priority").
		Where("COALESCE(status, '') IN ?", unsent).
		Where("(event_id IN ? AND retry_event_id = '') OR (retry_event_id <> '' AND retry_event_id IN ?)", eventIDs, eventIDs).
		Order("id").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("ledger: read deliveries: %w", err)
	}
	return planned(rows), nil
}

func planned(rows []*store.Delivery) []activities.Planned {
	planned := make([]activities.Planned, len(rows))
	for i, row := range rows {
		planned[i] = activities.Planned{
			ID: row.ID, EventID: row.EventID, NotificationID: row.NotificationID, Channel: row.Channel,
			RetryEventID: row.RetryEventID, Priority: row.Priority,
			Retry: activities.RetryProfile{Attempts: row.RetryAttempts, Interval: row.RetryInterval},
		}
	}
	return planned
}
