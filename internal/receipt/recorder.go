package receipt

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// Provider is who tells, in histories.
const Provider = "Twilio"

// Recorder applies reports to the application's database.
type Recorder struct{ DB *gorm.DB }

// Record applies one report, at once or not at all, and says what it came to; applying it again changes nothing.
//
// A report counts when it is about the delivery's own recipient, and about a message that the delivery is known by or, as
// long as it is not known to be sent, may be known by. That a message arrived outweighs everything, whatever is said
// before or after it; of a person's word so does that it failed. That it was taken settles a delivery that is under way or in doubt, so that it is not handed over
// again. That it failed after all ends the delivery, with an entry in the error log, and when the recipient does not want
// messages with a suppression; that one is written whichever message of the delivery's the report is about.
func (r Recorder) Record(ctx context.Context, report Report) (outcome Outcome, err error) {
	if report.said() == Foreign || !report.wellFormed() {
		return Foreign, nil
	}
	db := r.DB.Session(&gorm.Session{NewDB: true, SkipHooks: true}).WithContext(ctx)
	err = db.Transaction(func(tx *gorm.DB) (err error) {
		outcome, err = record(tx, report)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("receipt: record a report: %w", err)
	}
	return outcome, nil
}

func record(tx *gorm.DB, report Report) (Outcome, error) {
	d, err := locked(tx, report)
	if err != nil || d == nil {
		return Foreign, err
	}
	said := report.said()
	if said == Failed {
		if err := suppressOnce(tx, d, report); err != nil {
			return "", err
		}
	}
	current, ours, err := belongs(tx, d, report.SID)
	if err != nil || !ours {
		return Foreign, err
	}
	guessed := d.Status == store.DeliveryDelivered && d.ProviderID == "" // a person has said that it arrived
	switch {
	case d.Status == store.DeliveryDelivered && !guessed, !current && said != Arrived:
		return Repeated, nil // of an earlier message, only that it arrived matters
	case said == Taken && d.Done() && d.Status != store.DeliveryUnknown,
		said == Failed && d.Status == store.DeliveryFailed && d.ProviderID == report.SID:
		return Repeated, nil
	}
	now := tx.NowFunc().UTC()
	if err := nameAttempt(tx, d, report, now); err != nil {
		return "", err
	}
	if said == Failed {
		return Failed, fail(tx, d, report, now)
	}
	return said, take(tx, d, report, now)
}

// locked reads the delivery that a report is about, without its texts; nil when there is none that was handed over to
// that recipient. On Postgres it is held until the transaction ends, so that an attempt and reports come one after the other.
func locked(tx *gorm.DB, report Report) (*store.Delivery, error) {
	id, err := uuid.Parse(report.DeliveryID)
	if err != nil {
		return nil, nil //nolint:nilerr // a name that is none of ours
	}
	d, err := store.Deliveries{}.HoldTx(tx, id.String())
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read the delivery: %w", err)
	}
	number, whatsApp := strings.CutPrefix(report.To, "whatsapp:")
	channel := rule.SMS
	if whatsApp {
		channel = rule.WhatsApp
	}
	if d.Attempts == 0 || d.Channel != channel || d.Address != number {
		return nil, nil
	}
	return d, nil
}

// belongs says whether a message is one of the delivery's, and whether it is its present one.
func belongs(tx *gorm.DB, d *store.Delivery, sid string) (current, ours bool, err error) {
	var attempts int64
	err = tx.Model(&store.Attempt{}).Where("delivery_id = ? AND provider_id = ?", d.ID, sid).Count(&attempts).Error
	if err != nil {
		return false, false, fmt.Errorf("look for the message among the attempts: %w", err)
	}
	switch {
	case d.ProviderID == sid: // a person may have had the delivery opened again since: then this is the message of before
		return d.Done() || attempts == 0, true, nil
	case attempts > 0:
		return false, true, nil
	}
	if others, err := store.OfAnother(tx, sid, d.ID); err != nil || others {
		return false, false, err
	}
	var unnamed int64
	err = tx.Model(&store.Attempt{}).Where("delivery_id = ? AND outcome = ? AND provider_id = ''", d.ID, string(store.DeliveryUnknown)).Count(&unnamed).Error
	if err != nil {
		return false, false, fmt.Errorf("look for attempts without an answer: %w", err)
	}
	// A message that nobody has written down: the answer to its hand-over was lost, or is on its way. When the delivery is
	// known by another message this one is one too many, and there is nothing to tell of it. When a person has said what
	// became of it, Twilio has still not been heard.
	open := !d.Taken() && (d.ProviderID == "" || !d.Done() || d.Status == store.DeliveryUnknown)
	guessed := d.Status == store.DeliveryDelivered && d.ProviderID == "" && unnamed > 0
	waits := !d.Done() && d.Attempts == d.DoubtEnded // a person has asked for another attempt, and none has begun
	return (open || guessed) && !waits, open || guessed, nil
}

