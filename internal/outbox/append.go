package outbox

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// appendBatch bounds the rows of one INSERT: SQLite takes 32,766 parameters and Postgres 65,535, an event has 21.
const appendBatch = 500

// Append writes events in tx, which is the caller's transaction: they are there when it commits, and were never there
// when it rolls back. It fills in ID, Status and CreatedAt where they are empty, and fires no gorm hook or plugin.
func Append(tx *gorm.DB, events ...*Event) error {
	if len(events) == 0 {
		return nil
	}
	now := time.Now().UTC()
	for _, e := range events {
		if e.ID == "" {
			e.ID = NewID()
		}
		if e.CreatedAt.IsZero() {
			e.CreatedAt = now
		}
		if e.Lane == "" {
			e.Lane = e.lane()
		}
		e.Status = Pending
	}
	if err := clean(tx).CreateInBatches(events, appendBatch).Error; err != nil {
		return fmt.Errorf("outbox: append %d events: %w", len(events), err)
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
	e.ID, e.Status, e.CreatedAt = NewID(), Pending, time.Now().UTC()
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
