package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
	rows, err := snapshots(query.Limit(limit), m)
	switch {
	case err == nil:
		return rows, nil
	case gone(err):
		return nil, rule.ErrUnreadable
	default:
		return nil, fmt.Errorf("store: read rows of %s: %w", m.Name, err)
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

// The codes of PostgreSQL (its manual, appendix A) for what trying again does not mend: a table or a column that is not
// there, one of another type than the catalog says, and the class of values that do not fit their column.
const (
	undefinedTable    = "42P01"
	undefinedColumn   = "42703"
	undefinedFunction = "42883"
	typeMismatch      = "42804"
	dataException     = "22"
)

// goneTexts are parts of the errors that have no code: SQLite's, and that of Postgres's driver for a value that its
// column cannot take.
var goneTexts = []string{"no such table", "no such column", "unable to encode"}

// gone says whether a query failed because the table is not what the catalog says (any more).
func gone(err error) bool {
	var coded interface{ SQLState() string }
	if errors.As(err, &coded) {
		state := coded.SQLState()
		return slices.Contains([]string{undefinedTable, undefinedColumn, undefinedFunction, typeMismatch}, state) ||
			strings.HasPrefix(state, dataException)
	}
	return slices.ContainsFunc(goneTexts, func(text string) bool { return strings.Contains(err.Error(), text) })
}
