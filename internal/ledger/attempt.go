package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/silquetech/silque-notifications/activities"
	"github.com/silquetech/silque-notifications/internal/channel"
	"github.com/silquetech/silque-notifications/internal/receipt"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// Claim begins one attempt, see Advance.
func (l *Ledger) Claim(ctx context.Context, deliveryID, retryEventID string, now time.Time) (activities.Claim, error) {
	claims, err := l.Advance(ctx, nil, []activities.SendInput{{DeliveryID: deliveryID, RetryEventID: retryEventID}}, now)
	if err != nil {
		return activities.Claim{}, err
	}
	return claims[0], nil
}

// Finish records how one attempt ended, see Advance.
func (l *Ledger) Finish(ctx context.Context, a activities.Attempt) error {
	_, err := l.Advance(ctx, []activities.Attempt{a}, nil, a.FinishedAt)
	return err
}

// Advance records how attempts ended, and begins others unless their deliveries have ended already, at once or not at
// all. An ended attempt makes its delivery sent, or pending until the workflow says that it was the last one. An attempt
// that a process left in the middle when it died, and one that ended in doubt, may have reached the provider: the
// delivery is doubtful since the first of these began, however many attempts came after it, until a person has it opened
// again.
func (l *Ledger) Advance(
	ctx context.Context, ended []activities.Attempt, begin []activities.SendInput, now time.Time,
) ([]activities.Claim, error) {
	done, next := make([]store.Ended, len(ended)), make([]store.Begin, len(begin))
	for i, a := range ended {
		done[i] = endedOf(a)
	}
	for i, b := range begin {
		next[i] = store.Begin{ID: b.DeliveryID, RetryEventID: b.RetryEventID}
	}
	begun, err := l.deliveries.Advance(ctx, done, next, now)
	if err != nil {
		return nil, err
	}
	claims := make([]activities.Claim, len(begun))
	for i, b := range begun {
		if claims[i], err = l.claimOf(ctx, b); err != nil {
			return nil, errors.Join(err, l.takeBack(ctx, begun))
		}
	}
	return claims, nil
}

// GiveBack takes attempts back that began here and nowhere else.
func (l *Ledger) GiveBack(ctx context.Context, attempts []activities.Attempt, now time.Time) error {
	back := make([]store.Attempt, len(attempts))
	for i, a := range attempts {
		back[i] = store.Attempt{DeliveryID: a.DeliveryID, Number: a.Number}
	}
	return l.deliveries.GiveBack(ctx, back, now)
}

// takeBack gives attempts back whose caller will not hear of them.
func (l *Ledger) takeBack(ctx context.Context, begun []store.Begun) error {
	var attempts []store.Attempt
	for _, b := range begun {
		if b.Attempt > 0 {
			attempts = append(attempts, store.Attempt{DeliveryID: b.Before.ID, Number: b.Attempt})
		}
	}
	return l.deliveries.GiveBack(ctx, attempts, l.db.NowFunc().UTC())
}

func endedOf(a activities.Attempt) store.Ended {
	status := store.DeliveryPending
	if a.Outcome == activities.Accepted {
		status = store.DeliverySent
	}
	return store.Ended{
		Attempt: store.Attempt{
			DeliveryID: a.DeliveryID, Number: a.Number, Outcome: a.Outcome, Code: a.Code, Detail: a.Detail,
			StartedAt: a.StartedAt, FinishedAt: a.FinishedAt,
		},
		Status: status, ProviderID: a.ProviderID,
	}
}

func (l *Ledger) claimOf(ctx context.Context, b store.Begun) (activities.Claim, error) {
	before := b.Before
	if b.Attempt == 0 {
		return activities.Claim{Taken: before.Taken(), Suppressed: before.Status == store.DeliverySuppressed}, nil
	}
	claim := activities.Claim{
		Attempt: b.Attempt,
		Message: activities.Message{
			DeliveryID: before.ID, Channel: before.Channel, To: before.Address,
			Subject: before.Subject, Text: before.BodyText, HTML: before.BodyHTML,
		},
	}
	if before.Details != nil {
		if err := json.Unmarshal(before.Details, &claim.Message.Details); err != nil {
			return activities.Claim{}, fmt.Errorf("ledger: details of delivery %s: %w", before.ID, err)
		}
	}
	if before.Attempts == 0 {
		return claim, nil
	}
	var err error
	claim.DoubtfulSince, err = l.doubtfulSince(ctx, before)
	return claim, err
}

// doubtfulSince gives the beginning of the first attempt that may have reached the provider; nil when none may.
func (l *Ledger) doubtfulSince(ctx context.Context, delivery *store.Delivery) (*time.Time, error) {
	attempts, err := l.deliveries.Attempts(ctx, delivery.ID)
	if err != nil {
		return nil, err
	}
	if lost := delivery.Lost(attempts); lost != nil {
		return &lost.StartedAt, nil
	}
	return nil, nil
}

