package ruleset

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// listMatches are the lists of a file beside those that are here.
type listMatches struct {
	items []ListItem
	// ours gives the ID that a list of the file has here; comes holds those that are new; names gives all names.
	ours  map[string]string
	comes map[string]bool
	names map[string]string
}

// listNameLimit is in characters, as in the REST API.
const listNameLimit = 255

// lists matches lists by ID, and else by name.
func (s Set) lists(ctx context.Context, db *gorm.DB, f *File, addresses rule.Addresses) (*listMatches, error) {
	all, err := store.Lists{DB: db}.All(ctx)
	if err != nil {
		return nil, err
	}
	m := &listMatches{ours: map[string]string{}, comes: map[string]bool{}, names: map[string]string{}}
	byID, byName := map[string]*store.List{}, map[string]*store.List{}
	for _, l := range all {
		byID[l.ID], byName[l.Name], m.names[l.ID] = l, l, l.Name
	}
	for _, l := range f.Lists {
		entries := l.Entries
		if entries == nil {
			entries = []rule.ListEntry{}
		}
		item := ListItem{Name: l.Name, Entries: len(entries), Problems: rule.ValidateList(entries, addresses)}
		item.list = &store.List{ID: l.ID, Name: l.Name, Entries: entries}
		here := byID[l.ID]
		if here == nil {
			here = byName[l.Name]
		}
		if other := byName[l.Name]; here != nil && other != nil && other.ID != here.ID {
			item.Problems["name"] = "another list here has this name"
		}
		switch {
		case l.Name == "":
			item.Problems["name"] = "give the list a name"
		case utf8.RuneCountInString(l.Name) > listNameLimit || strings.ContainsRune(l.Name, 0):
			item.Problems["name"] = "at most 255 characters, and no NUL"
		}
		if here == nil {
			item.Status = New
			if item.list.ID == "" {
				item.list.ID = outbox.NewID()
			}
			m.comes[item.list.ID], m.names[item.list.ID] = true, l.Name
		} else {
			item.list.ID, item.list.CreatedAt = here.ID, here.CreatedAt
			item.Status = Changed
			if here.Name == l.Name && slices.Equal(here.Entries, entries) {
				item.Status = SameAsHere
			}
		}
		if m.ours[l.ID] = item.list.ID; len(item.Problems) > 0 {
			item.Status = Invalid
		}
		m.items = append(m.items, item)
	}
	return m, nil
}

// name is what a notification is matched by when its ID is not here.
type name struct{ title, model string }

// matches are the notifications of a file beside those that are here.
type matches struct {
	file  *File
	lists *listMatches
	// here holds the notifications that may match, by ID; named their IDs by name; taken those that are matched already.
	here  map[string]*rule.Notification
	named map[name][]string
	taken map[string]bool
	// byID gives for each notification of the file the one here that has its ID.
	byID []string
}

// match reads what the file may be about: what has an ID of the file first, because a name must not take that.
func (s Set) match(ctx context.Context, db *gorm.DB, f *File, lists *listMatches) (*matches, error) {
	m := &matches{
		file: f, lists: lists, here: map[string]*rule.Notification{}, named: map[name][]string{},
		taken: map[string]bool{}, byID: make([]string, len(f.Notifications)),
	}
	notifications := store.Notifications{DB: db}
	all, err := notifications.Names(ctx)
	if err != nil {
		return nil, err
	}
	known, wanted := map[string]bool{}, map[name]bool{}
	for _, n := range all {
		known[n.ID] = true
	}
	var ids []string
	for i, n := range f.Notifications {
		if n.ID != "" && known[n.ID] {
			m.byID[i], m.taken[n.ID] = n.ID, true
			ids = append(ids, n.ID)
		} else {
			wanted[name{n.Title, n.Model}] = true
		}
	}
	for _, n := range all {
		if key := (name{n.Title, n.Model}); wanted[key] && !m.taken[n.ID] {
			m.named[key] = append(m.named[key], n.ID)
			ids = append(ids, n.ID)
		}
	}
	for part := range slices.Chunk(ids, store.MaxLimit) {
		current, err := notifications.Current(ctx, part)
		if err != nil {
			return nil, err
		}
		for id, n := range current {
			m.here[id] = n
		}
	}
	return m, nil
}

// item gives a notification of the file as it would be stored, with the one here that it matches.
func (m *matches) item(i int, o Options) Item {
	n := m.file.Notifications[i].Notification
	n.Recipients = slices.Clone(n.Recipients)
	for j, r := range n.Recipients {
		if ours := m.lists.ours[r.ListID]; r.ListID != "" && ours != "" {
			n.Recipients[j].ListID = ours
		}
	}
	item := Item{Number: i + 1, Notification: &n}
	if id := m.byID[i]; id != "" {
		item.Here = m.here[id]
	} else {
		candidates := m.candidates(&n)
		if len(candidates) > 1 {
			return problem(item, "%d notifications here have this title and model: give it the id of the one that is meant", len(candidates))
		}
		if len(candidates) == 1 {
			item.Here = candidates[0]
		}
	}
	if item.Here != nil {
		m.taken[item.Here.ID], n.ID = true, item.Here.ID
	}
	switch {
	case o.Activate:
	case item.Here != nil:
		n.Active = item.Here.Active
	default:
		n.Active = false
	}
	return item
}

// candidates are those of the same title and model that nothing else has matched. Of several, the first one that says the
// same counts, or else the only one with the same channel and trigger.
func (m *matches) candidates(n *rule.Notification) []*rule.Notification {
	var free, alike []*rule.Notification
	for _, id := range m.named[name{n.Title, n.Model}] {
		here := m.here[id]
		if m.taken[id] || here == nil {
			continue
		}
		likened := *n
		likened.DropOtherTriggers()
		likened.Active = here.Active
		if same(here, &likened) {
			return []*rule.Notification{here}
		}
		free = append(free, here)
		if here.Channel == n.Channel && here.Trigger == n.Trigger {
			alike = append(alike, here)
		}
	}
	if len(free) > 1 && len(alike) == 1 {
		return alike
	}
	return free
}

// same says whether two notifications say the same, whatever the system decides about them.
func same(a, b *rule.Notification) bool {
	return reflect.DeepEqual(essence(a), essence(b))
}

// essence is a notification as it is written to a file, without its ID.
func essence(n *rule.Notification) map[string]any {
	out := *filled(n)
	out.ID, out.Version, out.CreatedAt, out.UpdatedAt, out.ActiveSince = "", 0, time.Time{}, time.Time{}, time.Time{}
	text, _ := json.Marshal(out) // it came out of JSON
	var values map[string]any
	_ = json.Unmarshal(text, &values)
	return values
}
