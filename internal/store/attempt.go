package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/wording"
)

// Begin names a delivery whose next attempt is to begin.
type Begin struct {
	ID string
	// RetryEventID names whose turn it is: a delivery that was opened again since is left alone.
	RetryEventID string
}

// Begun is what a Begin came to.
type Begun struct {
	// Before is the delivery as it was (so that a caller sees a success).
	Before *Delivery
	// Attempt is the number of the attempt, 0 when there is nothing to do.
	Attempt int
}

// Ended is how an attempt ended, and what that makes of its delivery.
type Ended struct {
	Attempt    Attempt
	Status     DeliveryStatus
	ProviderID string
}

// Claim begins one attempt, see Advance.
func (s Deliveries) Claim(ctx context.Context, id, retryEventID string, now time.Time) (before *Delivery, attempt int, err error) {
	begun, err := s.Advance(ctx, nil, []Begin{{ID: id, RetryEventID: retryEventID}}, now)
	if err != nil {
		return nil, 0, err
	}
	return begun[0].Before, begun[0].Attempt, nil
}

// Finish records how one attempt ended, see Advance.
func (s Deliveries) Finish(ctx context.Context, a Attempt, status DeliveryStatus, providerID string) error {
	_, err := s.Advance(ctx, []Ended{{Attempt: a, Status: status, ProviderID: providerID}}, nil, a.FinishedAt)
	return err
}

// Advance records how attempts ended and begins others, at once or not at all: a commit for many.
//
// To begin an attempt is to count it and to mark the delivery sending, unless it has ended already. An earlier attempt
// that a dead process left without an end is written down as unknown; if its answer comes after all, that takes its
// place. A delivery that its address has come not to want, or whose time is over, ends instead, as suppressed.
//
// Answers can come late, when the workflow has given the attempt up: a refusal then changes nothing, and a success makes
// the delivery sent, unless the provider has already said that it arrived, or that it failed after all. What a provider
// wrote is kept as wording.Kept gives it.
func (s Deliveries) Advance(ctx context.Context, ended []Ended, begin []Begin, now time.Time) (begun []Begun, err error) {
	err = session(s.DB).WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := finishAll(tx, ended); err != nil {
			return err
		}
		begun, err = claimAll(tx, begin, now)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("store: end %d attempts and begin %d: %w", len(ended), len(begin), err)
	}
	return begun, nil
}

// GiveBack takes attempts back that were begun here and nowhere else: each delivery is as it was before. One whose attempt
// is not the given one any more is left alone.
func (s Deliveries) GiveBack(ctx context.Context, attempts []Attempt, now time.Time) error {
	byNumber := make(map[int][]string)
	for _, a := range attempts {
		byNumber[a.Number] = append(byNumber[a.Number], a.DeliveryID)
	}
	err := session(s.DB).WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		for _, number := range slices.Sorted(maps.Keys(byNumber)) { // in one order, so that two never wait for each other
			err := tx.Exec(`UPDATE notify_deliveries SET status = 'pending', attempts = attempts - 1, updated_at = ?
				WHERE id IN ? AND status = 'sending' AND attempts = ?`, now, byNumber[number], number).Error
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store: give %d attempts back: %w", len(attempts), err)
	}
	return nil
}

// claimAll begins attempts: in one statement those of deliveries that nobody has tried, which nearly all are, and the
// others one by one.
func claimAll(tx *gorm.DB, begin []Begin, now time.Time) ([]Begun, error) {
	fresh, err := claimFresh(tx, begin, now)
	if err != nil {
		return nil, err
	}
	begun := make([]Begun, len(begin))
	for i, b := range begin {
		if d := fresh[b.ID]; d != nil {
			begun[i] = Begun{Before: d, Attempt: 1}
			continue
		}
		if begun[i], err = claimOne(tx, b, now); err != nil {
			return nil, err
		}
	}
	return begun, nil
}

