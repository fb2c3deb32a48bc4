package notify

import (
	"database/sql"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/watch"
)

// CodeEventNotWritten is the code of the error that a save returns when its event could not be written.
const CodeEventNotWritten = "EVENT_NOT_WRITTEN"

// Error is what a save or delete returns when the change could not be captured: it is rolled back rather than made in
// silence.
type Error struct {
	// Code is CodeEventNotWritten.
	Code string
	// Model is the table.
	Model string
	// Err is the database's own error.
	Err error
}

// Error says what happened and what to do.
func (e *Error) Error() string {
	return fmt.Sprintf("notify: %s: a change of %s is undone because its event could not be written: check the database's "+
		"state and that the notify_ tables are up to date (or use notify.Skip to do without events): %v", e.Code, e.Model, e.Err)
}

// Unwrap gives the database's own error.
func (e *Error) Unwrap() error { return e.Err }

// capture follows one statement on one registered model.
type capture struct {
	plugin *Plugin
	db     *gorm.DB
	model  *model
	// alias is how the statement calls the table.
	alias string
	// shape is what the table looks like; set when the statement reaches the database.
	shape *shape
	// certain: the columns of shape are there until the transaction ends.
	certain bool
	list    *watch.List
	// action is what the statement does; an upsert is a create that may turn out to be an update.
	action rule.Action
	// pool is the connection or transaction that the statement would have used by itself; own is the same one, with
	// prepared statements where they help, for the plugin's statements.
	pool, own gorm.ConnPool
	// ran: the statement has reached the database.
	ran bool
	// before holds the rows as they were, locked; after holds them as the statement returned them.
	before, after []row
	// fromStruct: the rows that were created are those of the application's own structs.
	fromStruct bool
	// setsKey: the update assigns to a column of the primary key.
	setsKey bool
	// soft: the delete is an UPDATE that marks the row.
	soft bool
	// pairing is set when one statement reads the rows before and after.
	pairing *pairing
	// told is set when an UPDATE itself says what it makes of the rows before.
	told *told
}

// around runs gorm's own callback between the plugin's two looks at the rows.
func (p *Plugin) around(action rule.Action, next func(*gorm.DB)) func(*gorm.DB) {
	return func(db *gorm.DB) {
		c, err := p.capture(action, db)
		if err != nil {
			_ = db.AddError(err)
			return
		}
		if c == nil {
			next(db)
			return
		}
		c.run(next)
	}
}

// capture gives nil, without a query, when nobody waits for the change.
func (p *Plugin) capture(action rule.Action, db *gorm.DB) (*capture, error) {
	if db.Error != nil || db.DryRun || skipped(db.Statement.Context) {
		return nil, nil
	}
	m, alias := p.target(db.Statement)
	if m == nil {
		return nil, nil
	}
	list, err := p.watch.Current(db)
	if err != nil {
		return nil, &Error{Code: CodeEventNotWritten, Model: m.name, Err: err}
	}
	watched := list.Watches(m.name, action)
	if action == rule.Create && mayUpdate(db.Statement) {
		watched = watched || list.Watches(m.name, rule.Update)
	}
	if !watched {
		return nil, nil
	}
	return &capture{plugin: p, db: db, model: m, alias: alias, list: list, action: action}, nil
}

// run puts statement and events into one transaction: the one that is open, or one of its own where the application
// does without (SkipDefaultTransaction).
func (c *capture) run(next func(*gorm.DB)) {
	original := c.db.Statement.ConnPool
	own := c.begin()
	finished := false
	defer func() {
		if own != nil {
			c.end(own, finished)
		}
		c.db.Statement.ConnPool = original
	}()
	c.pool = c.db.Statement.ConnPool
	c.own = c.plugin.prepared.on(c.pool)
	c.db.Statement.ConnPool = &tap{ConnPool: c.pool, capture: c}
	next(c.db)
	c.db.Statement.ConnPool = c.pool
	if c.db.Error == nil && c.ran {
		if err := c.writeEvents(); err != nil {
			_ = c.db.AddError(&Error{Code: CodeEventNotWritten, Model: c.model.name, Err: err})
		}
	}
	finished = true
}

// begin opens a transaction when the statement runs in none; nil when it does, or when the pool knows no transactions.
func (c *capture) begin() gorm.TxCommitter {
	if _, open := c.db.Statement.ConnPool.(gorm.TxCommitter); open {
		return nil
	}
	tx := c.db.Begin()
	if tx.Error != nil {
		if !errors.Is(tx.Error, gorm.ErrInvalidTransaction) {
			_ = c.db.AddError(tx.Error)
		}
		return nil
	}
	c.db.Statement.ConnPool = tx.Statement.ConnPool
	return tx.Statement.ConnPool.(gorm.TxCommitter)
}

// end commits the capture's own transaction, or rolls it back after an error or a panic.
func (c *capture) end(own gorm.TxCommitter, finished bool) {
	if finished && c.db.Error == nil {
		_ = c.db.AddError(own.Commit())
		return
	}
	if err := own.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		_ = c.db.AddError(err)
	}
}
