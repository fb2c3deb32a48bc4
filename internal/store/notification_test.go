package store_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// sample is a notification of orders; change makes it another.
func sample(change func(n *rule.Notification)) *rule.Notification {
	days := 3
	n := &rule.Notification{
		Title: "Order {{ doc.number }}", Message: "It is due.", HTMLMessage: "<b>It is due.</b>", Active: true,
		Channel: rule.Email, Model: "orders", Trigger: rule.OnUpdate, DateField: "due_on", AlertDays: &days,
		Conditions: "doc.amount > 0", Recipients: []rule.Recipient{{Address: "sales@example.com"}, {DocumentField: "doc.email"}},
	}
	if change != nil {
		change(n)
	}
	return n
}

func create(t *testing.T, s store.Notifications, change func(n *rule.Notification)) *rule.Notification {
	t.Helper()
	n := sample(change)
	if err := s.Create(t.Context(), n, "ann"); err != nil {
		t.Fatal(err)
	}
	return n
}

func revision(t *testing.T, s store.Notifications) int64 {
	t.Helper()
	r, err := s.Revision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func inForce(t *testing.T, s store.Notifications, at int64) []string {
	t.Helper()
	notifications, err := s.InForce(t.Context(), "orders", []rule.Trigger{rule.OnUpdate, rule.OnValueChange}, at)
	if err != nil {
		t.Fatal(err)
	}
	titles := []string{}
	for _, n := range notifications {
		titles = append(titles, n.Title)
	}
	return titles
}

func TestANotificationIsReadAsItWasStored(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := store.Notifications{DB: db}
		stored := create(t, s, nil)
		if stored.ID == "" || stored.Version != 1 || time.Since(stored.CreatedAt) > time.Minute {
			t.Fatalf("create filled in %q, version %d, %v", stored.ID, stored.Version, stored.CreatedAt)
		}
		read, err := s.Get(t.Context(), stored.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprintf("%+v", plain(read)), fmt.Sprintf("%+v", plain(stored)); got != want {
			t.Errorf("stored %s\nread   %s", want, got)
		}
	})
}

// plain replaces what compares by address or by zone.
func plain(n *rule.Notification) rule.Notification {
	p := *n
	if p.AlertDays != nil {
		p.Conditions += fmt.Sprint(*p.AlertDays)
		p.AlertDays = nil
	}
	p.CreatedAt, p.UpdatedAt = p.CreatedAt.UTC(), p.UpdatedAt.UTC()
	return p
}

func TestAReplacedNotificationKeepsItsBirthAndCountsItsVersions(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := store.Notifications{DB: db}
		first := create(t, s, nil)
		next := sample(func(n *rule.Notification) { n.ID, n.Title, n.AlertDays, n.Recipients = first.ID, "New", nil, nil })
		if err := s.Update(t.Context(), next, "ben"); err != nil {
			t.Fatal(err)
		}
		read, err := s.Get(t.Context(), first.ID)
		if err != nil {
			t.Fatal(err)
		}
		if read.Version != 2 || read.Title != "New" || read.AlertDays != nil || len(read.Recipients) != 0 {
			t.Errorf("after the update: %+v", read)
		}
		if !read.CreatedAt.Equal(first.CreatedAt) || read.UpdatedAt.Before(first.UpdatedAt) {
			t.Errorf("created %v, updated %v; at first %v", read.CreatedAt, read.UpdatedAt, first.CreatedAt)
		}
		if next.CreatedAt.Location() != time.UTC {
			t.Errorf("the updated notification's birth is in zone %v", next.CreatedAt.Location())
		}
	})
}

func TestChangingWhatIsNotThereIsNotFoundAndNoRevision(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := store.Notifications{DB: db}
		before := revision(t, s)
		_, err := s.Get(t.Context(), "none")
		for name, err := range map[string]error{
			"get": err, "update": s.Update(t.Context(), sample(nil), "ann"), "delete": s.Delete(t.Context(), "none", "ann"),
		} {
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s gives %v", name, err)
			}
		}
		if after := revision(t, s); after != before {
			t.Errorf("the revision went from %d to %d", before, after)
		}
	})
}

