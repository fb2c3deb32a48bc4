package store_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// carried imports a notification with this title from the source "app:1", its title being its digest.
func carried(t *testing.T, db *gorm.DB, title string, want store.ImportState) (*rule.Notification, store.ImportStanding) {
	t.Helper()
	n := sample(func(n *rule.Notification) { n.Title = title })
	standing, err := store.Imports{DB: db}.Carry(t.Context(), "app:1", title, n, "import")
	if err != nil || standing.State != want {
		t.Fatalf("importing %q: state %q, error %v; want %q", title, standing.State, err, want)
	}
	return n, standing
}

func titleOf(t *testing.T, db *gorm.DB, id string) string {
	t.Helper()
	n, err := store.Notifications{DB: db}.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return n.Title
}

func TestARepeatedImportFindsWhatItHasImported(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := store.Notifications{DB: db}
		first, standing := carried(t, db, "as it was", store.ImportNew)
		if first.ID == "" || standing.NotificationID != first.ID || first.Version != 1 {
			t.Errorf("it has the ID %q and version %d, told was %q", first.ID, first.Version, standing.NotificationID)
		}
		before := revision(t, s)
		if _, again := carried(t, db, "as it was", store.ImportKept); again.NotificationID != first.ID {
			t.Errorf("the repeated import found %q, want %q", again.NotificationID, first.ID)
		}
		if after := revision(t, s); after != before {
			t.Errorf("revision %d after an import without effect, want %d", after, before)
		}
		second, _ := carried(t, db, "changed there", store.ImportStale)
		if second.ID != first.ID || second.Version != 2 || titleOf(t, db, first.ID) != "changed there" {
			t.Errorf("after a change there: ID %s, version %d, title %q", second.ID, second.Version, titleOf(t, db, first.ID))
		}
		carried(t, db, "changed there", store.ImportKept)
		carried(t, db, "changed there again", store.ImportStale)
	})
}

func TestAnImportLeavesAloneWhatWasChangedOrDeletedHere(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := store.Notifications{DB: db}
		n, _ := carried(t, db, "as it was", store.ImportNew)
		n.Title = "changed here"
		if err := s.Update(t.Context(), n, "ann"); err != nil {
			t.Fatal(err)
		}
		carried(t, db, "as it was", store.ImportKept)
		carried(t, db, "changed there", store.ImportDiverged)
		if got := titleOf(t, db, n.ID); got != "changed here" {
			t.Errorf("the title is %q", got)
		}
		if err := s.Delete(t.Context(), n.ID, "ann"); err != nil {
			t.Fatal(err)
		}
		carried(t, db, "as it was", store.ImportDeleted)
		carried(t, db, "changed there", store.ImportDeletedStale)
		page, err := s.List(t.Context(), store.NotificationFilter{}, store.Paging{})
		if err != nil || len(page.Items) != 0 {
			t.Errorf("%d notifications, error %v: it came back", len(page.Items), err)
		}
	})
}

func TestAnImportKeepsTheTimesThatItIsGiven(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		made := time.Date(2025, 3, 1, 11, 30, 0, 123456000, time.FixedZone("", 3600))
		changed := made.Add(48 * time.Hour)
		for source, times := range map[string][2]time.Time{"app:1": {made, changed}, "app:2": {}} {
			began := time.Now().UTC().Truncate(time.Microsecond)
			n := sample(func(n *rule.Notification) { n.CreatedAt, n.UpdatedAt = times[0], times[1] })
			if _, err := (store.Imports{DB: db}).Carry(t.Context(), source, "d", n, "import"); err != nil {
				t.Fatal(err)
			}
			got, err := store.Notifications{DB: db}.Get(t.Context(), n.ID)
			if err != nil {
				t.Fatal(err)
			}
			if source == "app:1" && (!got.CreatedAt.Equal(made) || !got.UpdatedAt.Equal(changed)) ||
				source == "app:2" && (got.CreatedAt.Before(began) || got.UpdatedAt.Before(began)) {
				t.Errorf("%s: created %v, updated %v", source, got.CreatedAt, got.UpdatedAt)
			}
			if got.ActiveSince.Before(began) {
				t.Errorf("%s: active since %v, before it was here: old dates would fire", source, got.ActiveSince)
			}
		}
	})
}

func TestAnImportedNotificationIsInForceFromItsRevisionOn(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := store.Notifications{DB: db}
		before := revision(t, s)
		carried(t, db, "first", store.ImportNew)
		between := revision(t, s)
		carried(t, db, "second", store.ImportStale)
		for at, want := range map[int64]string{before: "", between: "first", revision(t, s): "second"} {
			got := inForce(t, s, at)
			if want == "" && len(got) != 0 || want != "" && (len(got) != 1 || got[0] != want) {
				t.Errorf("at revision %d these are in force: %q, want %q", at, got, want)
			}
		}
	})
}

func TestImportsAtTheSameMomentMakeOneNotification(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		var imports sync.WaitGroup
		for range 6 {
			imports.Go(func() {
				if _, err := (store.Imports{DB: db}).Carry(t.Context(), "app:1", "d", sample(nil), "import"); err != nil {
					t.Error(err)
				}
			})
		}
		imports.Wait()
		page, err := store.Notifications{DB: db}.List(t.Context(), store.NotificationFilter{}, store.Paging{})
		if err != nil || len(page.Items) != 1 {
			t.Errorf("%d notifications, error %v; want 1", len(page.Items), err)
		}
	})
}

func TestAnImportThatComesSecondHasNothingToDo(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s, once := store.Notifications{DB: db}, false
		before := revision(t, s)
		// Another import comes between the first look and the transaction.
		err := db.Callback().Query().After("gorm:query").Register("test:between", func(tx *gorm.DB) {
			if tx.Statement.Table != "notify_imports" || once {
				return
			}
			once = true
			carried(t, db, "first", store.ImportNew)
		})
		if err != nil {
			t.Fatal(err)
		}
		carried(t, db, "first", store.ImportKept)
		if after := revision(t, s); after != before+1 || !once {
			t.Errorf("revision %d, want %d", after, before+1)
		}
	})
}

func TestAnImportThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		if err := db.Exec("DROP TABLE notify_notification_versions").Error; err != nil {
			t.Fatal(err)
		}
		s := store.Imports{DB: db}
		if _, err := s.Carry(t.Context(), "app:1", "d", sample(nil), "import"); err == nil {
			t.Fatal("no error without the table of versions")
		}
		if standing, err := s.Standing(t.Context(), "app:1", "d"); err != nil || standing.State != store.ImportNew {
			t.Errorf("state %q, error %v; want it to be imported the next time", standing.State, err)
		}
	})
}

func TestAnImportReadsNoWholeTable(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		plans := testdb.Plans(t, db, func(db *gorm.DB) error {
			for _, digest := range []string{"first", "second", "second"} {
				if _, err := (store.Imports{DB: db}).Carry(context.Background(), "app:1", digest, sample(nil), "import"); err != nil {
					return err
				}
			}
			return nil
		})
		for _, plan := range plans {
			if plan.WholeTable(false) {
				t.Errorf("this reads the whole table:\n%s\n%s", plan.Statement, plan.Text)
			}
		}
	})
}
