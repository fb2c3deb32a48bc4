package notify

import (
	"context"
	"reflect"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
)

// writeEvents makes one event of each row that changed, in the statement's transaction.
func (c *capture) writeEvents() error {
	if c.told != nil && c.db.RowsAffected > 0 {
		c.after = c.told.rowsAfter(c.db.Statement.Context, c.before)
	}
	var events []*outbox.Event
	switch c.action {
	case rule.Create:
		events = c.created()
	case rule.Update:
		events = c.updated()
	case rule.Delete:
		events = c.deleted()
	}
	if len(events) == 0 {
		return nil
	}
	ctx := c.db.Statement.Context
	if !isPostgres(c.db) {
		ctx = context.WithoutCancel(ctx) // the write lock is held: nothing is waited for that would need watching
	}
	if err := outbox.AppendTx(ctx, c.own, c.db.Name(), events...); err != nil {
		return err
	}
	if tx, ok := listeningTxOf(c.pool); ok {
		tx.events.Store(true)
	} else {
		c.plugin.deaf.Store(true)
		c.db.InstanceSet(eventsKey, true)
	}
	return nil
}

// created tells new rows from those that an upsert has changed.
func (c *capture) created() (events []*outbox.Event) {
	if c.fromStruct {
		return c.createdFromStructs()
	}
	old := byKey(c.before)
	for i := range c.after {
		r := &c.after[i]
		previous := old[r.key]
		if previous == nil && r.inserted {
			events = c.add(events, rule.Create, r, nil, r.key)
		} else {
			events = c.add(events, rule.Update, r, previous, r.key)
		}
	}
	return events
}

func (c *capture) createdFromStructs() (events []*outbox.Event) {
	if c.db.RowsAffected == 0 {
		return nil
	}
	ctx, value := c.db.Statement.Context, c.db.Statement.ReflectValue
	one := func(v reflect.Value) {
		r := row{value: reflect.Indirect(v)}
		events = c.add(events, rule.Create, &r, nil, c.shape.encoder.Key(ctx, r.value))
	}
	if value.Kind() == reflect.Struct {
		one(value)
		return events
	}
	for i := range value.Len() {
		one(value.Index(i))
	}
	return events
}

// updated pairs rows by their key. An update that changes keys leaves old rows and new rows without a partner: a single
// pair belongs together, and of several nobody knows which was which.
func (c *capture) updated() (events []*outbox.Event) {
	old := byKey(c.before)
	var strangers []*row
	for i := range c.after {
		r := &c.after[i]
		if previous := old[r.key]; previous != nil {
			events = c.add(events, rule.Update, r, previous, r.key)
			delete(old, r.key)
		} else {
			strangers = append(strangers, r)
		}
	}
	for _, r := range strangers {
		var previous *row
		if len(strangers) == 1 && len(old) == 1 && c.setsKey {
			for _, only := range old {
				previous = only
			}
		}
		events = c.add(events, rule.Update, r, previous, r.key)
	}
	return events
}

// deleted gives the rows as they were. A soft delete returns them as they are, and says so which ones it touched.
func (c *capture) deleted() (events []*outbox.Event) {
	rows, old := c.after, byKey(c.before)
	if !c.soft && len(c.before) > 0 && c.db.RowsAffected > 0 {
		rows = c.before // the application read what its own RETURNING gave
	}
	for i := range rows {
		r := &rows[i]
		if previous := old[r.key]; previous != nil {
			r = previous
		}
		events = c.add(events, rule.Delete, nil, r, r.key)
	}
	return events
}

// add appends an event if somebody waits for it.
func (c *capture) add(events []*outbox.Event, action rule.Action, doc, old *row, key string) []*outbox.Event {
	if !c.list.Watches(c.model.name, action) {
		return events
	}
	return append(events, &outbox.Event{
		Model: c.model.name, Key: key, Action: action, Doc: c.snapshot(doc), OldDoc: c.snapshot(old),
		Revision: c.list.Revision, Source: c.plugin.options.Source,
		Lane: laneOf(c.db.Statement.Context),
	})
}

func (c *capture) snapshot(r *row) outbox.Snapshot {
	if r == nil {
		return nil
	}
	snapshot, unencodable := c.shape.encoder.Encode(c.db.Statement.Context, r.value, r.unreadable...)
	for _, column := range unencodable {
		c.plugin.complain(c.model.name, column, "a value has no form in its field's type and is null in the event")
	}
	return snapshot
}

func byKey(rows []row) map[string]*row {
	m := make(map[string]*row, len(rows))
	for i := range rows {
		m[rows[i].key] = &rows[i]
	}
	return m
}
