package store_test

import (
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestADatabaseOnPostgresTellsItsOwnTime(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{3 * time.Hour, -3 * time.Hour, 0} {
		t.Run(ahead.String(), func(t *testing.T) {
			t.Parallel()
			db := testdb.Open(t, testdb.PostgresURLWithClock(t, ahead))
			if off := time.Until(db.NowFunc()) - ahead; off.Abs() > time.Minute {
				t.Errorf("it is %s off, want %s", off+ahead, ahead)
			}
		})
	}
	t.Run("on SQLite it is the machine's", func(t *testing.T) {
		t.Parallel()
		db := testdb.SQLite(t)
		if off := time.Until(db.NowFunc()); off.Abs() > time.Minute {
			t.Errorf("it is %s off", off)
		}
	})
}
