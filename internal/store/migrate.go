package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"gorm.io/gorm"
)

//go:embed migrations
var migrations embed.FS

// versionTable keeps which migrations have run; the name leaves the application's own goose table alone.
const versionTable = "notify_migrations"

// On SQLite two processes that begin at the same moment both find the same work to do; the one that comes second fails,
// whole and without effect, and looks again. On Postgres so does a migration that waited for a program which waited for it.
const (
	migrationTries = 8
	migrationPause = 100 * time.Millisecond
)

// deadlock is Postgres' code for whoever is given up of those that wait for each other.
const deadlock = "40P01"

// Migrate brings the tables up to date, and does nothing when they are. Several processes may call it at once: on
// Postgres they wait for each other on an advisory lock, on SQLite the later ones try again. Programs of an earlier
// version may be at work meanwhile.
func Migrate(ctx context.Context, db *gorm.DB) error {
	provider, err := migrationProvider(db)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		_, err := provider.Up(ctx)
		if err == nil {
			return nil
		}
		if try == migrationTries || db.Name() != "sqlite" && !deadlocked(err) {
			return fmt.Errorf("store: migrate: %w", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("store: migrate: %w", errors.Join(ctx.Err(), err))
		case <-time.After(migrationPause * time.Duration(try)):
		}
	}
}

func deadlocked(err error) bool {
	var coded interface{ SQLState() string }
	return errors.As(err, &coded) && coded.SQLState() == deadlock
}

// ErrTablesOld says that Migrate has something to do.
var ErrTablesOld = errors.New("the database does not have the tables of this version")

// CheckTables gives ErrTablesOld when Migrate has something to do. Unlike Migrate it writes nothing.
func CheckTables(ctx context.Context, db *gorm.DB) error {
	provider, err := migrationProvider(db)
	if err != nil {
		return err
	}
	clean := session(db).WithContext(ctx)
	if !clean.Migrator().HasTable(versionTable) {
		return fmt.Errorf("store: %w", ErrTablesOld)
	}
	var current int64
	err = clean.Table(versionTable).Where("is_applied").Select("COALESCE(MAX(version_id), 0)").Scan(&current).Error
	if err != nil {
		return fmt.Errorf("store: version of the tables: %w", err)
	}
	for _, source := range provider.ListSources() {
		if source.Version > current {
			return fmt.Errorf("store: %w", ErrTablesOld)
		}
	}
	return nil
}

func migrationProvider(db *gorm.DB) (*goose.Provider, error) {
	pool, err := db.DB()
	if err != nil {
		return nil, fmt.Errorf("store: connection pool: %w", err)
	}
	dialect, options := goose.DialectSQLite3, []goose.ProviderOption{goose.WithTableName(versionTable)}
	if db.Name() == "postgres" {
		dialect = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return nil, fmt.Errorf("store: migration lock: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	files, err := fs.Sub(migrations, "migrations/"+db.Name())
	if err != nil {
		return nil, fmt.Errorf("store: migrations: %w", err)
	}
	provider, err := goose.NewProvider(dialect, pool, files, options...)
	if err != nil {
		return nil, fmt.Errorf("store: migrations: %w", err)
	}
	return provider, nil
}
