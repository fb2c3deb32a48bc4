package notify

import (
	"context"
	"database/sql"
	"math"
	"reflect"
	"strconv"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// readAgain gives gorm the columns of its own RETURNING, in the order in which the statement returned the rows.
func (c *capture) readAgain(ctx context.Context) (*sql.Rows, error) {
	q := c.scratch()
	_, _ = q.WriteString("SELECT ")
	asked, _ := c.db.Statement.Clauses["RETURNING"].Expression.(clause.Returning)
	if len(asked.Columns) == 0 {
		_ = q.WriteByte('*')
	}
	for i, column := range asked.Columns {
		if i > 0 {
			_ = q.WriteByte(',')
		}
		q.WriteQuoted(column)
	}
	_, _ = q.WriteString(" FROM ")
	q.WriteQuoted(clause.Table{Name: clause.CurrentTable})
	_, _ = q.WriteString(" WHERE ")
	if len(c.after) == 0 {
		_, _ = q.WriteString("1 = 0")
	} else {
		c.writeHolding(q, c.model.schema.PrimaryFieldDBNames, c.keysOf(ctx, c.after))
		c.writeOrder(ctx, q)
	}
	return c.own.QueryContext(ctx, q.SQL.String(), q.Vars...)
}

// readTriggered reads new rows again where the table has triggers: RETURNING does not show what they do afterwards.
func (c *capture) readTriggered(ctx context.Context) error {
	if len(c.after) == 0 || !c.shape.triggers {
		return nil
	}
	q := c.scratch()
	_, _ = q.WriteString("SELECT " + c.qualified() + " FROM ")
	q.WriteQuoted(clause.Table{Name: clause.CurrentTable})
	_, _ = q.WriteString(" WHERE ")
	c.writeHolding(q, c.model.schema.PrimaryFieldDBNames, c.keysOf(ctx, c.after))
	answer, err := c.own.QueryContext(ctx, q.SQL.String(), q.Vars...)
	if err != nil {
		return err
	}
	rows, err := c.scan(ctx, answer)
	if err != nil {
		return err
	}
	stored := byKey(rows)
	for i := range c.after {
		if r := stored[c.after[i].key]; r != nil {
			c.after[i].value, c.after[i].unreadable = r.value, r.unreadable
		}
	}
	return nil
}

// keysOf lists the primary keys as the database takes them.
func (c *capture) keysOf(ctx context.Context, rows []row) [][]any {
	keys := make([][]any, len(rows))
	for i := range rows {
		for _, field := range c.model.schema.PrimaryFields {
			value, _ := field.ValueOf(ctx, rows[i].value)
			keys[i] = append(keys[i], value)
		}
	}
	return keys
}

// writeHolding writes the condition that the columns hold one of the tuples. It is a list and not a chain of OR, whose
// length SQLite bounds; SQLite wants VALUES before the tuples of several columns, and Postgres cannot tell their types
// when it is there.
func (c *capture) writeHolding(q *gorm.Statement, columns []string, tuples [][]any) {
	names := make([]clause.Column, len(columns))
	for i, column := range columns {
		names[i] = clause.Column{Table: clause.CurrentTable, Name: column}
	}
	if len(columns) == 1 {
		q.WriteQuoted(names[0])
	} else {
		q.WriteQuoted(names)
	}
	_, _ = q.WriteString(" IN (")
	if len(columns) > 1 && !isPostgres(c.db) {
		_, _ = q.WriteString("VALUES ")
	}
	for i, tuple := range tuples {
		if i > 0 {
			_ = q.WriteByte(',')
		}
		if len(columns) == 1 {
			q.AddVar(q, tuple[0])
		} else {
			q.AddVar(q, tuple)
		}
	}
	_ = q.WriteByte(')')
}

// writeOrder orders rows as the statement returned them.
func (c *capture) writeOrder(ctx context.Context, q *gorm.Statement) {
	keys, fields := c.keysOf(ctx, c.after), c.model.schema.PrimaryFields
	if len(keys) < 2 {
		return
	}
	if ascending(keys) { // as counted up by the database: the usual case, and cheap however many rows there are
		_, _ = q.WriteString(" ORDER BY ")
		q.WriteQuoted(clause.Column{Name: fields[0].DBName})
		return
	}
	_, _ = q.WriteString(" ORDER BY CASE")
	for i, key := range keys {
		for j, value := range key {
			_, _ = q.WriteString([]string{" WHEN ", " AND "}[min(j, 1)])
			clause.Eq{Column: clause.Column{Name: fields[j].DBName}, Value: value}.Build(q)
		}
		_, _ = q.WriteString(" THEN " + strconv.Itoa(i))
	}
	_, _ = q.WriteString(" END")
}

// ascending says whether the keys are single whole numbers, each greater than the one before.
func ascending(keys [][]any) bool {
	var last int64
	for i, key := range keys {
		if len(key) != 1 {
			return false
		}
		number, ok := wholeNumber(key[0])
		if !ok || i > 0 && number <= last {
			return false
		}
		last = number
	}
	return true
}

func wholeNumber(value any) (int64, bool) {
	switch v := reflect.ValueOf(value); {
	case v.CanInt():
		return v.Int(), true
	case v.CanUint() && v.Uint() <= math.MaxInt64:
		return int64(v.Uint()), true //nolint:gosec // checked above
	}
	return 0, false
}
