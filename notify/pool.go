package notify

import (
	"context"
	"database/sql"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
)

// wrapPool puts the plugin between gorm and its connection pool, below a cache of prepared statements if there is one.
func (p *Plugin) wrapPool(db *gorm.DB) {
	if prepared, ok := db.ConnPool.(*gorm.PreparedStmtDB); ok {
		prepared.ConnPool = p.wrapped(db, prepared.ConnPool)
		return
	}
	db.ConnPool = p.wrapped(db, db.ConnPool)
	db.Statement.ConnPool = db.ConnPool
}

// wrapped leaves alone what cannot begin a transaction.
func (p *Plugin) wrapped(db *gorm.DB, pool gorm.ConnPool) gorm.ConnPool {
	switch pool.(type) {
	case gorm.TxBeginner, gorm.ConnPoolBeginner:
		return &listeningPool{ConnPool: pool, plugin: p, pgx: ofPgx(pool), locks: locksAtBegin(db)}
	}
	return pool
}

// locksAtBegin says whether a transaction on SQLite begins with the lock that it will need: so it does when the driver
// was told to begin with BEGIN IMMEDIATE or EXCLUSIVE, by the parameter that both usual drivers have for it.
func locksAtBegin(db *gorm.DB) bool {
	var dialector sqlite.Dialector
	switch d := db.Dialector.(type) {
	case sqlite.Dialector:
		dialector = d
	case *sqlite.Dialector:
		dialector = *d
	}
	if dialector.Conn != nil || dialector.DriverName != "" && dialector.DriverName != "sqlite" && dialector.DriverName != "sqlite3" {
		return false
	}
	_, query, _ := strings.Cut(dialector.DSN, "?")
	values, err := url.ParseQuery(query)
	lock := values["_txlock"]
	return err == nil && len(lock) == 1 && (lock[0] == "immediate" || lock[0] == "exclusive")
}

// listeningPool is gorm's connection pool with transactions that tell the plugin of their commit.
type listeningPool struct {
	gorm.ConnPool
	plugin *Plugin
	pgx    bool // it is a pool of pgx's own connections
	locks  bool // its transactions begin with SQLite's write lock
}

// BeginTx satisfies gorm.ConnPoolBeginner.
func (l *listeningPool) BeginTx(ctx context.Context, options *sql.TxOptions) (gorm.ConnPool, error) {
	var tx gorm.ConnPool
	var err error
	switch beginner := l.ConnPool.(type) {
	case gorm.TxBeginner:
		tx, err = beginner.BeginTx(ctx, options)
	case gorm.ConnPoolBeginner:
		tx, err = beginner.BeginTx(ctx, options)
	}
	if err != nil {
		return nil, err
	}
	if full, ok := tx.(gorm.Tx); ok {
		return &listeningTx{Tx: full, pool: l, plain: l.plain(options), locked: l.locks && readsAndWrites(options)}, nil
	}
	return tx, nil
}

func readsAndWrites(options *sql.TxOptions) bool { return options == nil || !options.ReadOnly }

// plain says whether a transaction of the pool is what BEGIN alone makes it: pgx's own, of no pool or driver that may have
// set something in it already, and without options, which another transaction would not inherit.
func (l *listeningPool) plain(options *sql.TxOptions) bool {
	return l.pgx && (options == nil || *options == (sql.TxOptions{}))
}

func ofPgx(pool gorm.ConnPool) bool {
	db, ok := pool.(*sql.DB)
	if !ok {
		return false
	}
	_, ok = db.Driver().(*stdlib.Driver)
	return ok
}

// GetDBConn satisfies gorm.GetDBConnector.
func (l *listeningPool) GetDBConn() (*sql.DB, error) {
	switch pool := l.ConnPool.(type) {
	case *sql.DB:
		return pool, nil
	case gorm.GetDBConnector:
		return pool.GetDBConn()
	}
	return nil, gorm.ErrInvalidDB
}

// Ping asks the database whether it is there, as gorm does when it opens.
func (l *listeningPool) Ping() error {
	pool, err := l.GetDBConn()
	if err != nil {
		return err
	}
	return pool.Ping()
}

// listeningTx is a transaction that remembers whether events were written in it.
type listeningTx struct {
	gorm.Tx
	pool   *listeningPool
	events atomic.Bool
	plain  bool
	locked bool
	used   atomic.Bool // a statement was sent
}

