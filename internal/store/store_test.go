package store_test

import (
	"errors"
	"log/slog"
	"os"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

func TestMigratingAgainChangesNothing(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		if err := db.Exec("UPDATE notify_revision SET revision = 41").Error; err != nil {
			t.Fatal(err)
		}
		if err := store.Migrate(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		var revision int64
		if err := db.Raw("SELECT revision FROM notify_revision").Scan(&revision).Error; err != nil || revision != 41 {
			t.Fatalf("revision %d after a second migration, error %v", revision, err)
		}
	})
}

func TestSeveralProcessesMayMigrateAFreshDatabaseAtOnce(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]func(testing.TB) string{"SQLite": testdb.SQLiteURL, "Postgres": testdb.PostgresURL} {
		t.Run("on "+name, func(t *testing.T) {
			t.Parallel()
			address := url(t)
			results := make(chan error)
			const processes = 6
			for range processes {
				go func() {
					db, err := store.Open(address, slog.New(slog.DiscardHandler))
					if err == nil {
						err = errors.Join(store.Migrate(t.Context(), db), store.Close(db))
					}
					results <- err
				}()
			}
			for range processes {
				if err := <-results; err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestTablesThatAreNotUpToDateAreTold(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]func(testing.TB) string{"SQLite": testdb.SQLiteURL, "Postgres": testdb.PostgresURL} {
		t.Run("on "+name, func(t *testing.T) {
			t.Parallel()
			db, err := store.Open(url(t), slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = store.Close(db) })
			if err := store.CheckTables(t.Context(), db); !errors.Is(err, store.ErrTablesOld) || db.Migrator().HasTable("notify_migrations") {
				t.Errorf("an empty database: error %v", err)
			}
			if err := store.Migrate(t.Context(), db); err != nil {
				t.Fatal(err)
			}
			if err := store.CheckTables(t.Context(), db); err != nil {
				t.Errorf("an up-to-date database: %v", err)
			}
			if err := db.Exec("DELETE FROM notify_migrations WHERE version_id > 1").Error; err != nil {
				t.Fatal(err)
			}
			if err := store.CheckTables(t.Context(), db); !errors.Is(err, store.ErrTablesOld) {
				t.Errorf("an older database: error %v", err)
			}
		})
	}
}
