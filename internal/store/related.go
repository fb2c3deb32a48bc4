package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/rule"
)

// Matching gives up to limit rows of a model whose fields have the values, as snapshots in the order of the primary key.
// Table and columns come from the catalog and are quoted; the values are parameters. Rows that are deleted softly are left out. When
// another try would not help, the error is rule.ErrUnreadable, or rule.ErrTooLarge.
func (s Rows) Matching(ctx context.Context, m *catalog.Model, where []rule.Equal, limit int) ([]json.RawMessage, error) {
	query := alive(session(s.DB).WithContext(ctx).Table(m.Name), m)
	for _, equal := range where {
		query = query.Where(map[string]any{equal.Field: parameter(equal.Value)})
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
