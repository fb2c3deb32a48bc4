package ruleset

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/saying"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/rules"
)

// Set is the notifications of a database, as they go into a file and come out of one.
type Set struct {
	DB *gorm.DB
	// Options are those of the Book that the notifications are kept in.
	Options rules.Options
}

// Options are what a person decides about an import.
type Options struct {
	// Overwrite replaces notifications and lists that are here and different; otherwise they stay.
	Overwrite bool
	// Activate makes the notifications as active as the file says. Otherwise new ones are inactive, and those that are
	// replaced stay as active as they are.
	Activate bool
	// Progress, when set, hears how many notifications have been looked at.
	Progress func(done, total int)
}

// Status is what an import makes of one notification or list.
type Status string

// The statuses.
const (
	New Status = "new"
	// SameAsHere needs nothing to be done.
	SameAsHere Status = "same"
	// Changed is here and different, and is replaced when Overwrite is set.
	Changed Status = "changed"
	// Invalid cannot be here; with one, nothing is imported.
	Invalid Status = "invalid"
)

// Item is what an import makes of one notification.
type Item struct {
	// Number counts from 1 in the file.
	Number int
	// Notification is as it would be stored.
	Notification *rule.Notification
	Status       Status
	// Here is the one that it matches; nil when there is none.
	Here        *rule.Notification
	Differences []saying.Difference
	Problems    rule.FieldErrors
}

// ListItem is what an import makes of one list.
type ListItem struct {
	Name     string
	Status   Status
	Entries  int
	Problems rule.FieldErrors
	list     *store.List
}

// Plan is what an import would do.
type Plan struct {
	Items []Item
	Lists []ListItem
	// Counts and ListCounts say how many have each status.
	Counts, ListCounts map[Status]int
}

// ErrInvalid says that something in the file cannot be here, so that nothing was imported. The plan says what.
var ErrInvalid = errors.New("some of the file cannot be imported, so nothing was")

// Writes counts the notifications and lists that an import would write.
func (p *Plan) Writes(o Options) int {
	writes := p.Counts[New] + p.ListCounts[New]
	if o.Overwrite {
		writes += p.Counts[Changed] + p.ListCounts[Changed]
	}
	return writes
}

// Valid says whether nothing in the file is invalid.
func (p *Plan) Valid() bool { return p.Counts[Invalid]+p.ListCounts[Invalid] == 0 }

// Plan says what an import would do now, and does nothing.
func (s Set) Plan(ctx context.Context, f *File, o Options) (*Plan, error) {
	return s.plan(ctx, s.DB, f, o)
}

// Import carries a file over, all of it or nothing; it can be repeated. When something is invalid the error is ErrInvalid,
// and the plan says what. What was imported can be taken back by the outcome's revision; lists stay.
func (s Set) Import(ctx context.Context, f *File, o Options, by string) (*Plan, store.Outcome, error) {
	before, err := s.state(ctx, s.DB)
	if err != nil {
		return nil, store.Outcome{}, err
	}
	// To check some thousand notifications takes seconds, in which SQLite's other writers are not to wait.
	plan, err := s.plan(ctx, s.DB, f, o)
	if err != nil {
		return nil, store.Outcome{}, err
	}
	done, err := store.Notifications{DB: s.DB}.Import(ctx, by, func(tx *gorm.DB) (in store.Incoming, err error) {
		now, err := s.state(ctx, tx)
		if err != nil {
			return in, err
		}
		// The transaction's own revision is the next one. When somebody was between, everything is looked at once more, now
		// that nobody changes anything.
		if before.revision++; !reflect.DeepEqual(before, now) {
			if plan, err = s.plan(ctx, tx, f, o); err != nil {
				return in, err
			}
		}
		if !plan.Valid() {
			return in, ErrInvalid
		}
		return plan.incoming(o), nil
	})
	if err == nil && done.Changed > 0 && s.Options.OnChange != nil {
		s.Options.OnChange(ctx)
	}
	return plan, done, err
}

// state is what a plan rests on.
type state struct {
	revision int64
	lists    map[string]time.Time
}

func (s Set) state(ctx context.Context, db *gorm.DB) (now state, err error) {
	if now.revision, err = (store.Notifications{DB: db}).Revision(ctx); err != nil {
		return now, err
	}
	lists, err := store.Lists{DB: db}.All(ctx)
	if err != nil {
		return now, err
	}
	now.lists = make(map[string]time.Time, len(lists))
	for _, l := range lists {
		now.lists[l.ID] = l.UpdatedAt
	}
	return now, nil
}

func (p *Plan) incoming(o Options) (in store.Incoming) {
	writes := func(status Status) bool { return status == New || status == Changed && o.Overwrite }
	for _, l := range p.Lists {
		if writes(l.Status) {
			in.Lists = append(in.Lists, l.list)
		}
	}
	for _, item := range p.Items {
		if writes(item.Status) {
			in.Notifications = append(in.Notifications, item.Notification)
		}
	}
	return in
}

func (s Set) plan(ctx context.Context, db *gorm.DB, f *File, o Options) (*Plan, error) {
	p := &Plan{Counts: map[Status]int{}, ListCounts: map[Status]int{}}
	book := rules.New(db, s.Options)
	reader, err := book.Reader(ctx)
	if err != nil {
		return nil, err
	}
	lists, err := s.lists(ctx, db, f, reader.Addresses)
	if err != nil {
		return nil, err
	}
	p.Lists = lists.items
	for _, l := range p.Lists {
		p.ListCounts[l.Status]++
	}
	here := reader.HasList
	reader.HasList = func(id string) bool { return here(id) || lists.comes[id] }
	matches, err := s.match(ctx, db, f, lists)
	if err != nil {
		return nil, err
	}
	names := saying.Names{List: func(id string) string { return lists.names[id] }}
	for i := range f.Notifications {
		item := matches.item(i, o)
		if len(item.Problems) == 0 {
			item.judge(reader, names)
		}
		p.Items = append(p.Items, item)
		p.Counts[item.Status]++
		if o.Progress != nil {
			o.Progress(i+1, len(f.Notifications))
		}
	}
	return p, nil
}

// judge says what becomes of a notification that matches one here, or none.
func (i *Item) judge(reader rule.Reader, names saying.Names) {
	if i.Problems = reader.Validate(i.Notification); len(i.Problems) > 0 {
		i.Status = Invalid
		return
	}
	i.Notification.DropOtherTriggers()
	if i.Here == nil {
		i.Status = New
		return
	}
	i.Differences = saying.Differences(i.Here, i.Notification, names)
	i.Status = Changed
	if len(i.Differences) == 0 && same(i.Here, i.Notification) {
		i.Status = SameAsHere
	}
}

// problem marks a notification that cannot be matched.
func problem(item Item, format string, args ...any) Item {
	item.Status, item.Problems = Invalid, rule.FieldErrors{"id": fmt.Sprintf(format, args...)}
	return item
}
