package notify

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/silquetech/silque-notifications/internal/catalog"
)

// shape is what a model looks like in its table: the struct may have fields without a column, because a query of the
// application's fills them, or because a newer version of the application has dropped the column.
type shape struct {
	entry   *catalog.Model
	encoder *catalog.Encoder
	// fields are the columns that are read: those of the snapshot, which hold the primary key.
	fields []*schema.Field
	// table is the table's name as gorm writes it before a column; columns and qualified are the fields' quoted names,
	// without and with it.
	table, columns, qualified string
	// faithful: the table stores every value exactly as the struct has it, so that a row need not be read back after an
	// INSERT. The table itself says so: migrations written by hand know types that gorm's tags do not.
	faithful bool
	// triggers says whether it has triggers, which change rows unseen.
	triggers bool
	// keyed: the table itself guarantees that the model's primary key tells its rows apart. Only Postgres is asked.
	keyed bool
}

// look looks at the table and keeps the answer. A table that does not exist yet is taken to have every column, and is
// looked at again.
func (p *Plugin) look(db *gorm.DB, m *model) (*shape, error) {
	found, err := tableOf(background(db), db.Statement.ConnPool, db.Name(), m.schema.Table)
	if err != nil {
		return nil, err
	}
	s := &shape{triggers: found.triggers, faithful: len(found.columns) > 0 && !found.triggers, keyed: found.hasKey(m.schema)}
	for _, field := range m.visible {
		column, there := found.columns[columnKey(db.Name(), field.DBName)]
		if !there && !field.PrimaryKey && len(found.columns) > 0 {
			p.complain(m.name, field.DBName, "a field has no column in the table and is left out of events")
			continue
		}
		s.faithful = s.faithful && keeps(field, column, isPostgres(db))
		s.fields = append(s.fields, field)
	}
	if s.entry, err = catalog.DescribeFields(m.schema, s.fields); err != nil {
		return nil, err
	}
	s.encoder = catalog.NewEncoder(m.schema, s.entry, precision(db))
	s.table = m.schema.Table[strings.LastIndex(m.schema.Table, ".")+1:]
	s.columns, s.qualified = columnList(db.Statement, "", s.fields), columnList(db.Statement, s.table, s.fields)
	if len(found.columns) > 0 {
		m.shape.Store(s)
	}
	return s, nil
}

func columnList(statement *gorm.Statement, table string, fields []*schema.Field) string {
	names := make([]string, len(fields))
	for i, field := range fields {
		names[i] = statement.Quote(clause.Column{Table: table, Name: field.DBName})
	}
	return strings.Join(names, ",")
}

// takeShape gives the capture what is known of its table. A statement that assigns to a column which was not there is
// from after a migration.
func (c *capture) takeShape(ctx context.Context) error {
	if c.shape = c.model.shape.Load(); c.shape != nil && !c.assignsUnknown() {
		return nil
	}
	return c.lookAgain(ctx)
}

func (c *capture) lookAgain(ctx context.Context) (err error) {
	if err = c.lockSQLite(ctx); err == nil {
		c.shape, err = c.plugin.look(session(c.db), c.model)
	}
	return err
}

func (c *capture) assignsUnknown() bool {
	if len(c.shape.fields) == len(c.model.visible) {
		return false
	}
	unknown := make(map[string]bool)
	for _, field := range c.model.visible {
		unknown[field.DBName] = true
	}
	for _, field := range c.shape.fields {
		delete(unknown, field.DBName)
	}
	values, _ := c.db.Statement.Clauses["VALUES"].Expression.(clause.Values)
	for _, column := range values.Columns {
		if unknown[column.Name] {
			return true
		}
	}
	set, _ := c.db.Statement.Clauses["SET"].Expression.(clause.Set)
	for _, assignment := range set {
		if unknown[assignment.Column.Name] {
			return true
		}
	}
	return false
}

// qualified lists the columns as the captured statement calls them.
func (c *capture) qualified() string {
	if c.alias == c.shape.table {
		return c.shape.qualified
	}
	return columnList(c.db.Statement, c.alias, c.shape.fields)
}

// naming runs the plugin's first statement that names the model's columns. One of them may be gone since the table was
// looked at, and the application's own statement may not need it: then the table is looked at again and the statement
// repeated. If it was the application that named the column, it fails again, as it would have by itself. Once the
// statement has succeeded, its lock keeps the table as it is until the transaction ends.
func (c *capture) naming(ctx context.Context, run func() error) error {
	if c.certain {
		return run()
	}
	c.certain = true
	back, err := c.wayBack(ctx)
	if err != nil {
		return err
	}
	err = run()
	repeat := missesColumn(err)
	if failed := back.take(ctx, c.pool, err == nil, repeat); failed != nil {
		return errors.Join(err, failed)
	}
	if !repeat {
		return err
	}
	if failed := c.lookAgain(ctx); failed != nil {
		return errors.Join(err, failed)
	}
	return run()
}

// wayBack leads out of a transaction in which a statement has failed: Postgres lets nothing more be done there.
type wayBack int

const (
	needless  wayBack = iota // SQLite, and statements outside a transaction
	restart                  // begin the transaction again: nothing was done in it
	savepoint                // go back to a savepoint, which is two more statements in every save
)

// wayBack prepares the cheapest way.
func (c *capture) wayBack(ctx context.Context) (wayBack, error) {
	if _, open := c.pool.(gorm.TxCommitter); !open || !isPostgres(c.db) {
		return needless, nil
	}
	if tx, ok := listeningTxOf(c.pool); ok && tx.untouched() {
		return restart, nil
	}
	_, err := c.pool.ExecContext(ctx, "SAVEPOINT notify_columns")
	return savepoint, err
}

// take goes back if the statement is to be repeated, and ends the savepoint unless the whole transaction is lost.
func (w wayBack) take(ctx context.Context, pool gorm.ConnPool, succeeded, repeat bool) error {
	var statements []string
	switch {
	case w == restart && repeat:
		statements = []string{"ROLLBACK AND CHAIN"}
	case w == savepoint && repeat:
		statements = []string{"ROLLBACK TO SAVEPOINT notify_columns", "RELEASE SAVEPOINT notify_columns"}
	case w == savepoint && succeeded:
		statements = []string{"RELEASE SAVEPOINT notify_columns"}
	}
	for _, statement := range statements {
		if _, err := pool.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// missesColumn says whether the database does not know a column of the statement.
func missesColumn(err error) bool {
	if err == nil {
		return false
	}
	var coded interface{ SQLState() string }
	if errors.As(err, &coded) {
		return coded.SQLState() == "42703" // undefined_column
	}
	return strings.Contains(err.Error(), "no such column") // SQLite has no code of its own for it
}

// complain reports a column once: a save must not fail because of it, but somebody should know.
func (p *Plugin) complain(table, column, what string) {
	if _, known := p.complaints.LoadOrStore(table+"."+column+": "+what, true); !known {
		p.log.Warn(what+" (reported once for each field)", slog.String("model", table), slog.String("field", column))
	}
}
