package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/activities"
	"github.com/silquetech/silque-notifications/internal/store"
)

// Claim begins an attempt, unless the delivery has ended already. A delivery that is still "sending" was left by a
// process that died in the middle, and one whose last attempt ended in doubt may be with the provider: both are
// doubtful since that attempt began.
func (l *Ledger) Claim(ctx context.Context, deliveryID string, now time.Time) (activities.Claim, error) {
	before, attempt, err := l.deliveries.Claim(ctx, deliveryID, now)
	if err != nil || attempt == 0 {
		return activities.Claim{}, err
	}
	claim := activities.Claim{
		Attempt: attempt,
		Message: activities.Message{
			DeliveryID: before.ID, Channel: before.Channel, To: before.Address,
			Subject: before.Subject, Text: before.BodyText, HTML: before.BodyHTML,
		},
	}
	if before.Attempts == 0 {
		return claim, nil
	}
	claim.DoubtfulSince, err = l.doubtfulSince(ctx, before)
	return claim, err
}

// doubtfulSince gives the beginning of the first attempt that may have reached the provider; nil when none may.
func (l *Ledger) doubtfulSince(ctx context.Context, before *store.Delivery) (*time.Time, error) {
	attempts, err := l.deliveries.Attempts(ctx, before.ID)
	if err != nil {
		return nil, err
	}
	for _, a := range attempts {
		if a.Outcome == string(activities.Unknown) {
			return &a.StartedAt, nil
		}
	}
	if before.Status == store.DeliverySending {
		return before.ClaimedAt, nil
	}
	return nil, nil
}

// Finish records how an attempt ended, and what that makes of the delivery: sent, or pending until the workflow says
// that it was the last attempt.
func (l *Ledger) Finish(ctx context.Context, a activities.Attempt) error {
	status := store.DeliveryPending
	if a.Outcome == activities.Accepted {
		status = store.DeliverySent
	}
	return l.deliveries.Finish(ctx, store.Attempt{
		DeliveryID: a.DeliveryID, Number: a.Number, Outcome: a.Outcome, Code: a.Code, Detail: a.Detail,
		StartedAt: a.StartedAt, FinishedAt: a.FinishedAt,
	}, status, a.ProviderID)
}

// Fail ends a delivery and writes the error log, at once or not at all. A delivery that was sent after all (its last
// answer came while the attempt was given up) is left alone, and nothing is logged.
func (l *Ledger) Fail(ctx context.Context, f activities.Failure, now time.Time) error {
	return l.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		delivery := new(store.Delivery)
		if err := tx.Omit("body_text", "body_html").Take(delivery, "id = ?", f.DeliveryID).Error; err != nil {
			return fmt.Errorf("ledger: read delivery %s: %w", f.DeliveryID, err)
		}
		if delivery.Taken() {
			return nil
		}
		status := store.DeliveryFailed
		if f.Class == activities.Unknown {
			status = store.DeliveryUnknown
		}
		if err := l.deliveries.FailTx(tx, f.DeliveryID, status, f.Code, now); err != nil {
			return err
		}
		entry, err := l.failureEntry(ctx, tx, f, delivery.Attempts)
		if err != nil {
			return err
		}
		return l.errors.RecordTx(tx, entry)
	})
}

// failureEntry is the failure's row in the error log, with the provider's last words.
func (l *Ledger) failureEntry(
	ctx context.Context, tx *gorm.DB, f activities.Failure, attempts int,
) (*store.ErrorEntry, error) {
	tries, err := store.Deliveries{DB: tx}.Attempts(ctx, f.DeliveryID)
	if err != nil {
		return nil, err
	}
	detail := ""
	if len(tries) > 0 {
		detail = tries[len(tries)-1].Detail
	}
	extra, err := json.Marshal(map[string]any{
		"channel": f.Channel, "provider_code": f.Code, "class": f.Class, "provider_answer": detail,
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: context of a failure: %w", err)
	}
	return &store.ErrorEntry{
		Code: string(activities.SendFailCode(f.Channel)), Source: "send",
		Message: failureMessage(f, attempts),
		EventID: f.EventID, DeliveryID: f.DeliveryID, NotificationID: f.NotificationID,
		Attempt: attempts, Context: extra,
		DedupKey: fmt.Sprintf("send:%s:%d", f.DeliveryID, attempts),
	}, nil
}

func failureMessage(f activities.Failure, attempts int) string {
	switch f.Class {
	case activities.Permanent:
		return fmt.Sprintf("Refused for good at attempt %d with code %s. Mend the address or the settings, then retry.", attempts, f.Code)
	case activities.Unknown:
		return fmt.Sprintf("The answer to attempt %d was lost (code %s): it may have arrived. Ask the recipient before you retry.", attempts, f.Code)
	default:
		return fmt.Sprintf("Not taken in %d attempts; the last answer was code %s. Retry when the provider is back.", attempts, f.Code)
	}
}
