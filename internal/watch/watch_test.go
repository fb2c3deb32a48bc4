package watch_test

import (
	"context"
	"os"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/internal/watch"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// insert makes a rule without counting the revision.
func insert(t *testing.T, db *gorm.DB, id, model string, trigger rule.Trigger) {
	t.Helper()
	now := time.Now().UTC()
	must(t, db.Exec(`INSERT INTO notify_notifications (id, title, message, active, channel, model, trigger_name,
		recipients, definition, version, created_at, updated_at)
		VALUES (?, '', '', true, 'email', ?, ?, '[]', '{}', 1, ?, ?)`, id, model, trigger, now, now).Error)
}

func bump(t *testing.T, db *gorm.DB) {
	t.Helper()
	must(t, db.Exec("UPDATE notify_revision SET revision = revision + 1").Error)
}

func TestAListSaysWhichActionsAreWatched(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		insert(t, db, "a", "orders", rule.OnNew)
		insert(t, db, "b", "orders", rule.OnValueChange)
		insert(t, db, "c", "invoices", rule.DaysBefore)
		w := watch.New(db)
		must(t, w.Refresh(t.Context()))
		list, err := w.Current(db)
		must(t, err)
		for _, c := range []struct {
			model  string
			action rule.Action
			want   bool
		}{
			{"orders", rule.Create, true}, {"orders", rule.Update, true}, {"orders", rule.Delete, false},
			{"invoices", rule.Update, false}, {"customers", rule.Create, false},
		} {
			if got := list.Watches(c.model, c.action); got != c.want {
				t.Errorf("%s of %s watched: %v, want %v", c.action, c.model, got, c.want)
			}
		}
	})
}

func TestARunningWatchSeesWhatOthersSave(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		w := watch.New(db)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { w.Run(ctx); close(ended) }()
		insert(t, db, "a", "orders", rule.OnNew)
		bump(t, db)
		deadline := time.Now().Add(5 * time.Second)
		for {
			list, err := w.Current(db)
			must(t, err)
			if list.Watches("orders", rule.Create) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("the rule is not seen")
			}
			time.Sleep(5 * time.Millisecond)
		}
		cancel()
		<-ended
	})
}

func TestWhatATransactionSeesIsNotKeptForOthers(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		w := watch.New(db) // it has not read yet, so that the first Current reads for itself
		tx := db.Begin()
		insert(t, tx, "a", "orders", rule.OnNew)
		bump(t, tx)
		list, err := w.Current(tx)
		must(t, err)
		if !list.Watches("orders", rule.Create) {
			t.Fatal("the transaction does not see its own rule")
		}
		must(t, tx.Rollback().Error)
		insert(t, db, "b", "invoices", rule.OnNew)
		bump(t, db) // to the very revision that was rolled back
		must(t, w.Refresh(t.Context()))
		list, err = w.Current(db)
		must(t, err)
		if list.Watches("orders", rule.Create) || !list.Watches("invoices", rule.Create) {
			t.Fatal("the rule that was rolled back is watched instead of the one that was committed")
		}
	})
}
