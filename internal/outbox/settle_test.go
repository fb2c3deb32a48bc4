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
