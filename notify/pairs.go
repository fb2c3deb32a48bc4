package notify

import (
	"context"
	"strconv"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// pairing is an UPDATE on Postgres in two parts, so that one statement can lock the rows, read them as they were, update
// them and read them as they are: that is one wait for the database less in every save. SQLite knows no such statement,
// and waits for nobody.
type pairing struct {
	// head is the UPDATE up to its conditions, and conditions is what follows WHERE; empty when nothing does.
	head, conditions string
}

// pairs takes an UPDATE apart, or gives nil where the rows must be read by a statement of their own: because they can be
// told apart only by a primary key that the table itself guarantees, or because the application's UPDATE has more parts.
func (c *capture) pairs(query string) *pairing {
	if !c.shape.keyed || c.shape.triggers || c.setsKey || !strings.HasPrefix(query, "UPDATE ") {
		return nil
	}
	clauses := c.db.Statement.Clauses
	if _, joined := clauses["FROM"]; joined {
		return nil
	}
	where, conditional := clauses["WHERE"]
	if !conditional {
		return &pairing{head: query}
	}
	// The conditions move to the front and keep their parameters, which count from where the SET ends.
	count := len(c.written(where, 0).Vars)
	text := c.written(where, len(c.db.Statement.Vars)-count).SQL.String()
	head, whole := strings.CutSuffix(query, " "+text)
	conditions, plain := strings.CutPrefix(text, "WHERE ")
	if !whole || !plain {
		return nil
	}
	return &pairing{head, conditions}
}

// written is the clause with the numbers of its parameters behind offset.
func (c *capture) written(where clause.Clause, offset int) *gorm.Statement {
	q := c.scratch()
	q.Vars = make([]any, max(offset, 0), max(offset, 0)+4)
	q.Clauses["WHERE"] = where
	q.Build("WHERE")
	return q
}

// queryPairs runs the UPDATE and gives the rows before and after.
func (c *capture) queryPairs(ctx context.Context, arguments []any) (before, after []row, err error) {
	rows, err := c.own.QueryContext(ctx, c.pairingStatement(), arguments...)
	if err != nil {
		return nil, nil, err
	}
	both, err := c.scanTimes(ctx, 2, rows)
	return both[1], both[0], err
}

// pairingStatement locks the rows in a common table expression, with which the UPDATE is joined by their key. Of a row for
// which it had to wait, Postgres gives the newest version there, and the UPDATE changes that one. The application's
// conditions are asked once, as in its own UPDATE: a second answer, to random() for one, could be another.
func (c *capture) pairingStatement() string {
	q := c.scratch()
	_, _ = q.WriteString("WITH notify_old AS MATERIALIZED (SELECT ")
	for i, field := range c.shape.fields {
		if i > 0 {
			_ = q.WriteByte(',')
		}
		q.WriteQuoted(clause.Column{Table: c.alias, Name: field.DBName})
		_, _ = q.WriteString(" AS " + oldColumn(i))
	}
	_, _ = q.WriteString(" FROM ")
	q.WriteQuoted(clause.Table{Name: clause.CurrentTable})
	if c.pairing.conditions != "" {
		_, _ = q.WriteString(" WHERE " + c.pairing.conditions)
	}
	_, _ = q.WriteString(" FOR NO KEY UPDATE OF ")
	q.WriteQuoted(c.alias)
	_, _ = q.WriteString(") " + c.pairing.head + " FROM notify_old WHERE ")
	c.writeSameKey(q)
	_, _ = q.WriteString(" RETURNING " + c.qualified())
	for i := range c.shape.fields {
		_, _ = q.WriteString("," + oldColumn(i))
	}
	return q.SQL.String()
}

// writeSameKey writes that a row is the one that was read before.
func (c *capture) writeSameKey(q *gorm.Statement) {
	and := ""
	for i, field := range c.shape.fields {
		if field.PrimaryKey {
			_, _ = q.WriteString(and)
			q.WriteQuoted(clause.Column{Table: c.alias, Name: field.DBName})
			_, _ = q.WriteString(" = " + oldColumn(i))
			and = " AND "
		}
	}
}

// oldColumn names a field of the row before, in a way that no column of the application is called.
func oldColumn(i int) string { return "notify_old_" + strconv.Itoa(i) }
