package notify_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/notify"
)

// Invoice is a model of an application.
type Invoice struct {
	ID     uint
	Number string
	Total  string `gorm:"type:decimal(10,2)"`
	Note   string `notify:"-"` // in no snapshot
}

func Example() {
	folder, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	// Any *gorm.DB on SQLite or Postgres will do.
	db, err := store.Open("sqlite://"+filepath.Join(folder, "shop.db"), slog.Default())
	if err != nil {
		panic(err)
	}
	defer func() { _ = store.Close(db) }()
	if err := db.AutoMigrate(&Invoice{}); err != nil {
		panic(err)
	}

	plugin := notify.New(notify.Options{})
	if err := db.Use(plugin); err != nil {
		panic(err)
	}
	defer func() { _ = plugin.Close() }()
	if err := plugin.Register(&Invoice{}); err != nil {
		panic(err)
	}

	// From here on the application saves as ever: where an active notification waits for it, the change is an event.
	err = db.Transaction(func(tx *gorm.DB) error {
		return tx.Create(&Invoice{Number: "2026-1", Total: "99.00"}).Error
	})
	fmt.Println("saved:", err == nil)

	// A bulk load that nobody should hear of:
	quiet := db.WithContext(notify.Skip(context.Background()))
	fmt.Println("loaded:", quiet.Create(&[]Invoice{{Number: "2025-1"}, {Number: "2025-2"}}).RowsAffected)
	// Output:
	// saved: true
	// loaded: 2
}
