package outbox_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func claim(t testing.TB, db *gorm.DB, limit int) outbox.Batch {
	t.Helper()
	b, err := outbox.Claim(t.Context(), db, limit)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// age makes a time of every event lie in the past.
func age(t testing.TB, db *gorm.DB, column string) {
	t.Helper()
	if err := db.Model(&outbox.Event{}).Where("1 = 1").Update(column, time.Now().UTC().Add(-time.Hour)).Error; err != nil {
		t.Fatal(err)
	}
}

func TestAClaimTakesTheOldestAndPersistsItsBatch(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		ids := appended(t, db, 6)
		one := claim(t, db, 1)
		if one.ID != ids[0] || !slices.Equal(one.EventIDs(), ids[:1]) || one.Events[0].Model != "orders" || one.Events[0].Action != "create" {
			t.Errorf("a claim of one gave %+v, want event %s with its own ID as batch", one, ids[0])
		}
		three := claim(t, db, 3)
		if !slices.Equal(three.EventIDs(), ids[1:4]) || slices.Contains(ids, three.ID) {
			t.Errorf("a claim of three gave %+v, want the next three", three)
		}
		for _, b := range []outbox.Batch{one, three} {
			for _, id := range b.EventIDs() {
				if e := stored(t, db, id); e.BatchID == nil || *e.BatchID != b.ID || e.ClaimedAt == nil || e.Status != outbox.Pending {
					t.Errorf("claimed event %+v, want batch %s", e, b.ID)
				}
			}
		}
		if rest := claim(t, db, 100); !slices.Equal(rest.EventIDs(), ids[4:]) {
			t.Errorf("the rest is %v, want %v", rest.EventIDs(), ids[4:])
		}
		if none := claim(t, db, 1); none.ID != "" || len(none.Events) != 0 {
			t.Errorf("a claim of nothing gave %+v", none)
		}
	})
}

func TestClaimsAtTheSameMomentNeverOverlap(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{1, 7} {
		t.Run(map[int]string{1: "one by one", 7: "in batches"}[limit], func(t *testing.T) {
			t.Parallel()
			testdb.Each(t, func(t *testing.T, db *gorm.DB) {
				ids := appended(t, db, 90)
				taken := make(chan outbox.Batch, len(ids))
				var relays sync.WaitGroup
				for range 6 {
					relays.Go(func() {
						for {
							b, err := outbox.Claim(t.Context(), db, limit)
							if err != nil {
								t.Error(err)
							}
							if err != nil || len(b.Events) == 0 {
								return
							}
							taken <- b
						}
					})
				}
				relays.Wait()
				close(taken)
				var all []string
				for b := range taken {
					if len(b.Events) > limit {
						t.Errorf("a claim of at most %d took %d", limit, len(b.Events))
					}
					all = append(all, b.EventIDs()...)
				}
				slices.Sort(all)
				if !slices.Equal(all, ids) {
					t.Errorf("%d events were claimed, %d of them different; want %d once each", len(all), len(slices.Compact(all)), len(ids))
				}
			})
		})
	}
}

func TestARelayDoesNotWaitForAnothersLock(t *testing.T) {
	t.Parallel()
	db := testdb.Postgres(t)
	ids := appended(t, db, 3)
	holder := db.Begin()
	defer holder.Rollback()
	if b := claim(t, holder, 1); b.ID != ids[0] {
		t.Fatalf("the first claim took %s", b.ID)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for _, take := range []struct {
		limit int
		want  []string
	}{{1, ids[1:2]}, {10, ids[2:]}} {
		b, err := outbox.Claim(ctx, db, take.limit)
		if err != nil || !slices.Equal(b.EventIDs(), take.want) {
			t.Fatalf("beside a lock a claim gave %v, error %v; want %v at once", b.EventIDs(), err, take.want)
		}
	}
	if err := holder.Rollback().Error; err != nil {
		t.Fatal(err)
	}
	if b := claim(t, db, 10); !slices.Equal(b.EventIDs(), ids[:1]) {
		t.Errorf("after the rollback a claim gave %v, want the event that was let go", b.EventIDs())
	}
}

func TestOldClaimsAreTakenOverByOneRelayOnly(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		ids := appended(t, db, 5)
		batch, single := claim(t, db, 3), claim(t, db, 1)
		abandoned := func() []outbox.Batch {
			found, err := outbox.Abandoned(t.Context(), db, time.Minute, 100)
			if err != nil {
				t.Fatal(err)
			}
			return found
		}
		if found := abandoned(); len(found) != 0 {
			t.Fatalf("fresh claims count as abandoned: %+v", found)
		}
		age(t, db, "claimed_at")
		found := abandoned()
		if len(found) != 2 || !slices.ContainsFunc(found, func(b outbox.Batch) bool { return b.ID == batch.ID && slices.Equal(b.EventIDs(), ids[:3]) }) ||
			!slices.ContainsFunc(found, func(b outbox.Batch) bool { return b.ID == single.ID && slices.Equal(b.EventIDs(), ids[3:4]) }) {
			t.Fatalf("found %+v, want both claims with all their events", found)
		}
		if again := abandoned(); len(again) != 0 {
			t.Errorf("a second relay took them too: %+v", again)
		}
	})
}

