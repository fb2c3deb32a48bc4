package notify

import (
	"context"
	"database/sql"
	"reflect"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// row is one row in the model's own Go type, so that every value is what the application knows.
type row struct {
	value reflect.Value
	key   string
	// unreadable lists columns whose stored value does not fit the Go type.
	unreadable []string
	// inserted: an INSERT made the row, and did not update it. Only Postgres tells.
	inserted bool
}

// insertedColumn stands behind the columns that an INSERT on Postgres returns, and says whether the row is new.
const insertedColumn = "notify_inserted"

// scratch is a statement for building SQL about the captured statement's table. It is made by hand, because a session of
// gorm copies all of its settings for it, in every save.
func (c *capture) scratch() *gorm.Statement {
	db := &gorm.DB{Config: c.db.Config}
	db.Statement = &gorm.Statement{
		DB: db, Table: c.alias, TableExpr: c.db.Statement.TableExpr, Schema: c.model.schema, Context: c.db.Statement.Context,
		Clauses: make(map[string]clause.Clause, 1),
	}
	db.Statement.SQL.Grow(256)
	return db.Statement
}

// readMatching reads, and locks where the database can, the rows that the statement's conditions match.
func (c *capture) readMatching(ctx context.Context, lock string) error {
	return c.readBefore(ctx, lock, func(q *gorm.Statement) {
		from := clause.From{Tables: []clause.Table{{Name: clause.CurrentTable}}}
		if joined, ok := c.db.Statement.Clauses["FROM"].Expression.(clause.From); ok {
			from.Tables, from.Joins = append(from.Tables, joined.Tables...), joined.Joins
		}
		from.Build(q)
		if where, ok := c.db.Statement.Clauses["WHERE"]; ok {
			_ = q.WriteByte(' ')
			q.Clauses["WHERE"] = where
			q.Build("WHERE")
		}
	})
}

// readBefore reads the rows of a FROM and WHERE into before.
func (c *capture) readBefore(ctx context.Context, lock string, fromWhere func(*gorm.Statement)) error {
	if err := c.lockSQLite(ctx); err != nil {
		return err
	}
	return c.naming(ctx, func() (err error) {
		c.before, err = c.queryBefore(ctx, lock, fromWhere)
		return err
	})
}

// lockSQLite takes SQLite's lock by a write that changes nothing: SQLite locks the database when a transaction first
// writes, and a transaction that has read before cannot always wait for it.
func (c *capture) lockSQLite(ctx context.Context) error {
	if isPostgres(c.db) {
		return nil
	}
	if tx, ok := listeningTxOf(c.pool); ok && tx.locked {
		return nil
	}
	_, err := c.own.ExecContext(ctx, "UPDATE notify_revision SET revision = revision WHERE id = 0")
	return err
}

func (c *capture) queryBefore(ctx context.Context, lock string, fromWhere func(*gorm.Statement)) ([]row, error) {
	q := c.scratch()
	_, _ = q.WriteString("SELECT " + c.qualified() + " FROM ")
	fromWhere(q)
	if isPostgres(c.db) {
		_, _ = q.WriteString(" FOR " + lock + " OF ")
		q.WriteQuoted(c.alias)
	}
	if q.Error != nil {
		return nil, q.Error
	}
	rows, err := c.own.QueryContext(ctx, q.SQL.String(), q.Vars...)
	if err != nil {
		return nil, err
	}
	return c.scan(ctx, rows)
}

// scan reads rows whose last columns are the model's fields, perhaps followed by insertedColumn; it closes rows. What
// stands before them is the application's.
func (c *capture) scan(ctx context.Context, rows *sql.Rows) ([]row, error) {
	result, err := c.scanTimes(ctx, 1, rows)
	return result[0], err
}

// scanTimes reads rows that hold the model's fields as often as told, at most twice, one copy after the other.
func (c *capture) scanTimes(ctx context.Context, times int, rows *sql.Rows) (result [2][]row, err error) {
	defer func() {
		if closing := rows.Close(); err == nil {
			err = closing
		}
	}()
	names, err := rows.Columns()
	if err != nil {
		return result, err
	}
	trailing := 0
	if names[len(names)-1] == insertedColumn {
		trailing = 1
	}
	leading := len(names) - times*len(c.shape.fields) - trailing
	targets := make([]any, len(names))
	for rows.Next() {
		inserted := true
		for i := range leading {
			targets[i] = new(any)
		}
		if trailing == 1 {
			targets[len(targets)-1] = &inserted
		}
		var copies [2]row
		for i := range times {
			copies[i].value = reflect.New(c.model.schema.ModelType).Elem()
		}
		if err := scanRow(ctx, rows, targets, leading, c.shape.fields, copies[:times]); err != nil {
			return result, err
		}
		for i := range times {
			copies[i].key, copies[i].inserted = c.shape.encoder.Key(ctx, copies[i].value), inserted
			result[i] = append(result[i], copies[i])
		}
	}
	return result, rows.Err()
}

// scanRow reads one row through gorm's fields. What the database holds may not fit the Go type (SQLite stores anything
// anywhere): then the fields that fit are set, and the others are listed.
func scanRow(ctx context.Context, rows *sql.Rows, targets []any, leading int, fields []*schema.Field, copies []row) error {
	for i := range len(copies) * len(fields) {
		targets[leading+i] = fields[i%len(fields)].NewValuePool.Get()
	}
	scanned := rows.Scan(targets...) == nil
	for i := range len(copies) * len(fields) {
		r, field := &copies[i/len(fields)], fields[i%len(fields)]
		if scanned && field.Set(ctx, r.value, targets[leading+i]) != nil {
			r.unreadable = append(r.unreadable, field.DBName)
		}
		field.NewValuePool.Put(targets[leading+i])
	}
	if scanned {
		return nil
	}
	for i := range len(copies) * len(fields) {
		targets[leading+i] = new(any)
	}
	if err := rows.Scan(targets...); err != nil {
		return err
	}
	for i := range len(copies) * len(fields) {
		r, field := &copies[i/len(fields)], fields[i%len(fields)]
		if field.Set(ctx, r.value, *targets[leading+i].(*any)) != nil {
			r.unreadable = append(r.unreadable, field.DBName)
		}
	}
	return nil
}
