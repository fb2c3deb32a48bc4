// Package store keeps notifications, deliveries and the error log in the application's database, through gorm, and
// brings that database's tables up to date. It works on SQLite and on Postgres 15 or newer.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	_ "modernc.org/sqlite" // the pure Go driver "sqlite": static binaries, and the one that an embedded Temporal server brings too
)

// sqliteSettings make SQLite fit for several goroutines and processes: readers beside one writer (WAL), a commit that
// survives a crash of the process, writers that wait for each other instead of failing (a transaction takes its write
// lock at BEGIN, because a later upgrade cannot wait), foreign keys checked, and times that sort as text.
var sqliteSettings = url.Values{
	"_pragma":      {"busy_timeout(15000)", "journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(1)"},
	"_txlock":      {"immediate"},
	"_time_format": {"sqlite"},
}

// Pool sizes. SQLite has one writer at a time, and each connection holds a page cache.
const (
	sqliteConnections   = 8
	postgresConnections = 25
)

// slowQuery is the time from which a statement is worth a line in the log.
const slowQuery = 500 * time.Millisecond

// Open connects to "postgres://…" or "sqlite://path/to/file" (sqlite:///absolute/path). The caller closes it with Close.
// Its NowFunc tells the time that all processes of the database share: use it wherever a time is compared with what
// another process has written.
func Open(databaseURL string, log *slog.Logger) (*gorm.DB, error) {
	dialector, connections, err := dialect(databaseURL)
	if err != nil {
		return nil, err
	}
	shared := &clock{own: time.Now}
	db, err := gorm.Open(dialector, &gorm.Config{Logger: queryLogger(log), TranslateError: true, NowFunc: shared.now})
	if err != nil {
		return nil, fmt.Errorf("store: connect to the database (is DATABASE_URL right, and does it run?): %w", err)
	}
	pool, err := db.DB()
	if err != nil {
		return nil, fmt.Errorf("store: connection pool: %w", err)
	}
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	if db.Name() == "postgres" { // on SQLite all processes have the one clock of their machine
		shared.ask = postgresTime(pool)
		shared.look(context.Background())
	}
	return db, nil
}

// Close ends every connection.
func Close(db *gorm.DB) error {
	pool, err := db.DB()
	if err != nil {
		return fmt.Errorf("store: connection pool: %w", err)
	}
	return pool.Close()
}

func dialect(databaseURL string) (gorm.Dialector, int, error) {
	scheme, rest, found := strings.Cut(databaseURL, "://")
	switch {
	case !found:
		return nil, 0, fmt.Errorf("store: DATABASE_URL must start with postgres:// or sqlite://")
	case scheme == "postgres" || scheme == "postgresql":
		return postgres.Open(databaseURL), postgresConnections, nil
	case scheme == "sqlite":
		path, query, _ := strings.Cut(rest, "?")
		if path == "" {
			return nil, 0, fmt.Errorf("store: DATABASE_URL names no file: write sqlite://path/to/file.db")
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			return nil, 0, fmt.Errorf("store: folder of the SQLite file: %w", err)
		}
		dsn := "file:" + path + "?" + sqliteSettings.Encode()
		if query != "" {
			dsn += "&" + query
		}
		return sqlite.Dialector{DriverName: "sqlite", DSN: dsn}, sqliteConnections, nil
	default:
		return nil, 0, fmt.Errorf("store: DATABASE_URL has the scheme %q: postgres:// and sqlite:// are known", scheme)
	}
}

// queryLogger logs what is slow or broken, without the values of the statement: they are personal data.
func queryLogger(log *slog.Logger) logger.Interface {
	return quietLogger{logger.NewSlogLogger(log, logger.Config{
		SlowThreshold:             slowQuery,
		LogLevel:                  logger.Warn,
		IgnoreRecordNotFoundError: true,
		ParameterizedQueries:      true,
	})}
}

// quietLogger leaves out statements that ended because their caller did, and the values of all.
type quietLogger struct{ logger.Interface }

// LogMode keeps the rest of the logger's manners at another level.
func (l quietLogger) LogMode(level logger.LogLevel) logger.Interface {
	return quietLogger{l.Interface.LogMode(level)}
}

// Trace logs one statement.
func (l quietLogger) Trace(ctx context.Context, begin time.Time, statement func() (string, int64), err error) {
	if errors.Is(err, context.Canceled) || ctx.Err() != nil {
		return
	}
	l.Interface.Trace(ctx, begin, statement, Unquoted(err))
}

// ParamsFilter drops the values of a statement that is about to be logged.
func (l quietLogger) ParamsFilter(_ context.Context, sql string, _ ...any) (string, []any) {
	return sql, nil
}
