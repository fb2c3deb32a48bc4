package console

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// asked reads the filters of a list from its address. What no list of ours asks for is no filter: an address that was
// typed by hand shows the whole list rather than a failure.
type asked struct {
	query url.Values
	zone  *time.Location
	// heeded are the parameters that have been read and understood.
	heeded map[string]bool
}

func ask(c *gin.Context) asked { return asking(c, c.Request.URL.Query()) }

func asking(c *gin.Context, query url.Values) asked {
	return asked{query: query, zone: zone(c), heeded: make(map[string]bool)}
}

// all says whether everything that was asked for has been heeded. A list may show too much, but what is done to "all that
// match" must not reach further than what somebody meant.
func (a asked) all() error {
	for name, values := range a.query {
		if strings.TrimSpace(strings.Join(values, "")) != "" && name != "cursor" && !a.heeded[name] {
			return wrongInput("A part of the filter is not understood, so nothing was done. Go back to the list, filter it anew and try again.")
		}
	}
	return nil
}

// longest bounds what is looked for, in bytes.
const longest = 300

func (a asked) text(name string) string {
	text := strings.TrimSpace(a.query.Get(name))
	if len(text) > longest || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return "" // nothing here has it, and Postgres refuses the last two
	}
	a.heeded[name] = true
	return text
}

// oneOf gives a value if it is one of the known ones.
func oneOf[T ~string](a asked, name string, known []T) string {
	if text := a.text(name); slices.Contains(known, T(text)) {
		return text
	}
	a.heeded[name] = false
	return ""
}

// cursorOf is where a part of a list begins: an ID, or a part of one.
func (a asked) paging() store.Paging {
	return store.Paging{Cursor: a.text("cursor"), Limit: listLimit}
}

// period is a length of time up to now.
type period struct {
	Name, Label string
	length      time.Duration
}

var periods = []period{
	{"hour", "Last hour", time.Hour}, {"day", "Last 24 hours", 24 * time.Hour}, {"week", "Last 7 days", 7 * 24 * time.Hour},
	{"month", "Last 30 days", 30 * 24 * time.Hour},
}

// minutes is how a browser's field writes a moment.
const minutes = "2006-01-02T15:04"

// span reads the period, or the moments from and to in the reader's zone.
func (a asked) span() (s store.Span) {
	for _, p := range periods {
		if p.Name == a.text("period") {
			return store.Span{From: time.Now().Add(-p.length)}
		}
	}
	a.heeded["period"] = false
	read := func(name string) time.Time {
		for _, form := range []string{minutes, "2006-01-02T15:04:05", time.DateOnly} {
			if at, err := time.ParseInLocation(form, a.text(name), a.zone); err == nil {
				return at
			}
		}
		at, err := time.Parse(time.RFC3339, a.text(name))
		a.heeded[name] = err == nil
		return at
	}
	return store.Span{From: read("from"), To: read("to")}
}

// chip is a filter in force, with the query string that takes it away.
type chip struct{ Label, Value, Without string }

// chips lists the filters in force, in the order of the labels: parameter, label, parameter, label.
func (a asked) chips(values map[string]string, labels ...string) (chips []chip) {
	for pair := range slices.Chunk(labels, 2) {
		parameter, label := pair[0], pair[len(pair)-1]
		value := a.text(parameter)
		if value == "" {
			continue
		}
		if said := values[parameter]; said != "" {
			value = said
		}
		without := url.Values{}
		for name, all := range a.query {
			if name != parameter && name != "cursor" {
				without[name] = all
			}
		}
		chips = append(chips, chip{label, value, "?" + without.Encode()})
	}
	return chips
}

// addressForms gives the forms in which an address may be kept that a person writes so.
func (s *Console) addressForms(text string) (forms []string) {
	for _, channel := range rule.Channels {
		if address, err := s.config.Addresses.Normalize(channel, text); err == nil && address != text && !slices.Contains(forms, address) {
			forms = append(forms, address)
		}
	}
	return forms
}

// windowed says how a search ended that did not look at everything.
type windowed struct {
	// Looked is how many of the newest rows were looked at, back to Until; Further is the cursor to look further back.
	Looked  int
	Until   time.Time
	Further string
}

func windowOf[T any](f store.Found[T]) *windowed {
	if f.Further == "" {
		return nil
	}
	return &windowed{Looked: f.Looked, Until: outbox.TimeOf(f.Further), Further: f.Further}
}

// titles gives the notifications' titles as they are now, by ID.
func (s *Console) titles(ctx context.Context, ids []string) (map[string]string, error) {
	slices.Sort(ids)
	ids = slices.DeleteFunc(slices.Compact(ids), func(id string) bool { return id == "" })
	current, err := s.notifications.Current(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("console: titles: %w", err)
	}
	titles := make(map[string]string, len(current))
	for id, n := range current {
		titles[id] = n.Title
	}
	return titles, nil
}