// claimFresh begins the first attempts, and gives the deliveries by their IDs as they were before.
func claimFresh(tx *gorm.DB, begin []Begin, now time.Time) (map[string]*Delivery, error) {
	ids := make([]string, 0, len(begin))
	for _, b := range begin {
		if b.RetryEventID == "" {
			ids = append(ids, b.ID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	var claimed []*Delivery
	err := tx.Raw(`UPDATE notify_deliveries SET status = 'sending', attempts = 1, claimed_at = ?, updated_at = ?
		WHERE id IN ? AND status = 'pending' AND attempts = 0 AND retry_event_id = '' AND (valid_until IS NULL OR valid_until >= ?)
			AND `+wanted(tx)+` RETURNING *`, now, now, ids, now).Scan(&claimed).Error
	if err != nil {
		return nil, err
	}
	fresh := make(map[string]*Delivery, len(claimed))
	for _, d := range claimed {
		d.Status, d.Attempts, d.ClaimedAt = DeliveryPending, 0, nil
		fresh[d.ID] = d
	}
	return fresh, nil
}

func claimOne(tx *gorm.DB, b Begin, now time.Time) (begun Begun, err error) {
	before := new(Delivery)
	begun.Before = before
	query := tx
	if tx.Name() == "postgres" {
		query = tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate})
	}
	if err := query.Take(before, "id = ?", b.ID).Error; err != nil {
		return begun, found(err)
	}
	if before.Done() || before.RetryEventID != b.RetryEventID {
		return begun, nil
	}
	if err := keepLost(tx, before, now); err != nil {
		return begun, err
	}
	if suppressed, err := suppress(tx.Statement.Context, tx, before, now); err != nil || suppressed {
		return begun, err
	}
	if suppressed, err := expire(tx, before, now); err != nil || suppressed {
		return begun, err
	}
	begun.Attempt = before.Attempts + 1
	return begun, tx.Model(&Delivery{}).Where("id = ?", b.ID).
		Updates(map[string]any{"status": DeliverySending, "attempts": begun.Attempt, "claimed_at": now, "updated_at": now}).Error
}

// lostCode is the code of an attempt whose process died in the middle.
const lostCode = "worker_lost"

// keepLost writes the last attempt down when nobody did. It began when the delivery was claimed.
func keepLost(tx *gorm.DB, before *Delivery, now time.Time) error {
	if before.Attempts == 0 || before.ClaimedAt == nil {
		return nil
	}
	lost := Attempt{
		DeliveryID: before.ID, Number: before.Attempts, Outcome: string(DeliveryUnknown), Code: lostCode,
		StartedAt: *before.ClaimedAt, FinishedAt: now,
	}
	return tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&lost).Error
}

// ExpiredCode is the code of a delivery that was of use until a moment that has passed.
const ExpiredCode = "expired"

// expire ends a delivery whose time is over, as suppressed. One that an earlier attempt may have brought to its provider
// is brought to its end all the same: whether it arrived must not stay open.
func expire(tx *gorm.DB, d *Delivery, now time.Time) (suppressed bool, err error) {
	if d.ValidUntil == nil || !now.After(*d.ValidUntil) {
		return false, nil
	}
	if tries, err := (Deliveries{DB: tx}).Attempts(tx.Statement.Context, d.ID); err != nil || d.Lost(tries) != nil {
		return false, err
	}
	d.Status, d.ErrorCode = DeliverySuppressed, ExpiredCode
	err = tx.Model(&Delivery{}).Where("id = ?", d.ID).
		Updates(map[string]any{"status": d.Status, "error_code": d.ErrorCode, "updated_at": now}).Error
	if err != nil {
		return false, err
	}
	return true, Errors{}.RecordTx(tx, &ErrorEntry{
		Code: string(rule.DeliveryExpired), Source: "send", EventID: d.EventID, DeliveryID: d.ID, NotificationID: d.NotificationID,
		Attempt: d.Attempts, DedupKey: "expired:" + d.ID + ":" + d.RetryEventID,
		Message: fmt.Sprintf("Not sent: the message was of use until %s, and its turn came %s later. See what held it up, or give the notification a longer validity.",
			d.ValidUntil.UTC().Format(time.RFC3339), now.Sub(*d.ValidUntil).Round(time.Second)),
	})
}

