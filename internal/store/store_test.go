package store_test

import (
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
