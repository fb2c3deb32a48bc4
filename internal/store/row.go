package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/rule"
)

// Rows reads rows of the application's own tables, as the catalog describes them.
type Rows struct{ DB *gorm.DB }

// Row gives the row with a primary key, as a snapshot, or ErrNotFound. The parts of a composite key are joined by
// commas. Table and columns come from the catalog and are quoted; the key is a parameter.
func (s Rows) Row(ctx context.Context, m *catalog.Model, key string) (json.RawMessage, error) {
	parts := []string{key}
	if len(m.PrimaryKey) > 1 {
		parts = strings.Split(key, ",")
	}
	if len(parts) != len(m.PrimaryKey) {
		return nil, ErrNotFound
	}
	query := s.of(ctx, m)
	for i, column := range m.PrimaryKey {
		value, ok := keyValue(m, column, parts[i])
		if !ok {
			return nil, ErrNotFound
		}
		query = query.Where(map[string]any{column: value})
	}
	found, _, err := snapshots(query.Limit(1), m, m.Fields)
	if err != nil && strings.HasPrefix(stateOf(err), dataException) {
		return nil, ErrNotFound // a key of another form than the column takes
	}
	if err != nil {
		return nil, fmt.Errorf("store: read a row of %s: %w", m.Name, err)
	}
	if len(found) == 0 {
		return nil, ErrNotFound
	}
	return found[0], nil
}

// of begins a query of a model's table. Given the name alone, gorm takes one with a space or a backtick for SQL.
func (s Rows) of(ctx context.Context, m *catalog.Model) *gorm.DB {
	query := session(s.DB).WithContext(ctx).Table("?", clause.Table{Name: m.Name})
	query.Statement.Table = m.Name[strings.LastIndex(m.Name, ".")+1:] // what gorm writes before a column
	return query
}

// snapshots reads the rows of a query in the form that the catalog describes. Every value is taken as the driver gives
// it: gorm would give all rows the types of the first one, and SQLite keeps 12 and 12.5 in one column as two types.
// It stops after bytesLimit; cut says that it did.
func snapshots(query *gorm.DB, m *catalog.Model, fields []rule.Field) (found []json.RawMessage, cut bool, err error) {
	rows, err := query.Clauses(clause.Select{Columns: columnsOf(fields)}).Rows()
	if err != nil {
		return nil, false, err
	}
	size := 0
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		values, targets := make([]any, len(fields)), make([]any, len(fields))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return nil, false, err
		}
		row := make(map[string]any, len(values))
		for i, f := range fields {
			row[f.Name] = values[i]
		}
		snapshot := catalog.EncodeColumns(m, row)
		found = append(found, snapshot)
		if size += len(snapshot); size > bytesLimit {
			return found, true, nil
		}
	}
	return found, false, rows.Err()
}

// bytesLimit bounds the rows of one query: they are all in memory at once.
const bytesLimit = 16 << 20

// alive leaves out the rows that the application has deleted softly.
func alive(query *gorm.DB, m *catalog.Model) *gorm.DB {
	if m.SoftDelete == "" {
		return query
	}
	return query.Where(map[string]any{m.SoftDelete: nil})
}

// columnsOf names the columns in a form that gorm quotes: a column may be called order, or user.
func columnsOf(fields []rule.Field) []clause.Column {
	columns := make([]clause.Column, len(fields))
	for i, f := range fields {
		columns[i] = clause.Column{Name: f.Name}
	}
	return columns
}

// orderBy quotes a column by the database's own rules.
func orderBy(column string) clause.OrderByColumn {
	return clause.OrderByColumn{Column: clause.Column{Name: column}}
}

// keyValue gives a part of a key in its column's type, so that the column's index serves; false for a text that no row
// can have.
func keyValue(m *catalog.Model, column, text string) (value any, ok bool) {
	field, _ := m.Field(column)
	if field.Type != rule.Integer {
		return text, true
	}
	number, err := strconv.ParseInt(text, 10, 64)
	return number, err == nil
}
