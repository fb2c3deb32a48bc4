package store_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func titles(notifications []*rule.Notification) string {
	found := make([]string, len(notifications))
	for i, n := range notifications {
		found[i] = n.Title
	}
	return strings.Join(found, " ")
}

func TestEveryOrderIsPagedWithoutGapsOrRepeats(t *testing.T) {
	t.Parallel()
	tests := map[store.NotificationSort]string{
		store.NewestFirst: "Äpfel delta Beta alpha alpha", store.OldestFirst: "alpha alpha Beta delta Äpfel",
		store.ByTitle: "alpha alpha Beta delta Äpfel", store.ByTitleBackward: "Äpfel delta Beta alpha alpha",
		store.ByModel: "Beta Äpfel alpha alpha delta", store.ByModelBackward: "delta alpha alpha Äpfel Beta",
		store.LastChangedFirst: "alpha Äpfel delta Beta alpha", store.LastChangedLast: "alpha Beta delta Äpfel alpha",
		"no order": "Äpfel delta Beta alpha alpha",
	}
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := store.Notifications{DB: db}
		var first *rule.Notification
		for i, title := range []string{"alpha", "alpha", "Beta", "delta", "Äpfel"} {
			n := create(t, s, func(n *rule.Notification) {
				n.Title, n.Model = title, map[bool]string{true: "invoices", false: "orders"}[i == 2 || i == 4]
			})
			if i == 0 {
				first = n
			}
		}
		first.Message = "changed"
		if err := s.Update(t.Context(), first, "ann"); err != nil {
			t.Fatal(err)
		}
		for sort, want := range tests {
			for limit := 1; limit <= 6; limit++ {
				var got []*rule.Notification
				paging := store.Paging{Limit: limit}
				for {
					page, err := s.Sorted(t.Context(), store.NotificationFilter{}, sort, paging)
					if err != nil {
						t.Fatal(sort, err)
					}
					got = append(got, page.Items...)
					if paging.Cursor = page.Next; page.Next == "" || len(got) > 9 {
						break
					}
				}
				if found := titles(got); found != want {
					t.Errorf("%s by %d: %q, want %q", sort, limit, found, want)
				}
			}
		}
	})
}

func TestACursorOfAnotherListIsRefused(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := store.Notifications{DB: db}
		for _, cursor := range []string{"x", "ÄÄ", "W10", "WyJhIiwxXQ", "WyJcdTAwMDAiLCJhIl0", "WyJhIiwiXHUwMDAwIl0"} {
			if _, err := s.Sorted(t.Context(), store.NotificationFilter{}, store.ByTitle, store.Paging{Cursor: cursor}); !errors.Is(err, store.ErrBadCursor) {
				t.Errorf("%s gives %v", cursor, err)
			}
		}
	})
}

func TestNotificationsAreFilteredByTheirTimesAndListsAndCounted(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := store.Notifications{DB: db}
		list := &store.List{Name: "Night shift"}
		if err := (store.Lists{DB: db}).Create(t.Context(), list, "ann"); err != nil {
			t.Fatal(err)
		}
		n := create(t, s, func(n *rule.Notification) { n.Title = "old" })
		create(t, s, func(n *rule.Notification) {
			n.Title, n.Message = "new", "ÜBERFÄLLIG"
			n.Recipients = []rule.Recipient{{ListID: list.ID}, {Query: &rule.RecipientQuery{Model: "employees", Where: []rule.Match{{Field: "role", Value: "Chef"}}}}}
		})
		long := time.Date(2020, 5, 17, 12, 0, 0, 0, time.UTC)
		if err := db.Exec("UPDATE notify_notifications SET created_at = ?, updated_at = ? WHERE id = ?", long, long.Add(time.Hour), n.ID).Error; err != nil {
			t.Fatal(err)
		}
		for name, test := range map[string]struct {
			filter store.NotificationFilter
			want   string
		}{
			"made from":                      {store.NotificationFilter{CreatedFrom: long}, "new old"},
			"made after":                     {store.NotificationFilter{CreatedFrom: long.Add(time.Second)}, "new"},
			"made before":                    {store.NotificationFilter{CreatedUntil: long}, ""},
			"made until":                     {store.NotificationFilter{CreatedUntil: long.Add(time.Second)}, "old"},
			"changed from, in another zone":  {store.NotificationFilter{UpdatedFrom: long.Add(time.Hour).In(time.FixedZone("x", 9*3600))}, "new old"},
			"changed until":                  {store.NotificationFilter{UpdatedUntil: long.Add(time.Hour)}, ""},
			"naming the list":                {store.NotificationFilter{ListID: list.ID}, "new"},
			"naming another list":            {store.NotificationFilter{ListID: strings.Replace(list.ID, "-", "_", 1)}, ""},
			"search in letters of any case":  {store.NotificationFilter{Search: "überfällig"}, "new"},
			"search in a query's value":      {store.NotificationFilter{Search: "chef"}, "new"},
			"search not by a name of JSON":   {store.NotificationFilter{Search: "list_id"}, ""},
			"search not over the parts' end": {store.NotificationFilter{Search: "newü"}, ""},
		} {
			page, err := s.List(t.Context(), test.filter, store.Paging{})
			count, countErr := s.Count(t.Context(), test.filter)
			if err != nil || countErr != nil || titles(page.Items) != test.want || int(count) != len(page.Items) {
				t.Errorf("%s: %q, %d counted, want %q; %v, %v", name, titles(page.Items), count, test.want, err, countErr)
			}
		}
		if counts, err := s.PerModel(t.Context()); err != nil || len(counts) != 1 || counts["orders"] != 2 {
			t.Errorf("per model %v, %v", counts, err)
		}
	})
}

