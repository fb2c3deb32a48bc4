package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/notify"
)

// library is the application: its database, with the plugin in it.
type library struct {
	db     *gorm.DB
	plugin *notify.Plugin
	log    *slog.Logger
}

// openLibrary makes the tables and puts the plugin in. From then on, changes of books and loans become events where an
// active notification waits for them. Close it.
func openLibrary(ctx context.Context, databaseURL string, log *slog.Logger) (*library, error) {
	db, err := openDatabase(databaseURL, log)
	if err != nil {
		return nil, err
	}
	l := &library{db: db, plugin: notify.New(notify.Options{Logger: log}), log: log}
	if err := l.prepare(ctx); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

// prepare holds the three lines that an application of one's own needs: Use, Register and, in close, Close.
func (l *library) prepare(ctx context.Context) error {
	if err := l.db.WithContext(ctx).AutoMigrate(&Book{}, &Loan{}); err != nil {
		return fmt.Errorf("make the library's tables: %w", err)
	}
	if err := l.db.Use(l.plugin); err != nil { // makes the notify_ tables too, or brings them up to date
		return err
	}
	return l.plugin.Register(&Book{}, &Loan{})
}

// close stops what the plugin runs in the background, and then closes the database that it uses.
func (l *library) close() error {
	return errors.Join(l.plugin.Close(), closeDatabase(l.db))
}
