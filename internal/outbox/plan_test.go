package outbox_test

import (
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// history makes a table as it is after a while: thousands of settled events, and a few under way.
func history(t *testing.T, db *gorm.DB) {
	t.Helper()
	appended(t, db, 3000)
	long := time.Now().UTC().Add(-time.Hour)
	err := db.Model(&outbox.Event{}).Where("1 = 1").Updates(map[string]any{
		"status": outbox.Settled, "batch_id": gorm.Expr("id"), "workflow_id": gorm.Expr("'w-' || id"), "claimed_at": long, "checked_at": long,
	}).Error
	if err != nil {
		t.Fatal(err)
	}
	appended(t, db, 20)
	for _, started := range []bool{false, false, true, true} {
		b := claim(t, db, 2)
		if started {
			if err := outbox.MarkStarted(t.Context(), db, b, "w-"+b.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	age(t, db, "claimed_at")
	age(t, db, "checked_at")
	if db.Name() == "postgres" {
		if err := db.Exec("ANALYZE").Error; err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatARelayAsksTouchesFewRowsHoweverLongTheHistory(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		history(t, db)
		ctx := t.Context()
		batch := claim(t, db, 2)
		tests := map[string]func(db *gorm.DB) error{
			"a claim of one":  func(db *gorm.DB) error { _, err := outbox.Claim(ctx, db, 1); return err },
			"a claim of many": func(db *gorm.DB) error { _, err := outbox.Claim(ctx, db, 5); return err },
			"a start noted":   func(db *gorm.DB) error { return outbox.MarkStarted(ctx, db, batch, "w") },
			"abandoned claims": func(db *gorm.DB) error {
				found, err := outbox.Abandoned(ctx, db, time.Minute, 100)
				if len(found) == 0 {
					t.Error("nothing is abandoned, so the batches' query was not sent")
				}
				return err
			},
			"unfinished events": func(db *gorm.DB) error { _, err := outbox.Unfinished(ctx, db, time.Minute, 100); return err },
			"a new batch":       func(db *gorm.DB) error { _, err := outbox.Rebatch(ctx, db, batch); return err },
			"a resolution": func(db *gorm.DB) error {
				return outbox.ResolveTx(db, "w", time.Now().UTC(), outbox.Resolution{EventID: batch.Events[0].ID})
			},
			"an open event":            func(db *gorm.DB) error { _, err := outbox.OpenTx(db, batch.Events[0].ID); return err },
			"settled events":           func(db *gorm.DB) error { return outbox.Settle(ctx, db, batch.EventIDs(), time.Now().UTC()) },
			"lanes and waiting events": func(db *gorm.DB) error { _, err := outbox.Waiting(ctx, db, 2); return err },
			"a batch that has passed":  func(db *gorm.DB) error { _, err := outbox.Passed(ctx, db, batch.ID); return err },
			"a pass":                   func(db *gorm.DB) error { return outbox.MarkPassed(ctx, db, batch.EventIDs(), time.Now().UTC()) },
			"a known idempotency key": func(db *gorm.DB) error {
				for range 2 {
					e, key := change("1"), "known"
					e.IdempotencyKey = &key
					if _, _, err := outbox.AppendOnce(db, e); err != nil {
						return err
					}
				}
				return nil
			},
		}
		for name, use := range tests {
			for _, plan := range testdb.Plans(t, db, use) {
				if plan.WholeTable(false) || plan.Unguided() {
					t.Errorf("%s reads the whole table:\n%s\n%s", name, plan.Statement, plan.Text)
				}
			}
		}
	})
}
