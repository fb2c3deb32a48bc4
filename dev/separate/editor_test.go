package separate_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/rules"
)

// desk is a way to change rules.
type desk struct {
	rename    func(ctx context.Context, id, title string) error
	setActive func(ctx context.Context, id string, active bool) error
	duplicate func(ctx context.Context, id string) (copied *rules.Notification, err error)
	remove    func(ctx context.Context, id string) error
}

// editor changes rules of its own, and remembers each state that they had.
type editor struct {
	name   string
	party  *party
	desk   desk
	own    []*edited
	titles int
}

// edited is a notification with its states, the first one included.
type edited struct {
	id     string
	states []state
	gone   bool
}

// state is what a notification has become by an edit that began and ended at these moments.
type state struct {
	title      string
	active     bool
	begin, end time.Time
}

func (e *edited) now() state { return e.states[len(e.states)-1] }

// addRule adds an active notification about customers.
func (p *party) addRule(t *testing.T, title string, trigger rule.Trigger) (id string) {
	t.Helper()
	field := "doc.email"
	if trigger == rule.OnDelete {
		field = "old_doc.email"
	}
	n := &rules.Notification{
		Title: title, Message: "Something has happened.", Channel: rules.Email, Model: "customers", Trigger: trigger, Active: true,
		Recipients: []rules.Recipient{{DocumentField: field}},
	}
	must(t, rules.New(p.db, rules.Options{}).Create(t.Context(), n, "test"))
	return n.ID
}

func newEditor(t *testing.T, p *party, name string, d desk) *editor {
	t.Helper()
	e := &editor{name: name, party: p, desk: d}
	for _, trigger := range []rule.Trigger{rule.OnNew, rule.OnUpdate, rule.OnDelete} {
		title, begin := e.title(), time.Now()
		id := p.addRule(t, title, trigger)
		e.own = append(e.own, &edited{id: id, states: []state{{title, true, begin, time.Now()}}})
	}
	return e
}

// title gives one that no other state of any notification has.
func (e *editor) title() string {
	e.titles++
	return fmt.Sprintf("Rule %s, state %d", e.name, e.titles)
}

// edit makes the editor's changes, one after the other.
func (e *editor) edit(t *testing.T, dice *rand.Rand) error {
	for range e.party.size.edits {
		there := slices.DeleteFunc(slices.Clone(e.own), func(n *edited) bool { return n.gone })
		if err := e.one(t.Context(), there[dice.IntN(len(there))], len(there), dice.IntN(10)); err != nil {
			return fmt.Errorf("editor %s: %w", e.name, err)
		}
	}
	return nil
}

// one makes one change to one of the rules that are there.
func (e *editor) one(ctx context.Context, n *edited, there, roll int) error {
	const least, most = 3, 9 // rules of one editor
	next := n.now()
	next.begin = time.Now()
	var err error
	switch {
	case roll < 2 && there < most:
		var copied *rules.Notification
		if copied, err = e.desk.duplicate(ctx, n.id); err != nil {
			return err
		}
		e.own = append(e.own, &edited{id: copied.ID, states: []state{{copied.Title, copied.Active, next.begin, time.Now()}}})
		return nil
	case roll == 2 && there > least:
		n.gone, next.active = true, false
		err = e.desk.remove(ctx, n.id)
	case roll < 6:
		next.active = !next.active
		err = e.desk.setActive(ctx, n.id, next.active)
	default:
		next.title = e.title()
		err = e.desk.rename(ctx, n.id, next.title)
	}
	next.end = time.Now()
	n.states = append(n.states, next)
	return err
}

// overAPI changes rules over the API of one web app after the other.
func (p *party) overAPI(t *testing.T) desk {
	t.Helper()
	turn := 0
	client := func() *house {
		turn++
		h := *p.house
		h.URL = "http://" + p.addrs[turn%len(p.addrs)]
		return &h
	}
	path := func(id string) string { return "/api/v1/notifications/" + id }
	return desk{
		rename: func(ctx context.Context, id, title string) error {
			c, n := client(), map[string]any{}
			if err := c.Call(ctx, http.MethodGet, path(id), nil, &n); err != nil {
				return err
			}
			n["title"] = title
			return c.Call(ctx, http.MethodPut, path(id), n, nil)
		},
		setActive: func(ctx context.Context, id string, active bool) error {
			what := map[bool]string{true: "activate", false: "deactivate"}[active]
			return client().Call(ctx, http.MethodPost, path(what), map[string]any{"ids": []string{id}}, nil)
		},
		duplicate: func(ctx context.Context, id string) (*rules.Notification, error) {
			copied := new(rules.Notification)
			return copied, client().Call(ctx, http.MethodPost, path(id)+"/duplicate", nil, copied)
		},
		remove: func(ctx context.Context, id string) error {
			return client().Call(ctx, http.MethodDelete, path(id), nil, nil)
		},
	}
}

// byBook changes rules as a Go program does.
func (p *party) byBook() desk {
	book := rules.New(p.db, rules.Options{})
	return desk{
		rename: func(ctx context.Context, id, title string) error {
			n, err := book.Get(ctx, id)
			if err != nil {
				return err
			}
			n.Title = title
			return book.Update(ctx, n, "test")
		},
		setActive: func(ctx context.Context, id string, active bool) error {
			_, err := book.SetActive(ctx, []string{id}, active, "test")
			return err
		},
		duplicate: func(ctx context.Context, id string) (*rules.Notification, error) {
			return book.Duplicate(ctx, id, "test")
		},
		remove: func(ctx context.Context, id string) error { return book.Delete(ctx, id, "test") },
	}
}
