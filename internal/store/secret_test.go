package store_test

import (
	"bytes"
	"sync"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestAllWhoAskForAKeyGetTheSame(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		secrets := store.Secrets{DB: db}
		keys := make([][]byte, 8)
		var asking sync.WaitGroup
		for i := range keys {
			asking.Go(func() {
				key, err := secrets.Get(t.Context(), "unsubscribe")
				if err != nil {
					t.Error(err)
				}
				keys[i] = key
			})
		}
		asking.Wait()
		for _, key := range keys {
			if len(key) != 32 || !bytes.Equal(key, keys[0]) {
				t.Fatalf("keys of %d bytes that differ", len(key))
			}
		}
		if other, err := secrets.Get(t.Context(), "something else"); err != nil || bytes.Equal(other, keys[0]) {
			t.Errorf("the key for something else is the same, or %v", err)
		}
	})
}

func TestAKeyThatIsNoneIsNotUsed(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	if err := db.Exec("INSERT INTO notify_secrets VALUES ('unsubscribe', 'short', CURRENT_TIMESTAMP)").Error; err != nil {
		t.Fatal(err)
	}
	if key, err := (store.Secrets{DB: db}).Get(t.Context(), "unsubscribe"); err == nil {
		t.Errorf("a key of %d bytes", len(key))
	}
}
