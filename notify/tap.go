package notify

import (
	"context"
	"database/sql"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// tap stands in for the connection while gorm runs one statement. Only there are the statement's final clauses known, so
// that the rows that it will touch can be asked for with the very same conditions; and there it can be made to return
// the rows that it did touch.
type tap struct {
	gorm.ConnPool
	capture *capture
}

// owns says whether the SQL is the captured statement, and not a query of a value in it.
func (t *tap) owns(query string) bool {
	return !t.capture.ran && query == t.capture.db.Statement.SQL.String()
}

// ExecContext runs a statement that returns no rows to gorm.
func (t *tap) ExecContext(ctx context.Context, query string, arguments ...any) (sql.Result, error) {
	if !t.owns(query) {
		return t.ConnPool.ExecContext(ctx, query, arguments...)
	}
	returning, err := t.capture.prepare(ctx, query, false)
	if err != nil {
		return nil, err
	}
	if !returning {
		return t.capture.own.ExecContext(ctx, query, arguments...)
	}
	if err := t.capture.runReturning(ctx, query+" RETURNING ", arguments); err != nil {
		return nil, err
	}
	return t.capture.result(ctx)
}

// QueryContext runs a statement whose RETURNING gorm, or the application, wants to read. The plugin's columns stand
// behind those; what gorm asked for is then read again, because rows can be read only once.
func (t *tap) QueryContext(ctx context.Context, query string, arguments ...any) (*sql.Rows, error) {
	if !t.owns(query) {
		return t.ConnPool.QueryContext(ctx, query, arguments...)
	}
	returning, err := t.capture.prepare(ctx, query, true)
	if err != nil {
		return nil, err
	}
	if !returning {
		return t.capture.own.QueryContext(ctx, query, arguments...)
	}
	if err := t.capture.runReturning(ctx, query+", ", arguments); err != nil {
		return nil, err
	}
	return t.capture.readAgain(ctx)
}

// prepare does what must happen before the statement, and says whether the statement shall return its rows.
func (c *capture) prepare(ctx context.Context, query string, returnsRows bool) (returning bool, err error) {
	c.ran = true
	if err := c.takeShape(ctx); err != nil {
		return false, &Error{Code: CodeEventNotWritten, Model: c.model.name, Err: err}
	}
	switch c.action {
	case rule.Create:
		returning, err = c.prepareCreate(ctx)
	case rule.Update:
		c.setsKey = assignsKey(c.db.Statement, c.model)
		returning, err = c.readUpdated(ctx, query, returnsRows)
	case rule.Delete:
		c.soft = strings.HasPrefix(query, "UPDATE")
		// A hard delete returns its rows, unless the application reads them itself: they cannot be read again.
		returning = c.soft || !returnsRows
		switch {
		case c.soft:
			returning, err = c.readUpdated(ctx, query, returnsRows)
		case returnsRows:
			err = c.readMatching(ctx, "UPDATE")
		}
	}
	if err != nil {
		return false, &Error{Code: CodeEventNotWritten, Model: c.model.name, Err: err}
	}
	return returning, nil
}

// readUpdated reads the rows that an UPDATE will change, unless the UPDATE itself can, and says whether it shall return
// them.
func (c *capture) readUpdated(ctx context.Context, query string, returnsRows bool) (returning bool, err error) {
	if !returnsRows {
		c.pairing = c.pairs(query)
	}
	if c.pairing != nil {
		return true, nil
	}
	if err := c.readMatching(ctx, "NO KEY UPDATE"); err != nil {
		return false, err
	}
	if !returnsRows {
		c.told = c.tell(query)
	}
	return c.told == nil, nil
}

// runReturning runs the statement and keeps the rows that it returns.
func (c *capture) runReturning(ctx context.Context, query string, arguments []any) error {
	err := c.naming(ctx, func() (err error) {
		if c.pairing != nil {
			c.before, c.after, err = c.queryPairs(ctx, arguments)
		} else {
			c.after, err = c.queryReturning(ctx, query, arguments)
		}
		return err
	})
	if err != nil || c.action == rule.Delete {
		return err
	}
	return c.readTriggered(ctx)
}

func (c *capture) queryReturning(ctx context.Context, query string, arguments []any) ([]row, error) {
	// SQLite knows no alias here, and never means another table than the one that is changed.
	list := c.shape.columns
	if c.action != rule.Create && isPostgres(c.db) {
		list = c.qualified()
	}
	if c.action == rule.Create && isPostgres(c.db) {
		list += ", xmax = 0 AS " + insertedColumn // a row that ON CONFLICT has updated carries the updating transaction
	}
	rows, err := c.own.QueryContext(ctx, query+list, arguments...)
	if err != nil {
		return nil, err
	}
	return c.scan(ctx, rows)
}

// result stands in for what the driver would have said.
func (c *capture) result(ctx context.Context) (sql.Result, error) {
	r := affected{rows: int64(len(c.after))}
	if c.action == rule.Create && !isPostgres(c.db) && len(c.after) > 0 {
		if err := c.pool.QueryRowContext(ctx, "SELECT last_insert_rowid()").Scan(&r.lastID); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// affected is a sql.Result.
type affected struct{ rows, lastID int64 }

// LastInsertId is SQLite's; Postgres has none, and gorm asks for none there.
func (a affected) LastInsertId() (int64, error) { return a.lastID, nil }

// RowsAffected counts the rows that the statement returned.
func (a affected) RowsAffected() (int64, error) { return a.rows, nil }

// assignsKey must look while gorm runs the statement: afterwards it takes the SET clause away.
func assignsKey(statement *gorm.Statement, m *model) bool {
	set, _ := statement.Clauses["SET"].Expression.(clause.Set)
	for _, assignment := range set {
		for _, key := range m.schema.PrimaryFieldDBNames {
			if assignment.Column.Name == key {
				return true
			}
		}
	}
	return false
}
