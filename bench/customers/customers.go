// Package customers saves customers as every peer does: with gorm, on a pool of the size that this project uses.
package customers

import (
	"context"
	"log/slog"
	"os"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/bench/system"
	"github.com/silquetech/silque-notifications/internal/store"
)

// Open connects to the database with this project's own settings (Postgres: 25 connections; SQLite: WAL) and makes the
// table of customers. The caller closes it with store.Close.
func Open(ctx context.Context, databaseURL string) (*gorm.DB, error) {
	db, err := store.Open(databaseURL, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		return nil, err
	}
	if err := db.WithContext(ctx).AutoMigrate(&system.Customer{}); err != nil {
		_ = store.Close(db)
		return nil, err
	}
	return db, nil
}

// Save saves customer i.
func Save(ctx context.Context, db *gorm.DB, i int) error {
	return db.WithContext(ctx).Create(system.NewCustomer(i)).Error
}
