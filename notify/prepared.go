package notify

import (
	"context"
	"database/sql"
	"strings"
	"sync"

	"gorm.io/gorm"
)

// preparedLimit bounds the statements that are kept: an application that writes values into its SQL has ever new ones.
// The first ones are kept until the pool closes, and none is prepared after them.
const preparedLimit = 128

// prepared keeps the plugin's statements parsed, because SQLite parses every statement anew and that is a large part of
// a small one's time. Postgres's driver does this by itself. A statement is prepared when it comes a second time, in the
// background: preparing takes a connection of its own, for which a save must never wait.
type prepared struct {
	mutex      sync.RWMutex
	statements map[string]*sql.Stmt
	seen       map[string]bool
	wanted     chan string
}

func newPrepared() *prepared {
	return &prepared{statements: map[string]*sql.Stmt{}, seen: map[string]bool{}, wanted: make(chan string, 16)}
}

// run prepares what is wanted until ctx ends. The statements end with the pool.
func (p *prepared) run(ctx context.Context, pool *sql.DB) {
	for {
		select {
		case <-ctx.Done():
			return
		case query := <-p.wanted:
			statement, err := pool.PrepareContext(ctx, query)
			if err != nil {
				continue // the save that runs it reports it
			}
			p.mutex.Lock()
			p.statements[query] = statement
			p.mutex.Unlock()
		}
	}
}

// find gives the prepared statement, or nil and a note that it is wanted.
func (p *prepared) find(query string) *sql.Stmt {
	p.mutex.RLock()
	statement, full := p.statements[query], len(p.statements) >= preparedLimit
	p.mutex.RUnlock()
	if statement != nil || full {
		return statement
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	switch known := p.seen[query]; {
	case !known && len(p.seen) >= preparedLimit:
		clear(p.seen)
		fallthrough
	case !known:
		p.seen[query] = true
	default:
		delete(p.seen, query) // so that it is asked for once
		select {
		case p.wanted <- query:
		default:
		}
	}
	return nil
}

// on gives a connection that runs prepared statements where the transaction can.
func (p *prepared) on(pool gorm.ConnPool) gorm.ConnPool {
	if p == nil {
		return pool
	}
	switch tx := pool.(type) {
	case *gorm.PreparedStmtTX: // gorm's own cache prepares anew in each transaction
		return &preparedTx{ConnPool: tx.Tx, tx: tx.Tx, cache: p}
	case gorm.Tx:
		return &preparedTx{ConnPool: tx, tx: tx, cache: p}
	}
	return pool
}

// preparedTx is a transaction that runs statements which are prepared already.
type preparedTx struct {
	gorm.ConnPool
	tx    gorm.Tx
	cache *prepared
}

// ExecContext satisfies gorm.ConnPool.
func (t *preparedTx) ExecContext(ctx context.Context, query string, arguments ...any) (sql.Result, error) {
	if statement := t.cache.find(query); statement != nil {
		result, err := t.tx.StmtContext(ctx, statement).ExecContext(ctx, arguments...)
		if !ofAnotherPool(err) {
			return result, err
		}
	}
	return t.ConnPool.ExecContext(ctx, query, arguments...)
}

// QueryContext satisfies gorm.ConnPool.
func (t *preparedTx) QueryContext(ctx context.Context, query string, arguments ...any) (*sql.Rows, error) {
	if statement := t.cache.find(query); statement != nil {
		rows, err := t.tx.StmtContext(ctx, statement).QueryContext(ctx, arguments...)
		if !ofAnotherPool(err) {
			return rows, err
		}
	}
	return t.ConnPool.QueryContext(ctx, query, arguments...)
}

// ofAnotherPool says whether database/sql refused a statement, before running it, because the transaction is on another
// pool than the plugin's: one gorm can have several (gorm.io/plugin/dbresolver). It has no error value for it.
func ofAnotherPool(err error) bool {
	return err != nil && strings.Contains(err.Error(), "statement from different database used")
}
