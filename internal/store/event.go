package store

import (
	"context"
	"encoding/json"
	"fmt"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/audit"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
)

// Events reads the outbox for people; the outbox package itself writes it.
type Events struct{ DB *gorm.DB }

// EventFilter narrows a list; empty fields do not.
type EventFilter struct {
	Model, Key, Action, Status, Source, WorkflowID string
	// ID is one event's. Text is a part of the key, whatever its case.
	ID, Text string
	// Told is whether anything was sent because of it; nil asks nothing. What is not settled has told nobody yet.
	Told *bool
	// Span is when the rows changed.
	Span Span
}

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

// Search reads a page of what a filter of any kind leaves, newest first, without snapshots and decisions; see Found.
func (s Events) Search(ctx context.Context, f EventFilter, p Paging) (Found[*outbox.Event], error) {
	in := searched{table: outbox.Event{}.TableName(), model: &outbox.Event{}, omit: []string{"doc", "old_doc", "decisions"}}
	found, err := searchNewest(ctx, s.DB, in, f.conditions(), f.Span, p, func(e *outbox.Event) string { return e.ID })
	if err != nil {
		return found, fmt.Errorf("store: search events: %w", err)
	}
	return found, nil
}

// conditions lists what is asked for but the span.
func (f EventFilter) conditions() (c conditions) {
	c.few("id", f.ID, "")
	c.few("key", f.Key, "")
	c.few("workflow_id", f.WorkflowID, " AND workflow_id <> ''")
	// What most events have is no help.
	switch f.Source {
	case "":
	case string(outbox.FromPlugin):
		c.add("source = ?", f.Source)
	default:
		c.many("source", f.Source, " AND source <> 'plugin'")
	}
	switch f.Status {
	case "":
	case string(outbox.Settled):
		c.add("status = ?", f.Status)
	default:
		c.many("status", f.Status, " AND status <> 'settled'")
	}
	c.many("model", f.Model, "")
	if f.Action != "" {
		c.add("action = ?", f.Action)
	}
	if f.Model == "" && (f.Action == string(rule.Retry) || f.Action == string(rule.Test)) {
		c = append(c, condition{sql: "model = ?", arguments: []any{""}, indexed: true, column: "model", value: ""}) // they change no row
	}
	if f.Told != nil {
		told := "status = 'settled' AND reason = ''"
		if !*f.Told {
			told = "status = 'settled' AND reason <> ''"
		}
		c.add(told)
	}
	c.contains(f.Text, "key")
	return c
}

// Known looks for what has exactly a text, where an index serves, and gives the filter that leads to it: an event's ID,
// a key, a workflow's ID.
func (s Events) Known(ctx context.Context, text string) (f EventFilter, ok bool, err error) {
	for _, candidate := range []EventFilter{{ID: text}, {Key: text}, {WorkflowID: text}} {
		query := session(s.DB).WithContext(ctx).Model(&outbox.Event{})
		for _, c := range candidate.conditions() {
			query = query.Where(c.sql, c.arguments...)
		}
		var ids []string
		if err := query.Limit(1).Pluck("id", &ids).Error; err != nil {
			return f, false, fmt.Errorf("store: look an event up: %w", err)
		}
		if len(ids) > 0 {
			return candidate, true, nil
		}
	}
	return f, false, nil
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
		id, err = appendTx(ctx, tx, e)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("store: append an event: %w", err)
	}
	return id, nil
}

func appendTx(ctx context.Context, tx *gorm.DB, e *outbox.Event) (id string, err error) {
	if e.Revision, err = (Notifications{DB: tx}).Revision(ctx); err != nil {
		return "", err
	}
	id, _, err = outbox.AppendOnce(tx, e)
	return id, err
}

// AppendTest puts a test message on its way, tells the audit log who asked for it, and gives the event's ID.
func (s Events) AppendTest(ctx context.Context, m rule.TestMessage, source outbox.Source, by string) (id string, err error) {
	doc, err := json.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("store: a test message: %w", err)
	}
	err = session(s.DB).WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if id, err = appendTx(ctx, tx, &outbox.Event{Action: rule.Test, Doc: doc, Source: source}); err != nil {
			return err
		}
		// The channel alone: an address is kept as long as its event, and the log for good.
		return audit.RecordTx(tx, audit.Entry{Actor: by, Action: "event.test_sent", TargetID: id, Detail: string(m.Channel)})
	})
	if err != nil {
		return "", fmt.Errorf("store: append a test message: %w", err)
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
