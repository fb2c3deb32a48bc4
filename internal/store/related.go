package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/rule"
)

// Matching gives up to limit rows of a model whose fields have the values, as snapshots in the order of the primary key.
// Table and columns come from the catalog and are quoted; the values are parameters. Rows that are deleted softly are left out. When
// another try would not help, the error is rule.ErrUnreadable, or rule.ErrTooLarge.
func (s Rows) Matching(ctx context.Context, m *catalog.Model, where []rule.Equal, limit int) ([]json.RawMessage, error) {
	query := alive(s.of(ctx, m), m)
	for _, equal := range where {
		query = query.Where(holds(s.DB, m, equal))
	}
	for _, key := range m.PrimaryKey {
		query = query.Order(orderBy(key))
	}
	rows, cut, err := snapshots(query.Limit(limit), m, readable(m))
	switch {
	case err != nil && final(err):
		return nil, rule.ErrUnreadable // without its text, which may hold values
	case err != nil:
		return nil, fmt.Errorf("store: read rows of %s: %w", m.Name, err)
	case cut:
		return nil, rule.ErrTooLarge
	default:
		return rows, nil
	}
}

// holds compares a field with a value. SQLite keeps times as texts of many forms: they are brought into one, to the
// millisecond.
func holds(db *gorm.DB, m *catalog.Model, equal rule.Equal) any {
	moment, ok := equal.Value.(time.Time)
	if !ok || db.Name() != "sqlite" {
		return map[string]any{equal.Field: parameter(equal.Value)}
	}
	column := clause.Column{Name: equal.Field}
	if field, _ := m.Field(equal.Field); field.Type == rule.Date {
		return clause.Expr{SQL: "substr(?, 1, 10) = ?", Vars: []any{column, moment.Format(time.DateOnly)}}
	}
	form := func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") }
	return clause.Expr{SQL: "strftime('%Y-%m-%d %H:%M:%f', ?) BETWEEN ? AND ?", Vars: []any{
		column, form(moment), form(moment.Add(time.Millisecond)), // SQLite rounds where this form cuts off
	}}
}

// readable lists the fields that related rows are read with: binary data is of no use in a text, and can be large.
func readable(m *catalog.Model) []rule.Field {
	return slices.DeleteFunc(slices.Clone(m.Fields), func(f rule.Field) bool {
		return f.Type == rule.Bytes && !slices.Contains(m.PrimaryKey, f.Name)
	})
}

// parameter gives a document's value in a type that the drivers take.
func parameter(value any) any {
	switch v := value.(type) {
	case rule.ExactDecimal:
		return v.String()
	case json.Number:
		return v.String()
	default:
		return value
	}
}