func TestABatchThatIsFoundInPartIsGivenAsAWhole(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		ids := appended(t, db, 4)
		b := claim(t, db, 4)
		age(t, db, "claimed_at")
		found, err := outbox.Abandoned(t.Context(), db, time.Minute, 2)
		if err != nil || len(found) != 1 || found[0].ID != b.ID || !slices.Equal(found[0].EventIDs(), ids) {
			t.Errorf("found %+v, error %v; the same workflow needs the same input", found, err)
		}
	})
}

func TestStartedEventsAreLookedAtAfterAWhileAndSettledOnesNever(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		ctx, ids := t.Context(), appended(t, db, 2)
		running, ended := claim(t, db, 1), claim(t, db, 1)
		for _, b := range []outbox.Batch{running, ended} {
			if err := outbox.MarkStarted(ctx, db, b, "workflow-"+b.ID); err != nil {
				t.Fatal(err)
			}
		}
		unfinished := func() []outbox.Batch {
			found, err := outbox.Unfinished(ctx, db, time.Minute, 100)
			if err != nil {
				t.Fatal(err)
			}
			return found
		}
		if found := unfinished(); len(found) != 0 {
			t.Errorf("looked at at once: %+v", found)
		}
		if err := outbox.Settle(ctx, db, ids[1:], time.Now().UTC()); err != nil {
			t.Fatal(err)
		}
		age(t, db, "checked_at")
		age(t, db, "claimed_at")
		if found := unfinished(); len(found) != 1 || found[0].ID != running.ID {
			t.Errorf("found %+v, want the running one alone", found)
		}
		if found := unfinished(); len(found) != 0 {
			t.Errorf("a second relay looks at them too: %+v", found)
		}
		if found, err := outbox.Abandoned(ctx, db, time.Minute, 100); err != nil || len(found) != 0 {
			t.Errorf("started events count as abandoned: %+v, error %v", found, err)
		}
	})
}

func TestMarkingAStartNeverUndoesASettledEvent(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		ctx, ids := t.Context(), appended(t, db, 2)
		b := claim(t, db, 2)
		settledAt := time.Now().UTC().Truncate(time.Microsecond)
		for _, later := range []time.Duration{0, time.Hour} {
			if err := outbox.Settle(ctx, db, ids[:1], settledAt.Add(later)); err != nil {
				t.Fatal(err)
			}
		}
		if err := outbox.MarkStarted(ctx, db, b, "workflow"); err != nil {
			t.Fatal(err)
		}
		if e := stored(t, db, ids[0]); e.Status != outbox.Settled || !e.SettledAt.Equal(settledAt) || e.WorkflowID != "workflow" {
			t.Errorf("the settled event is %s since %v in %q", e.Status, e.SettledAt, e.WorkflowID)
		}
		if e := stored(t, db, ids[1]); e.Status != outbox.Started || e.StartedAt == nil || e.CheckedAt == nil {
			t.Errorf("the other is %s, started %v", e.Status, e.StartedAt)
		}
	})
}

func TestRebatchMovesWhatIsNotSettledAndTheOldBatchLosesItsSay(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		ctx, ids := t.Context(), appended(t, db, 3)
		old := claim(t, db, 3)
		if err := outbox.MarkStarted(ctx, db, old, "old"); err != nil {
			t.Fatal(err)
		}
		if err := outbox.Settle(ctx, db, ids[1:2], time.Now().UTC()); err != nil {
			t.Fatal(err)
		}
		next, err := outbox.Rebatch(ctx, db, old)
		if err != nil || next.ID == old.ID || !slices.Equal(next.EventIDs(), []string{ids[0], ids[2]}) {
			t.Fatalf("rebatched to %+v, error %v", next, err)
		}
		if err := outbox.MarkStarted(ctx, db, old, "old"); err != nil {
			t.Fatal(err)
		}
		if e := stored(t, db, ids[0]); e.Status != outbox.Pending || *e.BatchID != next.ID {
			t.Errorf("the old start still counts: %s in batch %s", e.Status, *e.BatchID)
		}
		if e := stored(t, db, ids[1]); e.Status != outbox.Settled || *e.BatchID != old.ID {
			t.Errorf("the settled event moved: %s in batch %s", e.Status, *e.BatchID)
		}
		if again, err := outbox.Rebatch(ctx, db, old); err != nil || len(again.Events) != 0 {
			t.Errorf("a second relay rebatched too: %+v, error %v", again, err)
		}
		if waiting := claim(t, db, 10); len(waiting.Events) != 0 {
			t.Errorf("rebatched events wait for a claim as well: %+v", waiting)
		}
	})
}
