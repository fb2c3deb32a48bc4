package store

import (
	"context"
	"encoding/json"
	"fmt"
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
	query := alive(session(s.DB).WithContext(ctx).Table(m.Name), m)
	for _, equal := range where {
		query = query.Where(holds(s.DB, equal))
	}
	for _, key := range m.PrimaryKey {
		query = query.Order(orderBy(key))
	}
	rows, cut, err := snapshots(query.Limit(limit), m)
	switch {
	case err != nil && lost(err):
		return nil, fmt.Errorf("store: read rows of %s: %w", m.Name, err)
	case err != nil:
		return nil, rule.ErrUnreadable // without its text, which may hold values
	case cut:
		return nil, rule.ErrTooLarge
	default:
		return rows, nil
	}
}

// holds compares a field with a value. SQLite keeps times as texts of many forms: they are brought into one, to the
// millisecond.
func holds(db *gorm.DB, equal rule.Equal) any {
	if moment, ok := equal.Value.(time.Time); ok && db.Name() == "sqlite" {
		return clause.Expr{SQL: "strftime('%Y-%m-%d %H:%M:%f', ?) = ?", Vars: []any{
			clause.Column{Name: equal.Field}, moment.UTC().Format("2006-01-02 15:04:05.000"),
		}}
	}
	return map[string]any{equal.Field: parameter(equal.Value)}
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
