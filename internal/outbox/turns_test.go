package outbox_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// waiting writes as many events of each lane, the lanes one after the other; an empty name leaves the lane to Append.
func waiting(t testing.TB, db *gorm.DB, count int, lanes ...string) {
	t.Helper()
	for _, lane := range lanes {
		events := make([]*outbox.Event, count)
		for i := range events {
			events[i] = change(fmt.Sprint(i))
			events[i].Lane = lane
		}
		if err := outbox.Append(db, events...); err != nil {
			t.Fatal(err)
		}
	}
}

// byLane counts a batch's events.
func byLane(t testing.TB, db *gorm.DB, b outbox.Batch) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, id := range b.EventIDs() {
		counts[stored(t, db, id).Lane]++
	}
	return counts
}

func TestLanesShareABatchHoweverManyWaitInOne(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		waiting(t, db, 300, "bulk")
		waiting(t, db, 1, "a", "z")
		got := byLane(t, db, claim(t, db, 30))
		if got["a"] != 1 || got["z"] != 1 || got["bulk"] != 28 {
			t.Errorf("the batch holds %v, want the single ones and the rest from the bulk", got)
		}
		if got := byLane(t, db, claim(t, db, 30)); got["bulk"] != 30 {
			t.Errorf("the next batch holds %v, want the bulk alone", got)
		}
	})
}

func TestMoreLanesThanABatchHasPlacesForTakeTurns(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		for i := range 12 {
			waiting(t, db, 3, fmt.Sprintf("tenant %02d", i))
		}
		var turns outbox.Turns
		served := map[string]int{}
		for range 3 {
			b, err := turns.Claim(t.Context(), db, 4)
			if err != nil || len(b.Events) != 4 {
				t.Fatalf("claimed %+v, %v", b, err)
			}
			for lane := range byLane(t, db, b) {
				served[lane]++
			}
		}
		if len(served) != 12 {
			t.Errorf("three claims of four served %d lanes, want each of 12 once: %v", len(served), served)
		}
	})
}

func TestOfSeveralRelaysEachBatchIsWhole(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		for i := range 12 {
			waiting(t, db, 8, fmt.Sprintf("tenant %02d", i))
		}
		var relays sync.WaitGroup
		var mutex sync.Mutex
		claimed := 0
		for range 6 {
			relays.Go(func() {
				var turns outbox.Turns
				for {
					b, err := turns.Claim(t.Context(), db, 4)
					if err != nil || len(b.Events) == 0 {
						if err != nil {
							t.Error(err)
						}
						return
					}
					for _, id := range b.EventIDs() {
						if e := stored(t, db, id); e.BatchID == nil || *e.BatchID != b.ID {
							t.Errorf("event %s of batch %s is kept as one of %v", id, b.ID, e.BatchID)
						}
					}
					mutex.Lock()
					claimed += len(b.Events)
					mutex.Unlock()
				}
			})
		}
		relays.Wait()
		if left, err := outbox.Waiting(t.Context(), db, 100); err != nil || claimed+left != 96 {
			t.Errorf("%d claimed and %d left of 96, %v", claimed, left, err)
		}
	})
}

func TestABatchIsWholeWhenAnotherRelayHasEmptiedItsLanes(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		waiting(t, db, 9, "bulk")
		b, err := new(outbox.Turns).ClaimFrom(t.Context(), db, []string{"a", "b", "bulk", "c"}, 4)
		if err != nil || len(b.Events) == 0 {
			t.Fatalf("claimed %+v, %v", b, err)
		}
		for _, id := range b.EventIDs() {
			if e := stored(t, db, id); e.BatchID == nil || *e.BatchID != b.ID {
				t.Errorf("event %s of batch %s is kept as one of %v", id, b.ID, *e.BatchID)
			}
		}
	})
}

func TestEveryEventHasALane(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	for want, e := range map[string]outbox.Event{
		"orders":       {Model: "orders", Action: rule.Create},
		"alert n1":     {Model: "orders", Action: rule.Alert, NotificationID: "n1"},
		"by hand test": {Action: rule.Test},
		"tenant acme":  {Model: "orders", Action: rule.Create, Lane: outbox.TenantLane("acme")},
	} {
		e.Key, e.Source, e.Revision = "1", outbox.FromAPI, 1
		key := want
		e.IdempotencyKey = &key
		if _, _, err := outbox.AppendOnce(db, &e); err != nil {
			t.Fatal(err)
		}
		if got := stored(t, db, e.ID).Lane; got != want {
			t.Errorf("lane %q, want %q", got, want)
		}
	}
}

func TestWaitingEventsAreCountedUpToALimit(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		for _, step := range []struct{ add, want int }{{0, 0}, {1, 1}, {4, 3}} {
			waiting(t, db, step.add, "some")
			if got, err := outbox.Waiting(t.Context(), db, 3); got != step.want || err != nil {
				t.Errorf("%d wait, %v; want %d", got, err, step.want)
			}
		}
	})
}

// BenchmarkClaimBehindABacklog measures a claim of 50 from 100,000 waiting events of 20 lanes.
func BenchmarkClaimBehindABacklog(b *testing.B) {
	for name, open := range map[string]func(testing.TB) *gorm.DB{"SQLite": testdb.SQLite, "Postgres": testdb.Postgres} {
		b.Run(name, func(b *testing.B) {
			db := open(b)
			for i := range 20 {
				waiting(b, db, 5000, fmt.Sprintf("lane %d", i))
			}
			if db.Name() == "postgres" {
				db.Exec("ANALYZE")
			}
			var turns outbox.Turns
			b.ResetTimer()
			for range b.N {
				if _, err := turns.Claim(context.Background(), db, 50); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