// finishAll writes attempts down, and what they make of their deliveries.
func finishAll(tx *gorm.DB, ended []Ended) error {
	if len(ended) == 0 {
		return nil
	}
	attempts := make([]Attempt, len(ended))
	var taken []Ended
	for i, e := range ended {
		e = worded(e)
		attempts[i] = e.Attempt
		attempts[i].ProviderID = e.ProviderID
		if e.Status == DeliverySent {
			taken = append(taken, e)
			continue
		}
		changes := map[string]any{"status": e.Status, "error_code": e.Attempt.Code, "updated_at": e.Attempt.FinishedAt}
		err := tx.Model(&Delivery{}).Where("id = ?", e.Attempt.DeliveryID).
			Where("status IN ?", []DeliveryStatus{DeliveryPending, DeliverySending}).Updates(changes).Error
		if err != nil {
			return err
		}
	}
	if err := markTaken(tx, taken); err != nil {
		return err
	}
	return tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&attempts).Error
}

// How much of a provider's words is kept, in characters: a reply of several lines with a page's address, and names.
const (
	detailLimit = 2000
	nameLimit   = 200
)

// worded makes words of the provider's that both databases take: an attempt that cannot be written down would be made
// again, and those that end with it, too.
func worded(e Ended) Ended {
	e.Attempt.Code = wording.Kept(e.Attempt.Code, nameLimit)
	e.Attempt.Detail = wording.Kept(e.Attempt.Detail, detailLimit)
	e.ProviderID = wording.Kept(e.ProviderID, nameLimit)
	return e
}

// BouncedCode begins the code of a delivery whose email was taken and came back.
const BouncedCode = "bounce"

// told is the condition that the provider has said more of this message than that it has it: its report can overtake the
// answer to the hand-over. Emails go by the code, since all attempts of a delivery have one Message-ID.
const told = `(status = 'delivered' OR status = 'failed' AND (error_code LIKE '` + BouncedCode + `%'
	OR channel <> 'email' AND notify_deliveries.provider_id <> '' AND notify_deliveries.provider_id = t.provider_id))`

// markTaken says that the provider has the deliveries, in one statement, and that what stood against them is settled.
func markTaken(tx *gorm.DB, taken []Ended) error {
	if len(taken) == 0 {
		return nil
	}
	row := "(?, ?, ?, ?),"
	if tx.Name() == "postgres" {
		row = "(?, ?, ?, CAST(? AS TIMESTAMPTZ)),"
	}
	arguments := make([]any, 0, 4*len(taken)+2)
	for _, e := range taken {
		arguments = append(arguments, e.Attempt.DeliveryID, e.ProviderID, e.Attempt.Code, e.Attempt.FinishedAt)
	}
	arguments = append(arguments, DeliverySent)
	var marked []struct {
		ID, RetryEventID string
		Status           DeliveryStatus
	}
	err := tx.Raw("WITH t(id, provider_id, code, at) AS (VALUES "+strings.TrimSuffix(strings.Repeat(row, len(taken)), ",")+`)
		UPDATE notify_deliveries SET status = CASE WHEN `+told+` THEN status ELSE ? END, provider_id = t.provider_id,
			error_code = CASE WHEN `+told+` THEN error_code ELSE t.code END, sent_at = t.at, updated_at = t.at
		FROM t WHERE notify_deliveries.id = t.id RETURNING notify_deliveries.id, retry_event_id, status`, arguments...).Scan(&marked).Error
	if err != nil {
		return err
	}
	asked := make(map[string]bool)
	for _, d := range marked {
		if d.RetryEventID != "" {
			asked[d.ID] = true
		}
		if d.Status == DeliveryFailed {
			taken = slices.DeleteFunc(slices.Clone(taken), func(e Ended) bool { return e.Attempt.DeliveryID == d.ID })
		}
	}
	return resolveSent(tx, taken, asked)
}

// resolveSent closes the errors of deliveries that have succeeded after all. One that succeeds at its first attempt without
// a person's asking has none, and costs no statement.
func resolveSent(tx *gorm.DB, taken []Ended, asked map[string]bool) error {
	var ids []string
	var at time.Time
	for _, e := range taken {
		if e.Attempt.Number > 1 || asked[e.Attempt.DeliveryID] {
			ids = append(ids, e.Attempt.DeliveryID)
			at = e.Attempt.FinishedAt
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return tx.Model(&ErrorEntry{}).Where("delivery_id IN ?", ids).Where("NOT resolved").
		Updates(map[string]any{"resolved": true, "resolved_at": at}).Error
}
