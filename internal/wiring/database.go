package wiring

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/config"
	"github.com/silquetech/silque-notifications/internal/store"
)

// Database connects and brings the tables up to date.
func Database(ctx context.Context, c *config.Config, log *slog.Logger) (*gorm.DB, error) {
	db, err := store.Open(c.DatabaseURL, log)
	if err != nil {
		return nil, err
	}
	if err := store.Migrate(ctx, db); err != nil {
		return nil, errors.Join(err, store.Close(db))
	}
	return db, nil
}

// DatabaseAsItIs connects and writes nothing: a database that is not there is an error, and so are tables that are not up
// to date.
func DatabaseAsItIs(ctx context.Context, c *config.Config, log *slog.Logger) (*gorm.DB, error) {
	if file, isFile := strings.CutPrefix(c.DatabaseURL, "sqlite://"); isFile {
		file, _, _ = strings.Cut(file, "?")
		if _, err := os.Stat(file); err != nil {
			return nil, fmt.Errorf("there is no database yet (is DATABASE_URL right?): %w", err)
		}
	}
	db, err := store.Open(c.DatabaseURL, log)
	if err != nil {
		return nil, err
	}
	if err := store.CheckTables(ctx, db); err != nil {
		if errors.Is(err, store.ErrTablesOld) {
			err = fmt.Errorf("%w: start web or your application once, which bring them up to date", err)
		}
		return nil, errors.Join(err, store.Close(db))
	}
	return db, nil
}

// RegisterInBackground registers the search attributes while the program goes on, because Temporal may be away. The
// function that it gives ends and awaits that.
func RegisterInBackground(ctx context.Context, t *Temporal, log *slog.Logger) (wait func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := RegisterSearchAttributes(ctx, t, log); err != nil && ctx.Err() == nil {
			log.Warn("Search attributes could not be registered; workflows start only when they exist", "error", err)
		}
	}()
	return func() { cancel(); <-done }
}

// UsageCode is the exit code after flags that could not be parsed: 0 when help was asked for, 2 otherwise.
func UsageCode(err error) int {
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	return 2
}
