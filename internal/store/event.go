package store

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
)

// Events reads the outbox for people; the outbox package itself writes it.
type Events struct{ DB *gorm.DB }

// EventFilter narrows a list; empty fields do not.
type EventFilter struct{ Model, Key, Action, Status, Source, WorkflowID string }

// Get reads one event with its snapshots, or gives ErrNotFound.
func (s Events) Get(ctx context.Context, id string) (*outbox.Event, error) {
	e := new(outbox.Event)
	if err := session(s.DB).WithContext(ctx).Take(e, "id = ?", id).Error; err != nil {
		return nil, found(err)
	}
	return e, nil
}

// List reads a page, newest first, without snapshots and decisions.
func (s Events) List(ctx context.Context, f EventFilter, p Paging) (Page[*outbox.Event], error) {
	page, err := newestFirst(f.apply(session(s.DB).WithContext(ctx)).Omit("doc", "old_doc", "decisions"), p, func(e *outbox.Event) string { return e.ID })
	if err != nil {
		return page, fmt.Errorf("store: list events: %w", err)
	}
	return page, nil
}

// apply adds the filter's conditions, and those of the partial indexes that serve them: a database cannot know what a
// parameter implies.
func (f EventFilter) apply(query *gorm.DB) *gorm.DB {
	query = equal(query, map[string]string{
		"model": f.Model, "key": f.Key, "action": f.Action, "status": f.Status, "source": f.Source,
		"workflow_id": f.WorkflowID,
	})
	if f.Status != "" && f.Status != string(outbox.Settled) {
		query = query.Where("status <> 'settled'")
	}
	if f.WorkflowID != "" {
		query = query.Where("workflow_id <> ''")
	}
	return query
}

// Append writes an event that is not part of a change of a row under the revision of the rules in force, and gives its ID:
// that of the event that was there already when it has an idempotency key that is known.
func (s Events) Append(ctx context.Context, e *outbox.Event) (id string, err error) {
	err = session(s.DB).WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if e.Revision, err = (Notifications{DB: tx}).Revision(ctx); err != nil {
			return err
		}
		id, _, err = outbox.AppendOnce(tx, e)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("store: append an event: %w", err)
	}
	return id, nil
}

// Recent reads a model's last events with their snapshots, newest first.
func (s Events) Recent(ctx context.Context, model string, limit int) (events []*outbox.Event, err error) {
	err = session(s.DB).WithContext(ctx).Omit("decisions").Where(map[string]any{"model": model}).
		Order("id DESC").Limit(limit).Find(&events).Error
	if err != nil {
		return nil, fmt.Errorf("store: recent events of %s: %w", model, err)
	}
	return events, nil
}
