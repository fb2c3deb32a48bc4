package ledger_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/activities"
	"github.com/silquetech/silque-notifications/internal/address"
	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/ledger"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// BenchmarkAnEventOfAModelWithManyRules resolves one event by the whole step of the workflow, on SQLite: the rules in
// force, every condition, and the decisions kept. One rule sends. "others" rules are of another model: they must cost
// nothing.
func BenchmarkAnEventOfAModelWithManyRules(b *testing.B) {
	for _, size := range []struct{ own, others int }{{1, 0}, {1, 1000}, {1000, 0}} {
		b.Run(fmt.Sprintf("%d own, %d others", size.own, size.others), func(b *testing.B) {
			db := testdb.SQLite(b)
			steps, revision := judging(b, db, size.own, size.others)
			env := new(testsuite.WorkflowTestSuite).NewTestActivityEnvironment()
			env.RegisterActivity(steps)
			for b.Loop() {
				e := &outbox.Event{Model: "orders", Key: "7", Action: rule.Create, Doc: outbox.Snapshot(`{"id":7,"status":"NEW"}`), Revision: revision, Source: outbox.FromAPI}
				if err := outbox.Append(db, e); err != nil {
					b.Fatal(err)
				}
				encoded, err := env.ExecuteActivity(steps.Resolve, activities.ResolveInput{EventIDs: []string{e.ID}})
				var plan activities.Plan
				if err != nil || encoded.Get(&plan) != nil || len(plan.Deliveries) != 1 {
					b.Fatal(plan, err)
				}
			}
		})
	}
}

// judging makes the rules, and gives the steps on the database and the revision of the rules.
func judging(b *testing.B, db *gorm.DB, own, others int) (*activities.Activities, int64) {
	b.Helper()
	for _, name := range []string{"orders", "others"} {
		m := &catalog.Model{Name: name, PrimaryKey: []string{"id"}, Fields: []rule.Field{{Name: "id", Type: rule.Integer}, {Name: "status", Type: rule.String}}}
		if err := catalog.Save(b.Context(), db, m); err != nil {
			b.Fatal(err)
		}
	}
	s := store.Notifications{DB: db}
	for i := range own + others {
		n := aRule(fmt.Sprint("Order {{ doc.id }} ", i))
		n.Recipients = []rule.Recipient{{Address: "ann@example.com"}}
		if i > 0 {
			n.Conditions = fmt.Sprintf(`doc.status == "S%d" and doc.id > 0`, i)
		}
		if i >= own {
			n.Model = "others"
		}
		if err := s.Create(b.Context(), n, "test"); err != nil {
			b.Fatal(err)
		}
	}
	revision, err := s.Revision(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return &activities.Activities{
		Ledger: ledger.New(db), Addresses: address.Normalizer{}, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.Now().UTC() },
	}, revision
}
