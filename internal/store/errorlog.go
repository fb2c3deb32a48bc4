package store

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/silquetech/silque-notifications/internal/audit"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/wording"
)

// ErrorEntry is a row of the error log: what went wrong, where, for which event and delivery, with a machine code.
type ErrorEntry struct {
	ID   string `gorm:"primaryKey"`
	Code string
	// Source is the part of the system that met it: "resolve", "send", "relay".
	Source  string
	Message string
	// EventID, DeliveryID and NotificationID are empty where the error has none.
	EventID        string
	DeliveryID     string
	NotificationID string
	Attempt        int
	// Context is a JSON object with what else is known.
	Context    outbox.Snapshot
	Resolved   bool
	ResolvedAt *time.Time
	// DedupKey makes the same failure, recorded twice by a repeated step, one row.
	DedupKey  string
	CreatedAt time.Time
}

// TableName is fixed by the migrations.
func (ErrorEntry) TableName() string { return "notify_errors" }

// Errors keeps the error log.
type Errors struct{ DB *gorm.DB }

// ErrorFilter narrows a list; empty fields do not.
type ErrorFilter struct {
	Code, Source, EventID, DeliveryID, NotificationID string
	Resolved                                          *bool
	// ID is one entry's. Text is a part of the message, whatever its case.
	ID, Text string
	// NoNotification asks for the entries that concern none.
	NoNotification bool
	// Span is when they were met.
	Span Span
}

// RecordTx writes entries in the caller's transaction; one whose DedupKey is known stays as it is. It fills in ID and
// CreatedAt, and keeps messages and keys as wording.Kept gives them.
func (s Errors) RecordTx(tx *gorm.DB, entries ...*ErrorEntry) error {
	if len(entries) == 0 {
		return nil
	}
	now := time.Now().UTC()
	for _, e := range entries {
		e.ID, e.CreatedAt = outbox.NewID(), now
		if e.DedupKey == "" {
			e.DedupKey = e.ID
		}
		e.Code, e.Message, e.DedupKey = wording.Kept(e.Code, nameLimit), wording.Kept(e.Message, 0), wording.Kept(e.DedupKey, 0)
	}
	if err := session(tx).Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(entries, 200).Error; err != nil {
		return fmt.Errorf("store: record %d errors: %w", len(entries), err)
	}
	return nil
}

// Get reads one entry, or gives ErrNotFound.
func (s Errors) Get(ctx context.Context, id string) (*ErrorEntry, error) {
	e := new(ErrorEntry)
	if err := session(s.DB).WithContext(ctx).Take(e, "id = ?", id).Error; err != nil {
		return nil, found(err)
	}
	return e, nil
}

// List reads a page, newest first.
func (s Errors) List(ctx context.Context, f ErrorFilter, p Paging) (Page[*ErrorEntry], error) {
	query := f.apply(session(s.DB).WithContext(ctx))
	page, err := newestFirst(query, p, func(e *ErrorEntry) string { return e.ID })
	if err != nil {
		return page, fmt.Errorf("store: list errors: %w", err)
	}
	return page, nil
}

// apply adds the filter's conditions.
func (f ErrorFilter) apply(query *gorm.DB) *gorm.DB {
	for _, c := range f.conditions() {
		query = query.Where(c.sql, c.arguments...)
	}
	return searched{}.window(query, nil, f.Span, "")
}

// conditions lists what is asked for but the span.
func (f ErrorFilter) conditions() (c conditions) {
	c.few("id", f.ID, "")
	c.many("event_id", f.EventID, "")
	c.many("delivery_id", f.DeliveryID, "")
	c.many("notification_id", f.NotificationID, "")
	if f.NoNotification {
		c = append(c, condition{sql: "notification_id = ?", arguments: []any{""}, indexed: true, column: "notification_id", value: ""})
	}
	c.many("code", f.Code, "")
	c.many("source", f.Source, "")
	if f.Resolved != nil {
		c.many("resolved", *f.Resolved, "")
	}
	c.contains(f.Text, "message")
	return c
}

// Search reads a page of what a filter of any kind leaves, newest first; see Found.
func (s Errors) Search(ctx context.Context, f ErrorFilter, p Paging) (Found[*ErrorEntry], error) {
	in := searched{table: ErrorEntry{}.TableName(), model: &ErrorEntry{}}
	found, err := searchNewest(ctx, s.DB, in, f.conditions(), f.Span, p, func(e *ErrorEntry) string { return e.ID })
	if err != nil {
		return found, fmt.Errorf("store: search errors: %w", err)
	}
	return found, nil
}

// Known looks for what has exactly a text, where an index serves, and gives the filter that leads to it: an entry's ID,
// a delivery's, an event's, a notification's.
func (s Errors) Known(ctx context.Context, text string) (f ErrorFilter, ok bool, err error) {
	for _, candidate := range []ErrorFilter{{ID: text}, {DeliveryID: text}, {EventID: text}, {NotificationID: text}, {Code: text}} {
		var ids []string
		if err := candidate.apply(session(s.DB).WithContext(ctx)).Model(&ErrorEntry{}).Limit(1).Pluck("id", &ids).Error; err != nil {
			return f, false, fmt.Errorf("store: look an error up: %w", err)
		}
		if len(ids) > 0 {
			return candidate, true, nil
		}
	}
	return f, false, nil
}

// Resolve marks an entry as dealt with, or gives ErrNotFound. Resolving twice is fine.
func (s Errors) Resolve(ctx context.Context, id, by string) (*ErrorEntry, error) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	err := session(s.DB).WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		marked, err := s.mark(tx, []string{id}, "NOT resolved", map[string]any{"resolved": true, "resolved_at": now})
		if err != nil || marked == 0 {
			return err
		}
		return audit.RecordTx(tx, audit.Entry{Actor: by, Action: "error.resolved", TargetID: id, Detail: "1 error"})
	})
	if err != nil {
		return nil, fmt.Errorf("store: resolve error %s: %w", id, err)
	}
	return s.Get(ctx, id)
}
