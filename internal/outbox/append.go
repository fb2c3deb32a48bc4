package outbox

import (
	"errors"
	"fmt"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Append writes events in tx, which is the caller's transaction: they are there when it commits, and were never there
// when it rolls back. It fills in ID, Status and CreatedAt where they are empty, and fires no gorm hook or plugin. What
// a later stage adds (Decisions, BatchID and the stages' times) is not written: a new event has none of it.
func Append(tx *gorm.DB, events ...*Event) error {
	session := clean(tx)
	err := AppendTx(session.Statement.Context, session.Statement.ConnPool, tx.Name(), events...)
	if err != nil {
		return fmt.Errorf("outbox: append %d events: %w", len(events), session.AddError(err))
	}
	return nil
}

// AppendOnce writes one event unless an earlier one carries the same IdempotencyKey; then it gives that one's ID. Two
// callers at the same moment get the same answer.
func AppendOnce(tx *gorm.DB, e *Event) (id string, fresh bool, err error) {
	if e.IdempotencyKey == nil {
		err = Append(tx, e)
		return e.ID, true, err
	}
	e.ID, e.Status, e.CreatedAt = NewID(), Pending, tx.NowFunc().UTC()
	if e.Lane == "" {
		e.Lane = e.lane()
	}
	result := clean(tx).Clauses(clause.OnConflict{DoNothing: true}).Create(e)
	if result.Error != nil {
		return "", false, fmt.Errorf("outbox: append an event: %w", result.Error)
	}
	if result.RowsAffected == 1 {
		return e.ID, true, nil
	}
	var earlier Event
	err = clean(tx).Select("id").Where("idempotency_key = ?", *e.IdempotencyKey).Take(&earlier).Error
	if err != nil {
		return "", false, fmt.Errorf("outbox: find the earlier event: %w", err)
	}
	return earlier.ID, false, nil
}

// clean gives a session on the same connection or transaction, without the caller's clauses, scopes and hooks.
func clean(tx *gorm.DB) *gorm.DB {
	return tx.Session(&gorm.Session{NewDB: true, SkipHooks: true, SkipDefaultTransaction: true})
}

// ErrNotFound says that no event has the ID.
var ErrNotFound = errors.New("outbox: no such event")

// AppendNew writes those of the events in tx whose IdempotencyKey no earlier one carries, and gives their number.
func AppendNew(tx *gorm.DB, events []*Event) (fresh int, err error) {
	keys := make([]string, len(events))
	for i, e := range events {
		keys[i] = *e.IdempotencyKey
	}
	var known []string
	err = clean(tx).Model(&Event{}).Where("idempotency_key IS NOT NULL AND idempotency_key IN ?", keys).
		Pluck("idempotency_key", &known).Error
	if err != nil {
		return 0, fmt.Errorf("outbox: look for earlier events: %w", err)
	}
	events = slices.DeleteFunc(slices.Clone(events), func(e *Event) bool { return slices.Contains(known, *e.IdempotencyKey) })
	for _, e := range events {
		_, isFresh, err := AppendOnce(tx, e)
		if err != nil {
			return fresh, err
		}
		if isFresh {
			fresh++
		}
	}
	return fresh, nil
}
