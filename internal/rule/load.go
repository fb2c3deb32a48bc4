package rule

import (
	"context"
	"errors"
	"fmt"
	"maps"
)

// The limits of what is read for one notification and one event.
const (
	// RelatedLimit bounds the rows behind one relation to many, and those that a query gives.
	RelatedLimit = 1000
	// readLimit bounds the rows that one notification reads in all.
	readLimit = 5000
	// queryLimit bounds the reads, which may find nothing.
	queryLimit = 2000
)

// Equal is a field that must have a value.
type Equal struct {
	Field string
	Value any
}

// Source reads what a rule wants to see besides the two documents.
type Source interface {
	// Rows gives up to limit rows of a model whose fields have the values, in the order of the primary key. When the
	// table is not what the catalog says, the error is ErrUnreadable, or ErrTooLarge: trying again would not help.
	Rows(ctx context.Context, m *Model, where []Equal, limit int) ([]Document, error)
	// List gives the entries of a saved list; none when it is not there any more.
	List(ctx context.Context, id string) ([]ListEntry, error)
}

// ErrUnreadable says that a table or a column that the catalog names is not there any more.
var ErrUnreadable = errors.New("the table is not what the catalog says (any more), or a value does not fit its field")

// ErrTooLarge says that the rows are more than the memory is meant for.
var ErrTooLarge = errors.New("its rows are larger than 16 MiB together")

// Load gives the scope with everything that the rule wants to see: related rows, saved lists, the rows of queries.
// Related rows are read as they are now, by the keys that the documents held at the change. What cannot be read is a
// Problem, and missing; the error is the source's.
func (c *Compiled) Load(ctx context.Context, source Source, s Scope) (Scope, []Problem, error) {
	if c.trigger == OnDelete && s.Doc == nil {
		s.Doc = s.OldDoc
	}
	if len(c.needs.doc)+len(c.needs.oldDoc)+len(c.needs.lists)+len(c.needs.queries) == 0 {
		return s, nil, nil
	}
	l := loader{ctx: ctx, source: source}
	s.Doc = l.expand(s.Doc, c.needs.doc)
	s.OldDoc = l.expand(s.OldDoc, c.needs.oldDoc)
	s.lists = make(map[string][]ListEntry)
	for _, id := range c.needs.lists {
		if l.err == nil {
			s.lists[id], l.err = source.List(ctx, id)
		}
	}
	s.found = make(map[*query][]Document)
	for _, q := range c.needs.queries {
		s.found[q] = l.find(q, c.view(s))
	}
	if l.err != nil {
		return Scope{}, nil, fmt.Errorf("rule: read what notification %v names: %w", c.notif["id"], l.err)
	}
	return s, l.problems, nil
}

// loader reads for one notification and one event.
type loader struct {
	ctx      context.Context
	source   Source
	rows     int
	queries  int
	problems []Problem
	// err is the source's first error: nothing is read after it.
	err error
}

// expand gives a copy of a row in which each relation's name holds its rows: a Document for one, a []Document for many.
func (l *loader) expand(row Document, includes Includes) Document {
	if row == nil || len(includes) == 0 {
		return row
	}
	row = maps.Clone(row)
	for name, include := range includes {
		related := l.related(row, include)
		for i := range related {
			related[i] = l.expand(related[i], include.Includes)
		}
		if include.Relation.Kind == HasMany {
			row[name] = related
			continue
		}
		row[name] = Document(nil)
		if len(related) > 0 {
			row[name] = related[0]
		}
	}
	return row
}

func (l *loader) related(row Document, include *Include) []Document {
	key := row[include.Relation.Field]
	if isNull(key) {
		return nil
	}
	limit := 1
	if include.Relation.Kind == HasMany {
		limit = RelatedLimit
	}
	return l.read(include.Model, []Equal{{Field: include.Relation.RemoteField, Value: key}}, limit)
}

// find gives a query's rows. A value that is null matches nothing.
func (l *loader) find(q *query, v view) []Document {
	where := make([]Equal, 0, len(q.where))
	for _, match := range q.where {
		value := match.value
		if match.path != nil {
			value = v.value(*match.path)
		}
		if isNull(value) {
			return nil
		}
		where = append(where, Equal{Field: match.field, Value: value})
	}
	found := l.read(q.model, where, RelatedLimit)
	for i := range found {
		found[i] = l.expand(found[i], q.includes)
	}
	return found
}

// read asks the source, within the limits. One row more than the limit is asked for, so that a cut is noticed.
func (l *loader) read(m *Model, where []Equal, limit int) []Document {
	if l.err != nil {
		return nil
	}
	if l.rows >= readLimit {
		l.report("limit", fmt.Sprintf("the notification reads more than %d related rows: the rest is left out", readLimit))
		return nil
	}
	if l.queries++; l.queries > queryLimit {
		l.report("limit", fmt.Sprintf("the notification follows more than %d relations from row to row: the rest is left out", queryLimit))
		return nil
	}
	rows, err := l.source.Rows(l.ctx, m, where, limit+1)
	for _, known := range []error{ErrUnreadable, ErrTooLarge} {
		if errors.Is(err, known) {
			l.report("model "+m.Name, fmt.Sprintf("rows of %s cannot be read: %s", m.Name, known))
			return nil
		}
	}
	if err != nil {
		l.err = err
		return nil
	}
	if len(rows) > limit {
		rows = rows[:limit]
		if limit > 1 {
			l.report("limit "+m.Name, fmt.Sprintf("more than %d rows of %s belong to it: the rest is left out", limit, m.Name))
		}
	}
	l.rows += len(rows)
	return append([]Document(nil), rows...) // the source may keep its own
}

// report keeps one problem of a kind.
func (l *loader) report(key, message string) {
	for _, p := range l.problems {
		if p.Key == key {
			return
		}
	}
	l.problems = append(l.problems, Problem{Code: EventDecodeFail, Key: key, Message: message})
}