func TestAnEventIsJudgedByTheNotificationsOfItsRevision(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := store.Notifications{DB: db}
		ctx := t.Context()
		history := []int64{revision(t, s)}
		step := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			history = append(history, revision(t, s))
		}
		n := sample(func(n *rule.Notification) { n.Title = "first" })
		step(s.Create(ctx, n, "ann"))
		n.Title = "second"
		step(s.Update(ctx, n, "ann"))
		_, err := s.SetActive(ctx, []string{n.ID}, false, "ann")
		step(err)
		_, err = s.SetActive(ctx, []string{n.ID}, true, "ann")
		step(err)
		n.Model = "invoices"
		step(s.Update(ctx, n, "ann"))
		n.Model, n.Trigger = "orders", rule.OnDelete
		step(s.Update(ctx, n, "ann"))
		n.Trigger, n.Title = rule.OnValueChange, "third"
		step(s.Update(ctx, n, "ann"))
		step(s.Delete(ctx, n.ID, "ann"))

		want := [][]string{{}, {"first"}, {"second"}, {}, {"second"}, {}, {}, {"third"}, {}}
		for i, at := range history {
			if got := inForce(t, s, at); !slices.Equal(got, want[i]) {
				t.Errorf("at step %d, revision %d: in force %q, want %q", i, at, got, want[i])
			}
		}
		if !slices.IsSorted(history) || len(slices.Compact(history)) != len(want) {
			t.Errorf("the revisions %v do not name one state each", history)
		}
	})
}

func TestNotificationsInForceComeOldestFirstWithTheirVersion(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := store.Notifications{DB: db}
		for i := range 3 {
			create(t, s, func(n *rule.Notification) { n.Title = fmt.Sprint(i) })
		}
		create(t, s, func(n *rule.Notification) { n.Active = false })
		create(t, s, func(n *rule.Notification) { n.Model = "invoices" })
		create(t, s, func(n *rule.Notification) { n.Trigger = rule.OnNew })
		if got := inForce(t, s, revision(t, s)); !slices.Equal(got, []string{"0", "1", "2"}) {
			t.Errorf("in force: %q", got)
		}
		notifications, err := s.InForce(t.Context(), "orders", []rule.Trigger{rule.OnUpdate}, revision(t, s))
		if err != nil || notifications[0].Version != 1 || len(notifications[0].Recipients) != 2 {
			t.Errorf("the version in force is %+v, error %v", notifications[0], err)
		}
	})
}

func TestOnlyWhatIsNotSoAlreadyChangesItsActivity(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := store.Notifications{DB: db}
		on := create(t, s, nil)
		off := create(t, s, func(n *rule.Notification) { n.Active = false })
		changed, err := s.SetActive(t.Context(), []string{on.ID, off.ID, "none"}, true, "ann")
		if err != nil || changed != 1 {
			t.Fatalf("changed %d, error %v", changed, err)
		}
		untouched, err := s.Get(t.Context(), on.ID)
		if err != nil || untouched.Version != 1 {
			t.Errorf("the active one is at version %d, error %v", untouched.Version, err)
		}
		switched, err := s.Get(t.Context(), off.ID)
		if err != nil || !switched.Active || switched.Version != 2 {
			t.Errorf("the other is %+v, error %v", switched, err)
		}
	})
}

