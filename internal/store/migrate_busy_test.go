package store_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// TestAMigrationLetsAWorkerOfBeforeEndItsAttempt has a transaction of an earlier version under way when the migration
// begins: it has written a delivery, and comes to its attempt when the migration waits. It must get there at once.
func TestAMigrationLetsAWorkerOfBeforeEndItsAttempt(t *testing.T) {
	t.Parallel()
	migrated, wrote := whileMigrating(t, "DELETE FROM notify_deliveries", "LOCK TABLE notify_attempts IN ROW EXCLUSIVE MODE NOWAIT")
	if wrote != nil {
		t.Errorf("the worker's attempt was not written down: %v", wrote)
	}
	if migrated != nil {
		t.Errorf("the migration ended with %v", migrated)
	}
}

// TestAMigrationThatMeetsADeadlockIsTriedAgain has another order of tables than ours meet the migration: one of the two is
// given up, whichever it is.
func TestAMigrationThatMeetsADeadlockIsTriedAgain(t *testing.T) {
	t.Parallel()
	migrated, wrote := whileMigrating(t, "DELETE FROM notify_attempts", "DELETE FROM notify_deliveries")
	if migrated != nil {
		t.Errorf("the migration ended with %v (the other with %v)", migrated, wrote)
	}
}

// whileMigrating migrates from the version before the suppressions on, beside a transaction that runs the first
// statement before, and the second as soon as the migration waits for it.
func whileMigrating(t *testing.T, first, second string) (migrated, wrote error) {
	t.Helper()
	db, err := store.Open(testdb.PostgresURL(t), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close(db) })
	provider, err := store.MigrationProvider(db)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	wrote = db.Transaction(func(tx *gorm.DB) error {
		if err := tx.Exec(first).Error; err != nil {
			return err
		}
		ctx := context.WithoutCancel(t.Context())
		go func() { done <- store.Migrate(ctx, db) }()
		untilSomebodyWaits(t, db)
		return tx.Exec(second).Error
	})
	return <-done, wrote
}

func untilSomebodyWaits(t *testing.T, db *gorm.DB) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		var waiting int64
		err := db.Raw(`SELECT COUNT(*) FROM pg_locks JOIN pg_class ON pg_class.oid = relation
			WHERE NOT granted AND relname LIKE 'notify_%' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&waiting).Error
		if err != nil {
			t.Fatal(err)
		}
		if waiting > 0 {
			return
		}
	}
	t.Error("the migration waits for nobody")
}
