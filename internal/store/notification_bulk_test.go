package store_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/audit"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func copied(title string) string { return "Copy of " + title }

// all lists what is there, newest first, the active ones with a plus.
func all(t *testing.T, s store.Notifications) string {
	t.Helper()
	page, err := s.List(t.Context(), store.NotificationFilter{}, store.Paging{})
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, n := range page.Items {
		if n.Active {
			n.Title += "+"
		}
		said = append(said, n.Title)
	}
	return strings.Join(said, " ")
}

func TestWhatIsDoneToManyIsDoneInOneChangeAndCanBeTakenBack(t *testing.T) {
	t.Parallel()
	no := false
	tests := []struct {
		name    string
		what    store.Bulk
		of      func(ids []string) store.Selection
		changed int
		then    string
	}{
		{"activate chosen", store.BulkActivate, func(ids []string) store.Selection { return store.Selection{IDs: append(ids[:2], ids[0], "none")} }, 1, "c b+ a+"},
		{"deactivate all", store.BulkDeactivate, func([]string) store.Selection { return store.Selection{Matching: &store.NotificationFilter{}} }, 1, "c b a"},
		{"activate what matches", store.BulkActivate, func([]string) store.Selection {
			return store.Selection{Matching: &store.NotificationFilter{Active: &no}}
		}, 2, "c+ b+ a+"},
		{"duplicate what matches", store.BulkDuplicate, func([]string) store.Selection { return store.Selection{Matching: &store.NotificationFilter{}} }, 3, "Copy of c Copy of b Copy of a c b a+"},
		{"delete chosen", store.BulkDelete, func(ids []string) store.Selection { return store.Selection{IDs: []string{ids[0], ids[2]}} }, 2, "b"},
		{"delete what matches", store.BulkDelete, func([]string) store.Selection {
			return store.Selection{Matching: &store.NotificationFilter{Search: "c"}}
		}, 1, "b a+"},
		{"nothing", store.BulkDelete, func([]string) store.Selection { return store.Selection{IDs: []string{"none"}} }, 0, "c b a+"},
		{"something unknown", "paint", func(ids []string) store.Selection { return store.Selection{IDs: ids} }, 0, "c b a+"},
	}
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := store.Notifications{DB: db}
		var ids []string
		for i, title := range []string{"a", "b", "c"} {
			n := create(t, s, func(n *rule.Notification) {
				n.Title, n.Active, n.Message, n.Recipients = title, i == 0, "", []rule.Recipient{{Address: "x@y.zz"}}
			})
			ids = append(ids, n.ID)
		}
		for _, test := range tests {
			before := revision(t, s)
			done, err := s.Bulk(t.Context(), test.what, test.of(append([]string{}, ids...)), copied, "ann")
			if err != nil || done.Changed != test.changed || all(t, s) != test.then {
				t.Errorf("%s: %+v with %q, want %d with %q; %v", test.name, done, all(t, s), test.changed, test.then, err)
			}
			if moved := revision(t, s) - before; moved != int64(min(1, test.changed)) || (done.Revision == before+1) != (test.changed > 0) {
				t.Errorf("%s: the revision moved by %d to %d", test.name, moved, done.Revision)
			}
			if test.changed == 0 {
				continue
			}
			back, err := s.Undo(t.Context(), done.Revision, "ann")
			if err != nil || back.Changed != test.changed || all(t, s) != "c b a+" {
				t.Errorf("%s taken back: %+v with %q; %v", test.name, back, all(t, s), err)
			}
			if again, err := s.Undo(t.Context(), done.Revision, "ann"); err != nil || again.Changed != 0 {
				t.Errorf("%s taken back twice: %+v, %v", test.name, again, err)
			}
			if redone, err := s.Undo(t.Context(), back.Revision, "ann"); err != nil || redone.Changed != test.changed || all(t, s) != test.then {
				t.Errorf("%s: the taking back taken back: %+v with %q, want %q; %v", test.name, redone, all(t, s), test.then, err)
			} else if _, err := s.Undo(t.Context(), redone.Revision, "ann"); err != nil || all(t, s) != "c b a+" {
				t.Errorf("%s: back again: %q, %v", test.name, all(t, s), err)
			}
		}
	})
}

func TestAnUndoLeavesAloneWhatHasChangedSince(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := store.Notifications{DB: db}
		a, b := create(t, s, func(n *rule.Notification) { n.Title = "a" }), create(t, s, func(n *rule.Notification) { n.Title = "b" })
		done, err := s.Bulk(t.Context(), store.BulkDeactivate, store.Selection{IDs: []string{a.ID, b.ID}}, copied, "ann")
		if err != nil {
			t.Fatal(err)
		}
		a.Title, a.Active = "mine", false
		if err := s.Update(t.Context(), a, "ben"); err != nil {
			t.Fatal(err)
		}
		back, err := s.Undo(t.Context(), done.Revision, "ann")
		if err != nil || back.Changed != 1 || all(t, s) != "b+ mine" {
			t.Errorf("%+v with %q, %v", back, all(t, s), err)
		}
		if back, err := s.Undo(t.Context(), revision(t, s)-1, "ben"); err != nil || back.Changed != 1 || all(t, s) != "b+ a" {
			t.Errorf("a change of one taken back: %+v with %q, %v", back, all(t, s), err)
		}
	})
}