func TestChangesAtTheSameMomentGetRevisionsOfTheirOwn(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := store.Notifications{DB: db}
		n := create(t, s, nil)
		before := revision(t, s)
		const writers = 8
		var group sync.WaitGroup
		for range writers {
			group.Go(func() {
				change := sample(func(c *rule.Notification) { c.ID = n.ID })
				if err := s.Update(t.Context(), change, "ann"); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		read, err := s.Get(t.Context(), n.ID)
		if err != nil || read.Version != 1+writers || revision(t, s) != before+writers {
			t.Errorf("version %d, revision %d after %d, error %v", read.Version, revision(t, s), before, err)
		}
	})
}

func TestNotificationsAreFiltered(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	tests := map[string]struct {
		filter store.NotificationFilter
		want   []string
	}{
		"by nothing":                            {store.NotificationFilter{}, []string{"C_d", "b", "A"}},
		"by active":                             {store.NotificationFilter{Active: &yes}, []string{"C_d", "A"}},
		"by inactive":                           {store.NotificationFilter{Active: &no}, []string{"b"}},
		"by channel":                            {store.NotificationFilter{Channel: "sms"}, []string{"b"}},
		"by trigger":                            {store.NotificationFilter{Trigger: "new"}, []string{"C_d"}},
		"by model":                              {store.NotificationFilter{Model: "invoices"}, []string{"C_d"}},
		"by title in another case":              {store.NotificationFilter{Search: "c_D"}, []string{"C_d"}},
		"by message":                            {store.NotificationFilter{Search: "OVERDUE"}, []string{"b"}},
		"by a direct recipient":                 {store.NotificationFilter{Search: "sales@"}, []string{"C_d", "A"}},
		"by a document field":                   {store.NotificationFilter{Search: "doc.phone"}, []string{"b"}},
		"by a recipient that JSON escapes":      {store.NotificationFilter{Search: "q&a@"}, []string{"b"}},
		"not by the names of JSON":              {store.NotificationFilter{Search: "document_field"}, []string{}},
		"not by the other name of JSON":         {store.NotificationFilter{Search: "address"}, []string{}},
		"with LIKE's underscore taken as it is": {store.NotificationFilter{Search: "C_"}, []string{"C_d"}},
		"with LIKE's percent taken as it is":    {store.NotificationFilter{Search: "%"}, []string{}},
		"with a backslash":                      {store.NotificationFilter{Search: `\`}, []string{}},
		"by search and filter together":         {store.NotificationFilter{Search: "sales@", Model: "orders"}, []string{"A"}},
	}
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := store.Notifications{DB: db}
		create(t, s, func(n *rule.Notification) { n.Title = "A" })
		create(t, s, func(n *rule.Notification) {
			n.Title, n.Message, n.Active, n.Channel = "b", "Overdue!", false, rule.SMS
			n.Recipients = []rule.Recipient{{DocumentField: "doc.phone"}, {Address: "q&a@example.com"}}
		})
		create(t, s, func(n *rule.Notification) { n.Title, n.Model, n.Trigger = "C_d", "invoices", rule.OnNew })
		for name, test := range tests {
			page, err := s.List(t.Context(), test.filter, store.Paging{})
			if err != nil {
				t.Fatal(name, err)
			}
			titles := []string{}
			for _, n := range page.Items {
				titles = append(titles, n.Title)
			}
			if !slices.Equal(titles, test.want) {
				t.Errorf("%s: %q, want %q", name, titles, test.want)
			}
		}
	})
}

func TestPagesFollowEachOtherAndEnd(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := store.Notifications{DB: db}
		var want []string
		for range 5 {
			n := create(t, s, func(n *rule.Notification) { n.Title = "sales%" })
			want = append([]string{n.ID}, want...)
		}
		create(t, s, func(n *rule.Notification) { n.Title = "other" })
		for limit, pages := range map[int]int{1: 5, 2: 3, 5: 1, 6: 1, 100: 1, 0: 1, -1: 1, 10_000: 1} {
			var got []string
			count, paging := 0, store.Paging{Limit: limit}
			for {
				page, err := s.List(t.Context(), store.NotificationFilter{Search: "SALES%"}, paging)
				if err != nil {
					t.Fatal(err)
				}
				for _, n := range page.Items {
					got = append(got, n.ID)
				}
				count++
				if page.Next == "" || count > 9 {
					break
				}
				paging.Cursor = page.Next
			}
			if !slices.Equal(got, want) || count != pages {
				t.Errorf("limit %d: %d pages with %v, want %d with %v", limit, count, got, pages, want)
			}
		}
	})
}
