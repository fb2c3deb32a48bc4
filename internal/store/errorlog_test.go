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
		first, err := s.Resolve(t.Context(), entry.ID)
		if err != nil || !first.Resolved || first.ResolvedAt == nil || time.Since(*first.ResolvedAt) > time.Minute {
			t.Fatalf("resolved: %+v, error %v", first, err)
		}
		second, err := s.Resolve(t.Context(), entry.ID)
		if err != nil || !second.ResolvedAt.Equal(*first.ResolvedAt) {
			t.Errorf("resolved again: %+v, error %v", second, err)
		}
		if string(second.Context) != `{"class":"temporary"}` || second.Attempt != 3 {
			t.Errorf("the entry is now %+v", second)
		}
		if _, err := s.Resolve(t.Context(), "none"); !errors.Is(err, store.ErrNotFound) {
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
		if _, err := s.Resolve(t.Context(), other.ID); err != nil {
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