func TestMoreThanOneStatementsWorthIsDoneWithTheHistoryOfEach(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		shelf(t, db, 450)
		s := store.Notifications{DB: db}
		done, err := s.Bulk(t.Context(), store.BulkDelete, store.Selection{Matching: &store.NotificationFilter{}}, copied, "ben")
		if err != nil || done.Changed != 450 || all(t, s) != "" {
			t.Fatalf("%+v, %v", done, err)
		}
		var versions, open int64
		db.Raw("SELECT COUNT(*) FROM notify_notification_versions WHERE change = 'deleted' AND changed_by = 'ben' AND revision_to IS NULL").Scan(&versions)
		db.Raw("SELECT COUNT(*) FROM notify_notification_versions WHERE revision_to IS NULL").Scan(&open)
		records, _, err := audit.List(t.Context(), db, audit.Filter{Action: "notification.deleted"}, "", 500)
		if versions != 450 || open != 450 || err != nil || len(records) != 450 {
			t.Errorf("%d versions of %d open, %d entries in the audit log, %v", versions, open, len(records), err)
		}
		if len(inForce(t, s, done.Revision)) != 0 || len(inForce(t, s, done.Revision-1)) != 1 {
			t.Error("the rules in force do not follow")
		}
	})
}

func TestADeletedNotificationComesBackWithItsHistory(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := store.Notifications{DB: db}
		n := create(t, s, func(n *rule.Notification) { n.Title = "a" })
		if _, err := s.Restore(t.Context(), n.ID, "ann"); !errors.Is(err, store.ErrNotDeleted) {
			t.Errorf("what is there: %v", err)
		}
		if _, err := s.Restore(t.Context(), "none", "ann"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("what never was: %v", err)
		}
		if err := s.Delete(t.Context(), n.ID, "ann"); err != nil {
			t.Fatal(err)
		}
		back, err := s.Restore(t.Context(), n.ID, "ben")
		if err != nil || back.ID != n.ID || back.Version != 3 || !back.Active || !back.ActiveSince.After(n.ActiveSince) || !back.CreatedAt.Equal(n.CreatedAt) {
			t.Fatalf("%+v, %v", back, err)
		}
		versions, err := s.Versions(t.Context(), n.ID, 0, 9)
		if err != nil || len(versions) != 3 || versions[0].Change != store.Restored || versions[0].ChangedBy != "ben" || all(t, s) != "a+" {
			t.Errorf("%+v, %v", versions, err)
		}
		if got := inForce(t, s, revision(t, s)); len(got) != 1 {
			t.Errorf("in force: %q", got)
		}
	})
}

func TestAnEarlierVersionIsRestoredAsActiveAsItIsNow(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := store.Notifications{DB: db}
		n := create(t, s, func(n *rule.Notification) { n.Title = "first" })
		n.Title, n.Active = "second", false
		if err := s.Update(t.Context(), n, "ann"); err != nil {
			t.Fatal(err)
		}
		restore := func(version int64) (*rule.Notification, error) {
			v, err := s.Version(t.Context(), n.ID, version)
			if err != nil {
				return nil, err
			}
			return v.Notification, s.RestoreVersion(t.Context(), v.Notification, "ben")
		}
		if back, err := restore(1); err != nil || back.Version != 3 || all(t, s) != "first" {
			t.Errorf("%+v with %q, %v", back, all(t, s), err)
		}
		if _, err := s.SetActive(t.Context(), []string{n.ID}, true, "ann"); err != nil {
			t.Fatal(err)
		}
		if _, err := restore(2); err != nil || all(t, s) != "second+" {
			t.Errorf("%q, %v", all(t, s), err)
		}
		if err := s.Delete(t.Context(), n.ID, "ann"); err != nil {
			t.Fatal(err)
		}
		if back, err := restore(1); err != nil || back.Version != 7 || all(t, s) != "first" {
			t.Errorf("after the deletion: %+v with %q, %v", back, all(t, s), err)
		}
		if _, err := restore(99); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a version that never was: %v", err)
		}
	})
}

func TestAnUpdateThatKeepsActiveNeverUndoesADeactivation(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := store.Notifications{DB: db}
		for range 10 {
			n := create(t, s, func(n *rule.Notification) { n.Title = "a" })
			var group sync.WaitGroup
			group.Go(func() {
				changed := sample(func(c *rule.Notification) { c.ID, c.Title = n.ID, "b" })
				if err := s.Replace(t.Context(), changed, store.Replacing{KeepActive: true}, "ann"); err != nil {
					t.Error(err)
				}
			})
			group.Go(func() {
				if _, err := s.SetActive(t.Context(), []string{n.ID}, false, "ben"); err != nil {
					t.Error(err)
				}
			})
			group.Wait()
			if after, err := s.Get(t.Context(), n.ID); err != nil || after.Active || after.Title != "b" {
				t.Fatalf("%+v, %v", after, err)
			}
		}
	})
}

func TestAListThatANotificationNamesIsNeverDeleted(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s, l := store.Notifications{DB: db}, store.Lists{DB: db}
		for i := range 10 {
			list := &store.List{Name: fmt.Sprint(i)}
			if err := l.Create(t.Context(), list, "ann"); err != nil {
				t.Fatal(err)
			}
			n := sample(func(n *rule.Notification) { n.Recipients = []rule.Recipient{{Address: "x@y.zz"}, {ListID: list.ID}} })
			var saved, deleted error
			var group sync.WaitGroup
			group.Go(func() { saved = s.Create(t.Context(), n, "ann") })
			group.Go(func() { deleted = l.Delete(t.Context(), list.ID, "ben") })
			group.Wait()
			var gone *store.NoListError
			switch {
			case saved == nil && errors.Is(deleted, store.ErrListInUse):
			case deleted == nil && errors.As(saved, &gone) && gone.Recipient == 1:
			default:
				t.Errorf("saved: %v; deleted: %v", saved, deleted)
			}
		}
		if err := l.Delete(t.Context(), "none", "ann"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a list that is not there: %v", err)
		}
	})
}
