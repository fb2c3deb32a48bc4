package retention

import (
	"context"
	"time"

	"gorm.io/gorm"
)

// MostRows is the bound of one transaction.
const MostRows = mostRows

// EventSteps takes the steps of a sweep of events without a rest, and tells what each has deleted in its transaction.
func EventSteps(ctx context.Context, db *gorm.DB, keep time.Duration, tell func(Counts)) error {
	s := New(Options{DB: db, Keep: keep})
	now := time.Now().UTC()
	w := &events{db: db, cutoff: now.Add(-keep), keys: now.Add(-KeyWindow), deleted: &s.deleted}
	for {
		before := s.Deleted()
		more, err := w.step(ctx)
		if err != nil || !more {
			return err
		}
		after := s.Deleted()
		tell(Counts{
			Events: after.Events - before.Events, Deliveries: after.Deliveries - before.Deliveries, Attempts: after.Attempts - before.Attempts,
		})
	}
}
