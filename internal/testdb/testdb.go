// Package testdb gives tests real databases: a SQLite file and, where Postgres is installed, a database in a Postgres
// server that the test process starts for itself and stops at its end.
package testdb

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/store"
)

// Run runs a package's tests and stops the Postgres server if one of them started it. A package that uses Postgres,
// PostgresURL or Each has:
//
//	func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }
func Run(m *testing.M) int {
	defer stopServer()
	return m.Run()
}

// Each runs a test on both databases, each time on a new one whose tables are up to date. The subtests are parallel.
//
// Under the race detector it runs on Postgres alone, where that is installed: SQLite is translated from C, shares nothing with
// our code but through locks, and is some ten times slower when each of its memory accesses is watched. CI runs the tests with
// the detector and without it.
func Each(t *testing.T, test func(t *testing.T, db *gorm.DB)) {
	t.Helper()
	if !raced || !installed() {
		t.Run("on SQLite", func(t *testing.T) {
			t.Parallel()
			test(t, SQLite(t))
		})
	}
	t.Run("on Postgres", func(t *testing.T) {
		t.Parallel()
		test(t, Postgres(t))
	})
}

// SQLite gives a new database in a file of the test's own folder.
func SQLite(t testing.TB) *gorm.DB {
	t.Helper()
	return Open(t, SQLiteURL(t))
}

// SQLiteURL names a SQLite file that does not exist yet, in the test's own folder.
func SQLiteURL(t testing.TB) string {
	t.Helper()
	return "sqlite://" + filepath.Join(t.TempDir(), "test.db")
}

// Postgres gives a new database in the test process's own server. Without an installed Postgres the test is skipped,
// except in CI (environment CI=true), where it fails: CI installs it.
func Postgres(t testing.TB) *gorm.DB {
	t.Helper()
	return Open(t, PostgresURL(t))
}

// PostgresURL names a new, empty database in the test process's own server.
func PostgresURL(t testing.TB) string {
	t.Helper()
	url, err := createDatabase()
	if err == nil {
		return url
	}
	if errors.Is(err, errNotInstalled) && os.Getenv("CI") != "true" {
		t.Skip("Postgres is not installed here (Debian: apt-get install postgresql)")
	}
	t.Fatalf("a Postgres for the test: %v", err)
	return ""
}

// PostgresURLWithClock names a new, empty database whose clock is so far ahead of this machine's, or, below zero, behind:
// clock_timestamp(), by which the product asks a database for its time, is the test's own function there.
func PostgresURLWithClock(t testing.TB, ahead time.Duration) string {
	t.Helper()
	url := PostgresURL(t)
	run(t, url, "CREATE SCHEMA clock")
	SetClock(t, url, ahead)
	return url + "&search_path=clock,pg_catalog,public"
}

// SetClock sets the clock of a database that PostgresURLWithClock has named.
func SetClock(t testing.TB, url string, ahead time.Duration) {
	t.Helper()
	run(t, url, fmt.Sprintf(`CREATE OR REPLACE FUNCTION clock.clock_timestamp() RETURNS timestamptz LANGUAGE sql
		AS $$ SELECT pg_catalog.clock_timestamp() + interval '%d seconds' $$`, int(ahead.Seconds())))
}

// run executes a statement on a connection of its own.
func run(t testing.TB, url, statement string) {
	t.Helper()
	db, err := store.Open(url, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close(db) }()
	if err := db.Exec(statement).Error; err != nil {
		t.Fatal(err)
	}
}

// Open connects and migrates, and disconnects when the test ends.
func Open(t testing.TB, url string) *gorm.DB {
	t.Helper()
	db, err := store.Open(url, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close(db) })
	if err := store.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	return db
}
