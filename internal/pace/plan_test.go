package pace_test

import (
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/pace"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestEveryStatementGoesByAnIndex(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		all := limits{rule.Email: {PerSecond: 1000, Concurrency: 1000}, rule.SMS: {Concurrency: 1000}, rule.WhatsApp: {Concurrency: 1}}
		made := pace.New(db, all)
		for channel := range all {
			release(t, admit(t, made, channel, 1, 0), 0)
		}
		if db.Name() == "postgres" {
			if err := db.Exec("ANALYZE").Error; err != nil {
				t.Fatal(err)
			}
		}
		plans := testdb.Plans(t, db, func(db *gorm.DB) error {
			g := pace.New(db, all)
			release(t, admit(t, g, rule.Email, 3, time.Second), 2)
			admit(t, g, rule.WhatsApp, 1, 0)
			admit(t, g, rule.WhatsApp, 1, 0) // nothing is free
			slow(t, g, rule.SMS, time.Second)
			_, err := g.Paused(t.Context(), rule.WhatsApp)
			return err
		})
		if len(plans) < 7 {
			t.Errorf("only %d statements were sent", len(plans))
		}
		for _, plan := range plans {
			if plan.WholeTable(false) || plan.Unguided() {
				t.Errorf("a statement reads the whole table:\n%s\n%s", plan.Statement, plan.Text)
			}
		}
	})
}
