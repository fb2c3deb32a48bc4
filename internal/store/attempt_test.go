package store_test

import (
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestManyAttemptsEndAndBeginInOneCommit(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s, now := store.Deliveries{DB: db}, time.Now().UTC().Truncate(time.Millisecond)
		past := now.Add(-time.Hour)
		fresh, sent, old, again := planned(nil), planned(nil), planned(nil), planned(nil)
		sent.Status = store.DeliverySent
		old.ValidUntil = &past
		again.RetryEventID, again.Attempts = "retry-1", 2
		insert(t, db, fresh, sent, old, again)

		begun, err := s.Advance(t.Context(), nil, []store.Begin{
			{ID: fresh.ID}, {ID: sent.ID}, {ID: old.ID}, {ID: again.ID, RetryEventID: "retry-1"}, {ID: again.ID, RetryEventID: "retry-0"},
		}, now)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []int{1, 0, 0, 3, 0} {
			if begun[i].Attempt != want {
				t.Errorf("begin %d gave attempt %d, want %d", i, begun[i].Attempt, want)
			}
		}
		if !begun[1].Before.Taken() || begun[2].Before.Status != store.DeliverySuppressed || begun[0].Before.Status != store.DeliveryPending ||
			begun[0].Before.Attempts != 0 || begun[0].Before.BodyText != fresh.BodyText {
			t.Errorf("before: %+v", begun)
		}
		logged, err := store.Errors{DB: db}.List(t.Context(), store.ErrorFilter{DeliveryID: old.ID}, store.Paging{})
		if err != nil || len(logged.Items) != 1 || logged.Items[0].Code != "DELIVERY_EXPIRED" || logged.Items[0].EventID != old.EventID ||
			!strings.Contains(logged.Items[0].Message, "1h0m0s later") {
			t.Errorf("what came too late is in the error log as %+v, %v", logged.Items, err)
		}

		ended := []store.Ended{
			{Attempt: store.Attempt{DeliveryID: fresh.ID, Number: 1, Outcome: "sent", StartedAt: now, FinishedAt: now}, Status: store.DeliverySent, ProviderID: "p1"},
			{Attempt: store.Attempt{DeliveryID: again.ID, Number: 3, Outcome: "temporary", Code: "smtp_451", StartedAt: now, FinishedAt: now}, Status: store.DeliveryPending},
		}
		for range 2 { // ending twice is the same as once
			if _, err := s.Advance(t.Context(), ended, nil, now); err != nil {
				t.Fatal(err)
			}
		}
		for id, want := range map[string]store.Delivery{
			fresh.ID: {Status: store.DeliverySent, Attempts: 1, ProviderID: "p1"},
			again.ID: {Status: store.DeliveryPending, Attempts: 3, ErrorCode: "smtp_451"},
		} {
			d, err := s.Get(t.Context(), id)
			if err != nil || d.Status != want.Status || d.Attempts != want.Attempts || d.ProviderID != want.ProviderID || d.ErrorCode != want.ErrorCode {
				t.Errorf("delivery %+v, %v; want %+v", d, err, want)
			}
			tries, err := s.Attempts(t.Context(), id)
			if err != nil || tries[len(tries)-1].Number != want.Attempts {
				t.Errorf("attempts %+v, %v", tries, err)
			}
		}
		if d, _ := s.Get(t.Context(), fresh.ID); d.SentAt == nil || !d.SentAt.Equal(now) {
			t.Errorf("sent at %v, want %s", d.SentAt, now)
		}
	})
}

func TestAnAttemptThatIsGivenBackWasNone(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s, now := store.Deliveries{DB: db}, time.Now().UTC()
		kept, gone := planned(nil), planned(nil)
		insert(t, db, kept, gone)
		if _, err := s.Advance(t.Context(), nil, []store.Begin{{ID: kept.ID}, {ID: gone.ID}}, now); err != nil {
			t.Fatal(err)
		}
		if err := s.Finish(t.Context(), store.Attempt{DeliveryID: gone.ID, Number: 1, Outcome: "sent", StartedAt: now, FinishedAt: now}, store.DeliverySent, "p"); err != nil {
			t.Fatal(err)
		}
		back := []store.Attempt{{DeliveryID: kept.ID, Number: 1}, {DeliveryID: gone.ID, Number: 1}}
		for range 2 {
			if err := s.GiveBack(t.Context(), back, now); err != nil {
				t.Fatal(err)
			}
		}
		if d, err := s.Get(t.Context(), kept.ID); err != nil || d.Status != store.DeliveryPending || d.Attempts != 0 {
			t.Errorf("given back: %+v, %v", d, err)
		}
		if d, err := s.Get(t.Context(), gone.ID); err != nil || d.Status != store.DeliverySent || d.Attempts != 1 {
			t.Errorf("sent meanwhile: %+v, %v", d, err)
		}
		begun, err := s.Advance(t.Context(), nil, []store.Begin{{ID: kept.ID}}, now)
		if err != nil || begun[0].Attempt != 1 {
			t.Errorf("begun anew: %+v, %v", begun, err)
		}
	})
}

func TestASuccessAfterAFailureSettlesWhatStoodAgainstTheDelivery(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s, now := store.Deliveries{DB: db}, time.Now().UTC().Truncate(time.Millisecond)
		asked, tried, refused, fresh := planned(nil), planned(nil), planned(nil), planned(nil)
		asked.RetryEventID = "retry-1" // its time was over before its first attempt
		tried.Attempts, refused.Attempts, refused.RetryEventID = 1, 1, "retry-2"
		insert(t, db, asked, tried, refused, fresh)
		errors := map[string]*store.ErrorEntry{}
		for _, d := range []*store.Delivery{asked, tried, refused, fresh} {
			errors[d.ID] = &store.ErrorEntry{Code: "A", DeliveryID: d.ID}
			record(t, db, errors[d.ID])
		}
		end := func(d *store.Delivery, number int, status store.DeliveryStatus) store.Ended {
			return store.Ended{Status: status, Attempt: store.Attempt{DeliveryID: d.ID, Number: number, StartedAt: now, FinishedAt: now}}
		}
		_, err := s.Advance(t.Context(), []store.Ended{
			end(asked, 1, store.DeliverySent), end(tried, 2, store.DeliverySent), end(refused, 2, store.DeliveryFailed), end(fresh, 1, store.DeliverySent),
		}, nil, now)
		if err != nil {
			t.Fatal(err)
		}
		// A first attempt without a failure before looks for no errors: there are none.
		for d, want := range map[*store.Delivery]bool{asked: true, tried: true, refused: false, fresh: false} {
			e, err := store.Errors{DB: db}.Get(t.Context(), errors[d.ID].ID)
			if err != nil || e.Resolved != want || want && !e.ResolvedAt.Equal(now) {
				t.Errorf("the error of a delivery with retry event %q: %+v, %v; want resolved %t", d.RetryEventID, e, err, want)
			}
		}
	})
}
