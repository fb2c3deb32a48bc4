package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/rule"
)

// Matching gives up to limit rows of a model whose fields have the values, as snapshots in the order of the primary key.
// Table and columns come from the catalog and are quoted; the values are parameters. When the table or a column is gone,
// the error is rule.ErrUnreadable.
func (s Rows) Matching(ctx context.Context, m *catalog.Model, where []rule.Equal, limit int) ([]json.RawMessage, error) {
	query := session(s.DB).WithContext(ctx).Table(m.Name)
	for _, equal := range where {
		query = query.Where(map[string]any{equal.Field: parameter(equal.Value)})
	}
	for _, key := range m.PrimaryKey {
		query = query.Order(orderBy(key))
	}
	var found []map[string]any
	if err := query.Select(columnsOf(m)).Limit(limit).Find(&found).Error; err != nil {
		if gone(err) {
			return nil, rule.ErrUnreadable
		}
		return nil, fmt.Errorf("store: read rows of %s: %w", m.Name, err)
	}
	rows := make([]json.RawMessage, len(found))
	for i, values := range found {
		rows[i] = catalog.EncodeColumns(m, values)
	}
	return rows, nil
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

// The codes of PostgreSQL for what does not exist (any more): a table, a column.
const (
	undefinedTable  = "42P01"
	undefinedColumn = "42703"
)

// gone says whether a query failed because its table or a column of it is not there.
func gone(err error) bool {
	var coded interface{ SQLState() string }
	if errors.As(err, &coded) {
		return coded.SQLState() == undefinedTable || coded.SQLState() == undefinedColumn
	}
	return strings.Contains(err.Error(), "no such table") || strings.Contains(err.Error(), "no such column")
}
