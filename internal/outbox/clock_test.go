package outbox_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// A relay whose clock is hours ahead claims, or notes a start, and dies. Its times lie in the future of all others.
func TestWhatAClockThatIsAheadLeftIsTakenOverAtOnce(t *testing.T) {
	t.Parallel()
	type look = func(ctx context.Context, db *gorm.DB, age time.Duration, limit int) ([]outbox.Batch, error)
	for name, tc := range map[string]struct {
		column  string
		started bool
		look    look
	}{
		"a claim that led to no start":       {"claimed_at", false, outbox.Abandoned},
		"a workflow that is to be looked at": {"checked_at", true, outbox.Unfinished},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testdb.Each(t, func(t *testing.T, db *gorm.DB) {
				appended(t, db, 2)
				b := claim(t, db, 2)
				if tc.started {
					if err := outbox.MarkStarted(t.Context(), db, b, "w-"+b.ID); err != nil {
						t.Fatal(err)
					}
				}
				write := func(at time.Time) {
					if err := db.Model(&outbox.Event{}).Where("1 = 1").Update(tc.column, at.UTC()).Error; err != nil {
						t.Fatal(err)
					}
				}
				look := func() []outbox.Batch {
					found, err := tc.look(t.Context(), db, time.Hour, 10)
					if err != nil {
						t.Fatal(err)
					}
					return found
				}
				write(time.Now().Add(3 * time.Hour))
				found := look()
				if len(found) != 1 || found[0].ID != b.ID || !slices.Equal(found[0].EventIDs(), b.EventIDs()) {
					t.Fatalf("found %+v, want the batch %+v", found, b)
				}
				if again := look(); len(again) != 0 {
					t.Errorf("found %+v again, although it was taken over a moment ago", again)
				}
				write(time.Now().Add(10 * time.Second))
				if near := look(); len(near) != 0 {
					t.Errorf("took %+v over from a clock that is a few seconds ahead", near)
				}
			})
		})
	}
}

// An application whose clock is behind, or ahead, writes IDs that sort before or after all others.
func TestEventsOfAClockThatIsWrongAreClaimedWithTheOthers(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		now := time.Now()
		want := appended(t, db, 3)
		for _, off := range []time.Duration{-3 * time.Hour, 3 * time.Hour, -30 * 365 * 24 * time.Hour, 30 * 365 * 24 * time.Hour} {
			e := change("off")
			e.ID, e.CreatedAt = outbox.FirstID(now.Add(off))+outbox.NewID()[13:], now.Add(off).UTC()
			if err := outbox.Append(db, e); err != nil {
				t.Fatal(err)
			}
			want = append(want, e.ID)
		}
		slices.Sort(want)
		var got []string
		turns := new(outbox.Turns)
		for range want {
			b, err := turns.Claim(t.Context(), db, 1)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, b.EventIDs()...)
		}
		if !slices.Equal(got, want) {
			t.Errorf("claimed %v, want every event once: %v", got, want)
		}
	})
}

// The application's machine is three hours behind, or ahead; what a message's validity counts from is the database's time.
func TestAnEventHasTheTimeOfItsDatabase(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{3 * time.Hour, -3 * time.Hour} {
		t.Run(ahead.String(), func(t *testing.T) {
			t.Parallel()
			db := testdb.Open(t, testdb.PostgresURLWithClock(t, ahead))
			ids := appended(t, db, 1)
			key, keyed := "key", change("keyed")
			keyed.IdempotencyKey = &key
			if _, _, err := outbox.AppendOnce(db, keyed); err != nil {
				t.Fatal(err)
			}
			for _, id := range append(ids, keyed.ID) {
				if off := time.Until(stored(t, db, id).CreatedAt) - ahead; off.Abs() > time.Minute {
					t.Errorf("event %s is %s off the machine's time, want %s", id, off+ahead, ahead)
				}
			}
			if b := claim(t, db, 2); time.Until(*stored(t, db, b.EventIDs()[0]).ClaimedAt)-ahead > time.Minute {
				t.Error("a claim has the machine's time")
			}
		})
	}
}
