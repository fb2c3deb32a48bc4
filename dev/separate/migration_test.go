package separate_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// inMigration kills a program while it upgrades another database, which holds what an earlier version has left there. When
// web app and worker have been started again, all of it is there and told.
func (x *trial) inMigration(t *testing.T, program string) {
	url := testdb.SQLiteURL
	if x.db.Name() == "postgres" {
		url = testdb.PostgresURL
	}
	b := openBooks(t, openBy(t, url(t), x.temporal.addr, fmt.Sprintf("NOTIFY_TASK_QUEUE=upgrade-%d", x.kills["web"]+x.kills["worker"])))
	defer func() { _ = store.Close(b.db) }() // of many
	b.environ = append(b.environ, twilioAt(b.twilioAddr)...)
	b.save(t, 30)
	old, newest := x.goBack(t, b)
	release := b.standInTheWay(t, []string{"notify_notifications", "notify_events", "notify_deliveries"}[x.random.IntN(3)])
	dying := b.start(t, program)
	if b.db.Name() == "postgres" {
		until(t, "a migration waits, or all are over", func() (bool, error) { return b.waits(t) || b.version(t) == newest, nil })
	} else {
		for deadline := time.Now().Add(patience); b.version(t) == old && time.Now().Before(deadline); {
			// Without a pause: the next ones follow within some milliseconds.
		}
	}
	dying.kill()
	x.kills[program]++
	if b.version(t) < newest {
		x.middles++
	}
	release()
	web, worker := b.start(t, "web"), b.start(t, "worker")
	sum := b.settle(t, 2*patience)
	x.upgrades.events += sum.events
	x.upgrades.lost += sum.lost
	if len(sum.twice) > 0 {
		t.Errorf("after an upgrade something came twice: %v", sum.twice)
	}
	web.kill()
	worker.kill()
}

// goBack takes the tables back to those of an earlier version, with what is in them.
func (x *trial) goBack(t *testing.T, b *books) (old, newest int64) {
	t.Helper()
	pool, err := b.db.DB()
	must(t, err)
	dialect := goose.DialectSQLite3
	if b.db.Name() == "postgres" {
		dialect = goose.DialectPostgres
	}
	provider, err := goose.NewProvider(dialect, pool, os.DirFS("../../internal/store/migrations/"+b.db.Name()), goose.WithTableName("notify_migrations"))
	must(t, err)
	newest, err = provider.GetDBVersion(t.Context())
	must(t, err)
	old = 1 + x.random.Int64N(newest-3) // several are to come
	_, err = provider.DownTo(t.Context(), old)
	must(t, err)
	return old, newest
}

// version gives that of the tables.
func (b *books) version(t *testing.T) (version int64) {
	t.Helper()
	must(t, b.db.Raw("SELECT COALESCE(MAX(version_id), 0) FROM notify_migrations WHERE is_applied").Scan(&version).Error)
	return version
}

// standInTheWay writes to a table on Postgres in a transaction that stays open: a migration that changes the table waits in
// its middle. On SQLite nothing can stand in the way of one migration, and let those before it pass.
func (b *books) standInTheWay(t *testing.T, table string) (release func()) {
	t.Helper()
	if b.db.Name() != "postgres" {
		return func() {}
	}
	pool, err := b.db.DB()
	must(t, err)
	tx, err := pool.BeginTx(t.Context(), nil)
	must(t, err)
	_, err = tx.ExecContext(t.Context(), "LOCK TABLE "+table+" IN ROW EXCLUSIVE MODE")
	must(t, err)
	return func() { must(t, tx.Rollback()) }
}

// waits says whether a migration waits on Postgres.
func (b *books) waits(t *testing.T) bool {
	t.Helper()
	var waiting int
	err := b.db.Raw("SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())").Scan(&waiting).Error
	must(t, err)
	return waiting > 0
}