// untouched says whether the transaction has done nothing yet, so that another one may take its place.
func (l *listeningTx) untouched() bool { return l.plain && !l.used.Load() }

// ExecContext satisfies gorm.ConnPool, as do the others.
func (l *listeningTx) ExecContext(ctx context.Context, query string, arguments ...any) (sql.Result, error) {
	l.used.Store(true)
	return l.Tx.ExecContext(ctx, query, arguments...)
}

// QueryContext runs a query.
func (l *listeningTx) QueryContext(ctx context.Context, query string, arguments ...any) (*sql.Rows, error) {
	l.used.Store(true)
	return l.Tx.QueryContext(ctx, query, arguments...)
}

// QueryRowContext runs a query for one row.
func (l *listeningTx) QueryRowContext(ctx context.Context, query string, arguments ...any) *sql.Row {
	l.used.Store(true)
	return l.Tx.QueryRowContext(ctx, query, arguments...)
}

// PrepareContext prepares a statement.
func (l *listeningTx) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	l.used.Store(true)
	return l.Tx.PrepareContext(ctx, query)
}

// StmtContext gives a prepared statement in the transaction.
func (l *listeningTx) StmtContext(ctx context.Context, statement *sql.Stmt) *sql.Stmt {
	l.used.Store(true)
	return l.Tx.StmtContext(ctx, statement)
}

// Commit commits, and then tells the relays if there is something for them.
func (l *listeningTx) Commit() error {
	err := l.Tx.Commit()
	if err == nil && l.events.Load() {
		l.pool.plugin.committed()
	}
	return err
}

// Rollback undoes the transaction. SQLite does that by itself when the disk is full, among others, and then refuses to do
// it again: gorm would put that refusal in place of the error that the save is to see.
func (l *listeningTx) Rollback() error {
	err := l.Tx.Rollback()
	if err != nil && strings.Contains(err.Error(), "cannot rollback - no transaction is active") {
		return nil
	}
	return err
}

// GetDBConn satisfies gorm.GetDBConnector.
func (l *listeningTx) GetDBConn() (*sql.DB, error) { return l.pool.GetDBConn() }

// listeningTxOf finds the plugin's transaction below a cache of prepared statements.
func listeningTxOf(pool gorm.ConnPool) (*listeningTx, bool) {
	if prepared, ok := pool.(*gorm.PreparedStmtTX); ok {
		tx, ok := prepared.Tx.(*listeningTx)
		return tx, ok
	}
	tx, ok := pool.(*listeningTx)
	return tx, ok
}

// eventsKey marks a statement that wrote events in a transaction whose commit the plugin does not hear of.
const eventsKey = "notify:events"

// afterCommit is gorm's last callback of a statement. It serves transactions of that one statement on a pool that is not
// the plugin's: those are committed by now.
func (p *Plugin) afterCommit(db *gorm.DB) {
	if !p.deaf.Load() { // spares every save that nobody watches the look
		return
	}
	if wrote, _ := db.InstanceGet(eventsKey); wrote != true {
		return
	}
	db.InstanceSet(eventsKey, false)
	if _, open := db.Statement.ConnPool.(gorm.TxCommitter); !open && db.Error == nil {
		p.committed()
	}
}

// committed tells relays that events wait. It must not block: it runs between the application's commit and its return.
func (p *Plugin) committed() {
	if p.options.AfterCommit != nil {
		p.options.AfterCommit()
	}
	select {
	case p.wake <- struct{}{}:
	default: // nobody listens, or a call is due anyway
	}
}

// callPause is the least time between two calls: far less than a message takes.
const callPause = 5 * time.Millisecond

// notifyRelays wakes relays in other processes. It does so outside the business transactions, because Postgres lets
// transactions that use NOTIFY commit only one after the other. A lost call is no loss: relays also sweep. A call that
// follows another closely waits a little, for a busy application would else spend as much on calls as on saves.
func (p *Plugin) notifyRelays(ctx context.Context, pool *sql.DB) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
			_, _ = pool.ExecContext(ctx, "SELECT pg_notify('notify_outbox', '')")
			select {
			case <-ctx.Done():
			case <-time.After(callPause):
			}
		}
	}
}
