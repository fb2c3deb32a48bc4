// Package doubt ends, by a person's word, deliveries of which nobody can tell whether they arrived: those that are unknown.
package doubt

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/audit"
	"github.com/silquetech/silque-notifications/internal/retry"
	"github.com/silquetech/silque-notifications/internal/store"
)

// Outcome is what a person says of a delivery in doubt.
type Outcome string

// The outcomes.
const (
	Arrived      Outcome = "arrived"        // the recipient has it: it is delivered, and what stood against it is resolved
	DidNotArrive Outcome = "did_not_arrive" // the recipient does not have it: it has failed
	Retry        Outcome = "retry"          // it is handed over again, at the risk that it comes twice
)

// Outcomes lists all of them.
var Outcomes = []Outcome{Arrived, DidNotArrive, Retry}

// Action is the audit log's, with the outcome as its detail.
const Action = "delivery.doubt_ended"

// NotInDoubtError says that there is nothing (any more) to end, and what has happened.
type NotInDoubtError struct {
	// Status is the delivery's now. Asked: somebody has asked for another try of it, which has not come to its end.
	Status store.DeliveryStatus
	Asked  bool
	// Said is what the last person said who ended its doubt, By who that was and At when; empty when nobody has, or when
	// somebody has had it handed over again since.
	Said Outcome
	By   string
	At   time.Time
}

// Error says it without naming anybody.
func (e *NotInDoubtError) Error() string {
	now := "it is " + string(e.Status) + " now"
	if e.Asked {
		now = "another try of it has been asked for"
	}
	switch e.Said {
	case Arrived:
		return "somebody has said that it arrived; " + now
	case DidNotArrive:
		return "somebody has said that it did not arrive; " + now
	case Retry:
		return "somebody has had it handed over again; " + now
	default:
		return "it is not in doubt: " + now
	}
}

// ErrSuppressed says that a delivery is not handed over again because its address is on the suppression list.
var ErrSuppressed = errors.New("doubt: the address is suppressed: lift that first, if the person wants messages again")

// Doubts ends doubts.
type Doubts struct {
	DB *gorm.DB
	// Nudge is called after an event has been committed; it may be nil.
	Nudge func()
}

// End ends the doubt about a delivery, with its line in the audit log, and gives the event of another try, which Retry alone
// has. Of several people at the same moment, or a person and the provider's report, one is heard, and the others get a
// *NotInDoubtError. A delivery that is not there is store.ErrNotFound.
//
// What the provider tells later counts all the same: its word outweighs a person's.
func (d Doubts) End(ctx context.Context, id string, outcome Outcome, by retry.By) (eventID string, err error) {
	err = d.DB.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		delivery, err := store.Deliveries{}.HoldTx(tx, id)
		if err != nil {
			return err
		}
		asked, err := retry.Retries{DB: tx}.UnderWay(ctx, []string{id})
		if err != nil {
			return err
		}
		if delivery.Status != store.DeliveryUnknown || asked[id] {
			return notInDoubt(ctx, tx, delivery, asked[id])
		}
		if outcome == Retry {
			eventID, err = again(tx, id, by)
		} else {
			err = settle(tx, delivery, outcome)
		}
		if err != nil {
			return err
		}
		return audit.RecordTx(tx, audit.Entry{Actor: by.Actor, Action: Action, TargetID: id, Detail: string(outcome)})
	})
	if err != nil {
		return "", fmt.Errorf("doubt: %w", err)
	}
	if eventID != "" && d.Nudge != nil {
		d.Nudge()
	}
	return eventID, nil
}

// notInDoubt tells what has happened.
func notInDoubt(ctx context.Context, tx *gorm.DB, delivery *store.Delivery, asked bool) error {
	e := &NotInDoubtError{Status: delivery.Status, Asked: asked}
	last, _, err := audit.List(ctx, tx, audit.Filter{TargetID: delivery.ID}, "", 1)
	if err != nil {
		return err
	}
	if len(last) == 1 && last[0].Action == Action {
		e.Said, e.By, e.At = Outcome(last[0].Detail), last[0].Actor, last[0].At
	}
	return e
}

func again(tx *gorm.DB, id string, by retry.By) (eventID string, err error) {
	result, err := retry.AskTx(tx, id, by)
	switch {
	case err != nil:
		return "", err
	case len(result.Skipped) == 0:
		// The person wants it sent whatever the provider has.
		err := tx.Model(&store.Delivery{}).Where("id = ?", id).UpdateColumn("doubt_ended", gorm.Expr("attempts")).Error
		if err != nil {
			return "", fmt.Errorf("end the doubt of a delivery: %w", err)
		}
		return result.EventIDs[0], nil
	case result.Skipped[0].Reason == retry.ReasonSuppressed:
		return "", ErrSuppressed
	default:
		return "", fmt.Errorf("the delivery cannot be handed over again: %s", result.Skipped[0].Reason)
	}
}

// settle writes down what became of the delivery. One that is not tried again because its address has come not to want it
// was suppressed, when no earlier attempt brought it there.
func settle(tx *gorm.DB, delivery *store.Delivery, outcome Outcome) error {
	now := tx.NowFunc().UTC()
	changes := map[string]any{"status": store.DeliveryFailed, "updated_at": now}
	unwanted := outcome == DidNotArrive && store.IsSuppressedCode(delivery.ErrorCode)
	switch {
	case outcome == Arrived:
		changes["status"], changes["error_code"], changes["delivered_at"] = store.DeliveryDelivered, "", now
		changes["sent_at"] = gorm.Expr("COALESCE(sent_at, claimed_at, ?)", now)
	case unwanted:
		changes["status"] = store.DeliverySuppressed
	}
	if err := tx.Model(&store.Delivery{}).Where("id = ?", delivery.ID).Updates(changes).Error; err != nil {
		return fmt.Errorf("mark the delivery: %w", err)
	}
	if outcome == DidNotArrive && !unwanted {
		return nil
	}
	err := tx.Model(&store.ErrorEntry{}).Where("delivery_id = ?", delivery.ID).Where("NOT resolved").
		Updates(map[string]any{"resolved": true, "resolved_at": now}).Error
	if err != nil {
		return fmt.Errorf("resolve the delivery's errors: %w", err)
	}
	return nil
}
