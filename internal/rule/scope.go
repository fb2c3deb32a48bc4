package rule

import "time"

// Scope is the change that a rule looks at: the row after it, and before it. Doc is nil for a delete, OldDoc for a
// create. Load adds what else the rule wants to see.
type Scope struct {
	Doc, OldDoc Document
	// At is when the change happened: today() and now() are of that moment.
	At time.Time

	// meter counts what the notification does with the change, in all of its conditions and texts.
	meter *meter
	lists map[string][]ListEntry
	found map[*query][]Document
}

// view is a scope as a rule's names see it.
type view map[string]any

// row gives the document or notification of a name; nil when it does not exist.
func (v view) row(root string) map[string]any {
	row, _ := v[root].(map[string]any)
	return row
}

// with gives a view with one row more.
func (v view) with(name string, row Document) view {
	out := make(view, len(v)+1)
	for known, value := range v {
		out[known] = value
	}
	out[name] = map[string]any(row)
	return out
}

// value looks a path up. A row that is missing on the way gives null.
func (v view) value(p path) any { return valueFrom(v.row(p.root), p) }

// valueFrom follows a path to one value from the row that it begins with.
func valueFrom(row map[string]any, p path) any {
	for _, hop := range p.hops {
		next, _ := row[hop.Name].(Document)
		if next == nil {
			return nil
		}
		row = next
	}
	return row[p.field.Name]
}

// rows gives the rows at the end of a path (for one that ends at a value, those that hold it), in their order.
func (v view) rows(p path) []Document {
	start := v.row(p.root)
	if start == nil {
		return nil
	}
	return rowsFrom([]Document{start}, p.hops)
}

func rowsFrom(rows []Document, hops []Relation) []Document {
	for _, hop := range hops {
		var next []Document
		for _, row := range rows {
			switch related := row[hop.Name].(type) {
			case Document:
				if related != nil {
					next = append(next, related)
				}
			case []Document:
				next = append(next, related...)
			}
		}
		rows = next
	}
	return rows
}
