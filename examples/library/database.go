package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	_ "modernc.org/sqlite" // the driver "sqlite", without cgo
)

// sqliteSettings let several processes share the file: readers beside one writer, writers that wait for each other
// (a transaction takes its write lock at BEGIN, because a later upgrade cannot wait), and times that sort as text.
var sqliteSettings = url.Values{
	"_pragma":      {"journal_mode(WAL)", "busy_timeout(15000)", "foreign_keys(1)"},
	"_txlock":      {"immediate"},
	"_time_format": {"sqlite"},
}

// sqliteConnections bounds the pool: SQLite has one writer at a time.
const sqliteConnections = 8

// openDatabase connects to "postgres://…" or "sqlite://path/to/file". The caller closes it with closeDatabase.
func openDatabase(databaseURL string, log *slog.Logger) (*gorm.DB, error) {
	// Statements are logged without their values, which are personal data and secrets.
	config := &gorm.Config{Logger: logger.NewSlogLogger(log, logger.Config{
		LogLevel: logger.Warn, IgnoreRecordNotFoundError: true, ParameterizedQueries: true,
	})}
	scheme, rest, _ := strings.Cut(databaseURL, "://")
	switch scheme {
	case "postgres", "postgresql":
		db, err := gorm.Open(postgres.Open(databaseURL), config)
		if err != nil {
			return nil, errors.New("connect to Postgres: is DATABASE_URL right, and does it run?") // the cause can hold the password
		}
		return db, nil
	case "sqlite":
		return openSQLite(rest, config)
	default:
		return nil, errors.New("DATABASE_URL must start with sqlite:// or postgres://")
	}
}

func openSQLite(path string, config *gorm.Config) (*gorm.DB, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("folder of the SQLite file: %w", err)
	}
	db, err := gorm.Open(sqlite.Dialector{
		DriverName: "sqlite", DSN: "file:" + path + "?" + sqliteSettings.Encode(),
	}, config)
	if err != nil {
		return nil, fmt.Errorf("open the SQLite file: %w", err)
	}
	pool, err := db.DB()
	if err != nil {
		return nil, fmt.Errorf("connection pool: %w", err)
	}
	pool.SetMaxOpenConns(sqliteConnections)
	return db, nil
}

func closeDatabase(db *gorm.DB) error {
	pool, err := db.DB()
	if err != nil {
		return fmt.Errorf("connection pool: %w", err)
	}
	return pool.Close()
}
