package store_test

import (
	"errors"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func record(t *testing.T, db *gorm.DB, entries ...*store.ErrorEntry) {
	t.Helper()
	if err := (store.Errors{}).RecordTx(db, entries...); err != nil {
		t.Fatal(err)
	}
}

func TestTheSameFailureRecordedTwiceIsOneEntry(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		record(t, db, &store.ErrorEntry{Code: "A", DedupKey: "send:1"})
		record(t, db, &store.ErrorEntry{Code: "B", DedupKey: "send:1"}, &store.ErrorEntry{Code: "C"}, &store.ErrorEntry{Code: "C"})
		record(t, db)
		page, err := store.Errors{DB: db}.List(t.Context(), store.ErrorFilter{}, store.Paging{})
		if err != nil || len(page.Items) != 3 {
			t.Fatalf("%d entries, error %v", len(page.Items), err)
		}
		for i, code := range []string{"C", "C", "A"} {
			if page.Items[i].Code != code {
				t.Errorf("entry %d is %s, want %s", i, page.Items[i].Code, code)
			}
		}
	})
}

func TestResolvingAnEntryIsKeptAndRepeatable(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := store.Errors{DB: db}
		entry := &store.ErrorEntry{Code: "A", Context: outbox.Snapshot(`{"class":"temporary"}`), Attempt: 3}
		record(t, db, entry)
		first, err := s.Resolve(t.Context(), entry.ID, "ann")
		if err != nil || !first.Resolved || first.ResolvedAt == nil || time.Since(*first.ResolvedAt) > time.Minute {
			t.Fatalf("resolved: %+v, error %v", first, err)
		}
		second, err := s.Resolve(t.Context(), entry.ID, "ann")
		if err != nil || !second.ResolvedAt.Equal(*first.ResolvedAt) {
			t.Errorf("resolved again: %+v, error %v", second, err)
		}
		if string(second.Context) != `{"class":"temporary"}` || second.Attempt != 3 {
			t.Errorf("the entry is now %+v", second)
		}
		if _, err := s.Resolve(t.Context(), "none", "ann"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("resolving nothing gives %v", err)
		}
	})
}

func TestTheErrorLogIsFilteredByEachField(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := store.Errors{DB: db}
		other := &store.ErrorEntry{Code: "A", Source: "send", EventID: "e1", DeliveryID: "d1", NotificationID: "n1"}
		wanted := &store.ErrorEntry{Code: "B", Source: "resolve", EventID: "e2", DeliveryID: "d2", NotificationID: "n2"}
		record(t, db, other, wanted)
		if _, err := s.Resolve(t.Context(), other.ID, "ann"); err != nil {
			t.Fatal(err)
		}
		for name, filter := range map[string]store.ErrorFilter{
			"code": {Code: "B"}, "source": {Source: "resolve"}, "event": {EventID: "e2"}, "delivery": {DeliveryID: "d2"},
			"notification": {NotificationID: "n2"}, "not resolved": {Resolved: &no}, "both": {Code: "B", Resolved: &no},
		} {
			page, err := s.List(t.Context(), filter, store.Paging{})
			if err != nil || len(page.Items) != 1 || page.Items[0].ID != wanted.ID {
				t.Errorf("by %s: %v, error %v", name, page.Items, err)
			}
		}
		page, err := s.List(t.Context(), store.ErrorFilter{Resolved: &yes}, store.Paging{})
		if err != nil || len(page.Items) != 1 || page.Items[0].ID != other.ID {
			t.Errorf("by resolved: %v, error %v", page.Items, err)
		}
	})
}

func TestErrorsAreGroupedByCodeAndNotificationAndResolvedAsOne(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := store.Errors{DB: db}
		entries := []*store.ErrorEntry{
			{Code: "A", NotificationID: "n1", DeliveryID: "d1", Message: "first"}, {Code: "B", Message: "of none"},
			{Code: "A", NotificationID: "n2", Message: "another's"}, {Code: "A", NotificationID: "n1", DeliveryID: "d1", Message: "100% the newest"},
		}
		for _, e := range entries {
			if err := s.RecordTx(db, e); err != nil {
				t.Fatal(err)
			}
		}
		groups, more, err := s.Groups(t.Context())
		if err != nil || more || len(groups) != 3 {
			t.Fatalf("%+v %v %v", groups, more, err)
		}
		g := groups[0]
		if g.Code != "A" || g.NotificationID != "n1" || g.Count != 2 || g.Newest != "100% the newest" || g.First.After(g.Last) || g.First.IsZero() {
			t.Errorf("the first group is %+v", g)
		}
		f, at := store.ErrorFilter{Code: "A", NotificationID: "n1"}, time.Now().UTC().Truncate(time.Microsecond)
		if ids, err := s.DeliveriesOf(t.Context(), f, 10); err != nil || len(ids) != 1 || ids[0] != "d1" {
			t.Errorf("hit %v %v", ids, err)
		}
		if n, err := s.ResolveTx(db, f, entries[0].ID, at, 100); err != nil || n != 1 {
			t.Errorf("what nobody has seen is resolved too: %d %v", n, err)
		}
		if n, err := s.ResolveTx(db, f, "", at, 100); err != nil || n != 1 {
			t.Errorf("resolved %d %v", n, err)
		}
		if groups, _, _ := s.Groups(t.Context()); len(groups) != 2 {
			t.Errorf("%+v", groups)
		}
		if n, err := s.ReopenTx(db, at, 100); err != nil || n != 2 {
			t.Errorf("reopened %d %v", n, err)
		}
		if got, err := s.Get(t.Context(), entries[0].ID); err != nil || got.Resolved || got.ResolvedAt != nil {
			t.Errorf("%+v %v", got, err)
		}
		found, err := s.Search(t.Context(), store.ErrorFilter{NoNotification: true, Text: "OF N"}, store.Paging{})
		if err != nil || len(found.Items) != 1 || found.Items[0].Code != "B" {
			t.Errorf("%+v %v", found.Items, err)
		}
		if found, err = s.Search(t.Context(), store.ErrorFilter{Text: "100%"}, store.Paging{}); err != nil || len(found.Items) != 1 {
			t.Errorf("LIKE's own characters have their meaning: %d %v", len(found.Items), err)
		}
	})
}
