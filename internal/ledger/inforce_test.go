package ledger_test

import (
	"fmt"
	"testing"

	"github.com/silquetech/silque-notifications/internal/ledger"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func aRule(title string) *rule.Notification {
	return &rule.Notification{Title: title, Message: "m", Active: true, Channel: rule.Email, Model: "orders", Trigger: rule.OnNew}
}

func TestRulesInForceAreRememberedByTheirRevision(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		s := store.Notifications{DB: b.db}
		first, second := aRule("first"), aRule("second")
		b.must(s.Create(t.Context(), first, "test"))
		before, err := s.Revision(t.Context())
		b.must(err)
		titles := func(revision int64) (titles []string) {
			found, err := b.InForce(t.Context(), "orders", rule.TriggersFor(rule.Create), revision)
			b.must(err)
			for _, n := range found {
				titles = append(titles, n.Title)
			}
			return titles
		}
		for range 2 {
			if got := fmt.Sprint(titles(before)); got != "[first]" {
				t.Errorf("at first: %s", got)
			}
		}
		first.Title = "first, changed"
		b.must(s.Update(t.Context(), first, "test"))
		b.must(s.Create(t.Context(), second, "test"))
		after, err := s.Revision(t.Context())
		b.must(err)
		if got := fmt.Sprint(titles(after)); got != "[first, changed second]" {
			t.Errorf("after the change: %s", got)
		}
		if got := fmt.Sprint(titles(before)); got != "[first]" {
			t.Errorf("an event of before sees %s", got)
		}
	})
}

// BenchmarkRulesInForce reads the 1,000 notifications of a model: the cost of an event after the
// first of its revision.
func BenchmarkRulesInForce(b *testing.B) {
	db := testdb.SQLite(b)
	s := store.Notifications{DB: db}
	for i := range 1000 {
		if err := s.Create(b.Context(), aRule(fmt.Sprint(i)), "test"); err != nil {
			b.Fatal(err)
		}
	}
	revision, err := s.Revision(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for _, kind := range []string{"first", "again"} {
		b.Run(kind, func(b *testing.B) {
			l := ledger.New(db)
			for b.Loop() {
				if kind == "first" {
					l = ledger.New(db)
				}
				if found, err := l.InForce(b.Context(), "orders", rule.TriggersFor(rule.Create), revision); err != nil || len(found) != 1000 {
					b.Fatal(len(found), err)
				}
			}
		})
	}
}
