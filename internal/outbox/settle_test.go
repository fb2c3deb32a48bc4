package outbox_test

import (
	"errors"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestAnEventKeepsItsFirstResolution(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		id, at := appended(t, db, 1)[0], time.Now().UTC().Truncate(time.Microsecond)
		for i, reason := range []string{"first", "second"} {
			open, err := outbox.OpenTx(db, id)
			if err != nil || open[id] != (i == 0) {
				t.Errorf("before resolution %d: open %v, error %v", i+1, open, err)
			}
			err = outbox.ResolveTx(db, reason, at, outbox.Resolution{
				EventID: id, Reason: reason, Decisions: outbox.Snapshot(`["` + reason + `"]`),
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		e := stored(t, db, id)
		if e.Reason != "first" || e.WorkflowID != "first" || string(e.Decisions) != `["first"]` || !e.ResolvedAt.Equal(at) {
			t.Errorf("kept %+v", e)
		}
		if _, err := outbox.OpenTx(db, outbox.NewID()); !errors.Is(err, outbox.ErrNotFound) {
			t.Errorf("an event that is gone: %v", err)
		}
	})
}

func TestABatchThatBeginsAnewHasNotPassed(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		appended(t, db, 2)
		old := claim(t, db, 2)
		for i, want := range []bool{false, true} {
			if got, err := outbox.Passed(t.Context(), db, old.ID); got != want || err != nil {
				t.Errorf("look %d: passed %v, %v", i+1, got, err)
			}
			if err := outbox.MarkPassed(t.Context(), db, old.EventIDs(), time.Now().UTC()); err != nil {
				t.Fatal(err)
			}
		}
		next, err := outbox.Rebatch(t.Context(), db, old)
		if err != nil {
			t.Fatal(err)
		}
		if passed, err := outbox.Passed(t.Context(), db, next.ID); passed || err != nil {
			t.Errorf("the new batch has passed: %v, %v", passed, err)
		}
	})
}