// shelf stores many notifications, by one statement for a thousand.
func shelf(tb testing.TB, db *gorm.DB, count int) {
	tb.Helper()
	s := store.Notifications{DB: db}
	first := sample(func(n *rule.Notification) { n.Message = strings.Repeat("It is due. ", 60) })
	if err := s.Create(tb.Context(), first, "ann"); err != nil {
		tb.Fatal(err)
	}
	ids := []string{first.ID}
	for len(ids) < count {
		if err := db.Exec("UPDATE notify_notifications SET title = 'Order ' || substr(id, 25), sort_title = 'order ' || substr(id, 25)").Error; err != nil {
			tb.Fatal(err)
		}
		done, err := s.Bulk(tb.Context(), store.BulkDuplicate, store.Selection{IDs: ids[:min(len(ids), count-len(ids))]}, func(t string) string { return t }, "ann")
		if err != nil {
			tb.Fatal(err)
		}
		ids = append(ids, done.Made...)
	}
	if db.Name() == "postgres" {
		if err := db.Exec("ANALYZE").Error; err != nil {
			tb.Fatal(err)
		}
	}
}

func TestNoListOfNotificationsReadsThemAll(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		shelf(t, db, 600)
		s := store.Notifications{DB: db}
		page, err := s.Sorted(t.Context(), store.NotificationFilter{}, store.ByTitle, store.Paging{Limit: 3})
		if err != nil {
			t.Fatal(err)
		}
		active := true
		ask := func(name string, ordered bool, f store.NotificationFilter, sort store.NotificationSort, cursor string) {
			t.Helper()
			plans := testdb.Plans(t, db, func(db *gorm.DB) error {
				_, err := store.Notifications{DB: db}.Sorted(t.Context(), f, sort, store.Paging{Cursor: cursor})
				return err
			})
			for _, plan := range plans {
				if plan.WholeTable(ordered) || strings.Contains(plan.Text, "TEMP B-TREE") {
					t.Errorf("%s:\n%s\n%s", name, plan.Statement, plan.Text)
				}
			}
		}
		for _, sort := range store.NotificationSorts {
			ask("all, "+string(sort), true, store.NotificationFilter{}, sort, "")
			ask("a search, "+string(sort), true, store.NotificationFilter{Search: "x"}, sort, "")
		}
		ask("the second page by title", false, store.NotificationFilter{}, store.ByTitle, page.Next)
		ask("a model", false, store.NotificationFilter{Model: "orders"}, store.NewestFirst, "")
		ask("a channel", false, store.NotificationFilter{Channel: "sms"}, store.NewestFirst, "")
		ask("a trigger", false, store.NotificationFilter{Trigger: "new"}, store.NewestFirst, "")
		ask("the active ones", false, store.NotificationFilter{Active: &active}, store.NewestFirst, "")
		for _, plan := range testdb.Plans(t, db, func(db *gorm.DB) error {
			_, err := store.Notifications{DB: db}.Undo(t.Context(), 1, "ann")
			return err
		}) {
			if plan.WholeTable(false) {
				t.Errorf("an undo:\n%s\n%s", plan.Statement, plan.Text)
			}
		}
	})
}

// lists are the questions of the page.
func lists(s store.Notifications) map[string]func(tb testing.TB) error {
	questions := map[string]func(tb testing.TB) error{}
	for _, sort := range store.NotificationSorts {
		questions["all, "+string(sort)] = func(tb testing.TB) error {
			_, err := s.Sorted(tb.Context(), store.NotificationFilter{}, sort, store.Paging{})
			return err
		}
	}
	for name, f := range map[string]store.NotificationFilter{
		"nothing": {}, "a search without a match": {Search: "nobody wrote this"}, "a search with a match": {Search: "it is due"},
		"a channel": {Channel: "sms"}, "a list": {ListID: "none"},
	} {
		questions["page and count by "+name] = func(tb testing.TB) error {
			_, err := s.Sorted(tb.Context(), f, store.ByTitle, store.Paging{})
			if err != nil {
				return err
			}
			_, err = s.Count(tb.Context(), f)
			return err
		}
	}
	return questions
}

// BenchmarkLists asks what the page asks, of 10,000 notifications: each answer is meant to come within 100 ms.
func BenchmarkLists(b *testing.B) {
	for name, open := range map[string]func(testing.TB) *gorm.DB{"SQLite": testdb.SQLite, "Postgres": testdb.Postgres} {
		b.Run(name, func(b *testing.B) {
			db := open(b)
			shelf(b, db, 10_000)
			questions := lists(store.Notifications{DB: db})
			for _, question := range slices.Sorted(maps.Keys(questions)) {
				b.Run(question, func(b *testing.B) {
					for b.Loop() {
						if err := questions[question](b); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		})
	}
}