// Recorded says whether a provider's message is accounted for already: it is another delivery's, or this one's of before a
// person had it opened again.
func (l *Ledger) Recorded(ctx context.Context, providerID, deliveryID string) (bool, error) {
	if providerID == "" {
		return false, nil
	}
	db := l.db.WithContext(ctx)
	if others, err := store.OfAnother(db, providerID, deliveryID); err != nil || others {
		return others, err
	}
	var before int64
	err := db.Table("notify_attempts AS a").Joins("JOIN notify_deliveries d ON d.id = a.delivery_id AND a.number <= d.doubt_ended").
		Where("a.delivery_id = ? AND a.provider_id = ?", deliveryID, providerID).Limit(1).Count(&before).Error
	if err != nil {
		return false, fmt.Errorf("ledger: look for a message among a delivery's own: %w", err)
	}
	return before > 0, nil
}

// Fail ends a delivery and writes the error log, at once or not at all; when the provider refused it because its recipient
// wants no messages, a suppression is written too. A delivery that has ended after all (its last answer, or the provider's
// report, came while the attempt was given up), or that a person has had opened again since, is left alone.
func (l *Ledger) Fail(ctx context.Context, f activities.Failure, now time.Time) error {
	return l.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		delivery, err := lockedDelivery(tx, f.DeliveryID)
		if err != nil {
			return err
		}
		if delivery.Done() || delivery.RetryEventID != f.RetryEventID {
			return nil
		}
		tries, err := store.Deliveries{DB: tx}.Attempts(ctx, f.DeliveryID)
		if err != nil {
			return err
		}
		f.Class = lastWord(f, delivery, tries)
		status := store.DeliveryFailed
		if f.Class == activities.Unknown {
			status = store.DeliveryUnknown
		}
		if err := l.deliveries.FailTx(tx, f.DeliveryID, status, f.Code, now); err != nil {
			return err
		}
		if err := receipt.SuppressTx(tx, delivery, f.Code); err != nil {
			return err
		}
		entry, err := failureEntry(f, delivery, tries)
		if err != nil {
			return err
		}
		return l.errors.RecordTx(tx, entry)
	})
}

// lastWord classes a failure by all that is known: one attempt that may have arrived leaves the delivery in doubt, however
// many refusals came after it (a person who has it opened again ends that), and a delivery that no attempt was made for has not arrived.
func lastWord(f activities.Failure, delivery *store.Delivery, tries []store.Attempt) activities.Class {
	switch {
	case delivery.Attempts == 0:
		return activities.Temporary
	case delivery.Lost(tries) != nil:
		return activities.Unknown
	default:
		return f.Class
	}
}

// lockedDelivery reads a delivery without its bodies and, on Postgres, holds it until the transaction ends: a success
// that comes in at the same moment is then either seen, or waits.
func lockedDelivery(tx *gorm.DB, id string) (*store.Delivery, error) {
	query := tx.Omit("body_text", "body_html")
	if tx.Name() == "postgres" {
		query = query.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate})
	}
	delivery := new(store.Delivery)
	if err := query.Take(delivery, "id = ?", id).Error; err != nil {
		return nil, fmt.Errorf("ledger: read delivery %s: %w", id, err)
	}
	return delivery, nil
}

// failureEntry is the failure's row in the error log, with the provider's last words. It is unique by the retry that
// failed too: one that ended before its first attempt has the same number of attempts as the failure before.
func failureEntry(f activities.Failure, delivery *store.Delivery, tries []store.Attempt) (*store.ErrorEntry, error) {
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
		Code: string(rule.SendFailCode(f.Channel)), Source: "send",
		Message: failureMessage(f, delivery.Attempts, delivery.Lost(tries)),
		EventID: f.EventID, DeliveryID: f.DeliveryID, NotificationID: f.NotificationID,
		Attempt: delivery.Attempts, Context: extra,
		DedupKey: fmt.Sprintf("send:%s:%s:%d", f.DeliveryID, delivery.RetryEventID, delivery.Attempts),
	}, nil
}

// failureMessage says what happened, which answer was lost, what its code means where that is known, and what to do.
func failureMessage(f activities.Failure, attempts int, lost *store.Attempt) string {
	meaning := ""
	if m := channel.MeaningOf(f.Code); m.What != "" {
		meaning = " " + strings.TrimSpace(m.What+" "+m.Do)
	}
	switch {
	case f.Code == abandonedCode && f.Class != activities.Unknown:
		return fmt.Sprintf("Its workflow was stopped by hand after %d attempts. Retry when it is to be sent after all.", attempts)
	case f.Class == activities.Permanent:
		return fmt.Sprintf("Refused for good at attempt %d with code %s.%s Mend the address or the settings, then retry.", attempts, f.Code, meaning)
	case f.Class == activities.Unknown && lost != nil && lost.Number < attempts:
		return fmt.Sprintf("The answer to attempt %d was lost (code %s): it may have arrived. The last of %d attempts ended with code %s.%s Ask the recipient before you retry.",
			lost.Number, lost.Code, attempts, f.Code, meaning)
	case f.Class == activities.Unknown:
		return fmt.Sprintf("The answer to attempt %d was lost (code %s): it may have arrived.%s Ask the recipient before you retry.", attempts, f.Code, meaning)
	default:
		return fmt.Sprintf("Not taken in %d attempts; the last answer was code %s.%s Retry when the provider is back.", attempts, f.Code, meaning)
	}
}
