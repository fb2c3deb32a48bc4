package temporalserver

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/headers"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	temporalsql "go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	sqliteplugin "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/resolver"
	sqliteschema "go.temporal.io/server/schema/sqlite"
	"google.golang.org/protobuf/types/known/durationpb"
	"modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"
)

// stores are the two databases: workflow state, and the search index that the Web UI lists
// from. Apart, because SQLite has one writer a file and the two write at the same moments
// (58 workflows a second in one file, 70 in two, measured on two cores).
type stores struct {
	main, visibility *config.SQL
	onDisk           bool
	// shards is the number of history shards.
	shards int32
}

// sqliteShards: SQLite has one writer, so more would only add bookkeeping.
const sqliteShards = 1

// filePragmas: with WAL and synchronous=NORMAL a killed process loses nothing; a power cut
// can lose the last commits, which the relay repeats.
var filePragmas = map[string]string{
	"journal_mode": "wal",
	"synchronous":  "1",
}

func openStores(ctx context.Context, o Options) (stores, error) {
	if o.DatabaseURL != "" {
		return openPostgres(ctx, o.DatabaseURL)
	}
	if o.Dir == "" {
		return stores{main: inMemory(), visibility: inMemory(), shards: sqliteShards}, nil
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return stores{}, fmt.Errorf("make Temporal's data folder: %w", err)
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return stores{}, fmt.Errorf("find Temporal's data folder: %w", err)
	}
	s := stores{
		main:       inFile(filepath.Join(dir, "temporal-"+headers.ServerVersion+".db")),
		visibility: inFile(filepath.Join(dir, "temporal-"+headers.ServerVersion+"-visibility.db")),
		onDisk:     true,
		shards:     sqliteShards,
	}
	for _, store := range []*config.SQL{s.main, s.visibility} {
		if err := createSchema(ctx, store.DatabaseName); err != nil {
			return stores{}, fmt.Errorf("prepare %s: %w", store.DatabaseName, inUse(err))
		}
	}
	return s, s.lock()
}

// lock keeps other servers off the files, in this process and in others, until unlock or
// the process's end. SQLite takes the lock with the next write.
func (s stores) lock() error {
	return s.each("PRAGMA journal_mode=wal; PRAGMA locking_mode=exclusive; BEGIN IMMEDIATE; COMMIT")
}

// unlock lets the files go. The plugin keeps its connections until the process ends, and an
// open connection holds a share of the lock for as long as there is a write-ahead log: so
// the log is folded into the file, and the lock given back with the next write.
func (s stores) unlock() error {
	return s.each("PRAGMA journal_mode=delete; PRAGMA locking_mode=normal; BEGIN IMMEDIATE; COMMIT")
}

// each runs a statement on the one connection that the server has to each file.
func (s stores) each(statement string) error {
	if !s.onDisk {
		return nil
	}
	for _, store := range []*config.SQL{s.main, s.visibility} {
		db, err := temporalsql.NewSQLAdminDB(sqlplugin.DbKindUnknown, store,
			resolver.NewNoopResolver(), log.NewNoopLogger(), metrics.NoopMetricsHandler)
		if err != nil {
			return fmt.Errorf("open %s: %w", store.DatabaseName, inUse(err))
		}
		if err := errors.Join(db.Exec(statement), db.Close()); err != nil {
			return fmt.Errorf("lock or unlock %s: %w", store.DatabaseName, inUse(err))
		}
	}
	return nil
}

// inMemory gives each database a name of its own: equal names are one database, and the
// plugin keeps it until the process ends.
func inMemory() *config.SQL {
	return &config.SQL{
		PluginName:        sqliteplugin.PluginName,
		DatabaseName:      "temporal-" + rand.Text(),
		ConnectAttributes: map[string]string{"mode": "memory", "cache": "shared"},
	}
}

func inFile(path string) *config.SQL {
	attributes := maps.Clone(filePragmas)
	attributes["mode"] = "rwc"
	return &config.SQL{
		PluginName:        sqliteplugin.PluginName,
		DatabaseName:      uriPath(path),
		ConnectAttributes: attributes,
	}
}

// uriPath makes a path safe for the SQLite URI that the plugin pastes it into: ?, # and %
// are escaped, and a Windows path gets forward slashes and a root.
// https://www.sqlite.org/uri.html
func uriPath(path string) string {
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed
	}
	return (&url.URL{Path: slashed}).EscapedPath()
}

// createSchema lays down the tables in one transaction, unless they are there. (The
// plugin's own set-up goes statement by statement, so a process killed in the middle would
// leave a file that never starts again.)
func createSchema(ctx context.Context, name string) error {
	db, err := sql.Open(sqliteplugin.PluginName, "file:"+name+"?mode=rwc&_pragma=journal_mode(wal)&_pragma=synchronous(1)")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()

	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()

	var tables int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&tables); err != nil {
		return err
	}
	if tables > 0 {
		return nil
	}
	if err := sqliteschema.SetupSchemaOnDB(schemaWriter{ctx: ctx, tx: tx}); err != nil {
		return err
	}
	return tx.Commit()
}

// schemaWriter is as much of the plugin's database as SetupSchemaOnDB calls: Exec.
type schemaWriter struct {
	sqlplugin.AdminDB
	ctx context.Context
	tx  *sql.Tx
}

// Exec runs one statement of the schema in the transaction.
func (w schemaWriter) Exec(statement string, args ...any) error {
	_, err := w.tx.ExecContext(w.ctx, statement, args...)
	return err
}

// inUse says in words what a locked file means.
func inUse(err error) error {
	var sqliteErr *sqlite.Error
	if errors.As(err, &sqliteErr) && sqliteErr.Code()&0xff == sqlitelib.SQLITE_BUSY {
		return fmt.Errorf("another server is using it; stop that one or choose another data folder: %w", err)
	}
	return err
}

// createNamespace registers the namespace before the server runs, so that no caller ever
// meets a server without it. An existing one is left as it is.
func createNamespace(store *config.SQL, name string, retention time.Duration) error {
	namespace, err := sqliteschema.NewNamespaceConfig(clusterName, name, false, nil)
	if err != nil {
		return fmt.Errorf("describe namespace %q: %w", name, err)
	}
	namespace.Detail.Config.Retention = durationpb.New(retention)
	if err := sqliteschema.CreateNamespaces(store, namespace); err != nil {
		return fmt.Errorf("create namespace %q: %w", name, inUse(err))
	}
	return nil
}