// nameAttempt writes the message down for the attempt that handed it over: the first one whose answer was lost, or the
// one under way, whose worker may be gone.
func nameAttempt(tx *gorm.DB, d *store.Delivery, report Report, now time.Time) error {
	if d.ProviderID == report.SID {
		return nil
	}
	named := tx.Exec(`UPDATE notify_attempts SET provider_id = ? WHERE delivery_id = ? AND number =
		(SELECT MIN(number) FROM notify_attempts WHERE delivery_id = ? AND outcome = 'unknown' AND provider_id = '')`,
		report.SID, d.ID, d.ID)
	if named.Error != nil || named.RowsAffected > 0 || d.Status != store.DeliverySending || d.ClaimedAt == nil {
		return named.Error
	}
	under := store.Attempt{
		DeliveryID: d.ID, Number: d.Attempts, Outcome: string(store.DeliverySent), ProviderID: report.SID,
		Detail: "Twilio reports it as " + report.Status + ".", StartedAt: *d.ClaimedAt, FinishedAt: now,
	}
	return tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&under).Error
}

// take says that Twilio has the message, or that it arrived, and resolves what stood against it.
func take(tx *gorm.DB, d *store.Delivery, report Report, now time.Time) error {
	changes := map[string]any{
		"status": store.DeliverySent, "provider_id": report.SID, "error_code": "", "updated_at": now,
		"sent_at": gorm.Expr("COALESCE(sent_at, ?)", now),
	}
	if report.said() == Arrived {
		changes["status"], changes["delivered_at"] = store.DeliveryDelivered, now
	}
	if err := tx.Model(&store.Delivery{}).Where("id = ?", d.ID).Updates(changes).Error; err != nil {
		return fmt.Errorf("mark the delivery: %w", err)
	}
	err := tx.Model(&store.ErrorEntry{}).Where("delivery_id = ?", d.ID).Where("NOT resolved").
		Updates(map[string]any{"resolved": true, "resolved_at": now}).Error
	if err != nil {
		return fmt.Errorf("resolve the delivery's errors: %w", err)
	}
	return nil
}

// fail ends a delivery that was taken and did not arrive.
func fail(tx *gorm.DB, d *store.Delivery, report Report, now time.Time) error {
	changes := map[string]any{
		"status": store.DeliveryFailed, "provider_id": report.SID, "error_code": report.code(), "updated_at": now, "delivered_at": nil,
		"sent_at": gorm.Expr("COALESCE(sent_at, ?)", now),
	}
	if err := tx.Model(&store.Delivery{}).Where("id = ?", d.ID).Updates(changes).Error; err != nil {
		return fmt.Errorf("mark the delivery failed: %w", err)
	}
	extra, err := json.Marshal(map[string]any{"channel": d.Channel, "provider_code": report.code(), "class": report.Status})
	if err != nil {
		return err
	}
	return store.Errors{}.RecordTx(tx, &store.ErrorEntry{
		Code: string(rule.SendFailCode(d.Channel)), Source: "receipt", EventID: d.EventID, DeliveryID: d.ID, NotificationID: d.NotificationID,
		Attempt: d.Attempts, Context: extra, DedupKey: "receipt:" + d.ID + ":" + report.SID,
		Message: fmt.Sprintf("Twilio took it and then reports it as %s (code %s). Look the code up at twilio.com/docs/api/errors, mend what it names, then retry.",
			report.Status, cmp.Or(report.Code, "none")),
	})
}

// suppressOnce keeps further messages from a recipient who wants none, whatever the report comes to for the delivery: that
// is said of the recipient. The same report again must not undo what the person has said since.
func suppressOnce(tx *gorm.DB, d *store.Delivery, report Report) error {
	if !OptOut(report.code()) {
		return nil
	}
	fresh, err := store.Suppressions{}.HearTx(tx, "report:"+report.SID)
	if err != nil || !fresh {
		return err
	}
	return SuppressTx(tx, d, report.code())
}

// SuppressTx keeps further messages from a recipient of whom the provider says, by an error code, that they want none.
// After another code it does nothing.
func SuppressTx(tx *gorm.DB, d *store.Delivery, code string) error {
	if !OptOut(code) {
		return nil
	}
	_, err := store.Suppressions{}.AddTx(tx, &store.Suppression{
		Channel: d.Channel, Address: d.Address, Reason: store.SuppressedStop, Source: store.SuppressedByHook,
		DeliveryID: d.ID, Detail: code, CreatedBy: Provider,
	})
	return err
}
