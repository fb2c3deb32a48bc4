package store

import (
	"context"
	"errors"
	"slices"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// Bulk is what can be done to many notifications at once.
type Bulk string

// What can be done.
const (
	BulkActivate   Bulk = "activate"
	BulkDeactivate Bulk = "deactivate"
	BulkDuplicate  Bulk = "duplicate"
	BulkDelete     Bulk = "delete"
)

// Bulks lists all of it.
var Bulks = []Bulk{BulkActivate, BulkDeactivate, BulkDuplicate, BulkDelete}

// Selection chooses notifications: those with the IDs, or, when Matching is set, all that it matches.
type Selection struct {
	IDs      []string
	Matching *NotificationFilter
}

// Outcome is what a change of many notifications has done.
type Outcome struct {
	// Changed counts the notifications that are not as they were.
	Changed int
	// Revision is the change's number, by which Undo takes it back; 0 when nothing has changed.
	Revision int64
	// Made holds the IDs of new notifications.
	Made []string
}

// errNothingToDo takes a transaction back that has nothing to write: it would be a revision in which nothing changed.
var errNothingToDo = errors.New("nothing to do")

// Bulk does something to every notification of a selection, all in one transaction. Those that are so already, or that
// are gone, are left alone. A copy has the title that titled gives, and is not active: both would fire until someone has
// changed it.
func (s Notifications) Bulk(ctx context.Context, what Bulk, of Selection, titled func(string) string, by string) (Outcome, error) {
	var done Outcome
	err := s.change(ctx, by, func(c *changing) error {
		done = Outcome{Revision: c.revision}
		ids, err := c.chosen(of)
		if err != nil {
			return err
		}
		for part := range slices.Chunk(ids, atOnce) {
			if err := c.bulkPart(what, part, titled, &done); err != nil {
				return err
			}
		}
		if done.Changed == 0 {
			return errNothingToDo
		}
		return nil
	})
	if errors.Is(err, errNothingToDo) {
		return Outcome{}, nil
	}
	return done, err
}

// chosen gives the IDs of a selection, oldest first. They are all read before anything is written, which may match too.
func (c *changing) chosen(of Selection) (ids []string, err error) {
	if of.Matching != nil {
		err = of.Matching.apply(c.tx).Model(&notificationRow{}).Order("id").Pluck("id", &ids).Error
		return ids, err
	}
	return slices.Compact(slices.Sorted(slices.Values(of.IDs))), nil
}

func (c *changing) bulkPart(what Bulk, ids []string, titled func(string) string, done *Outcome) error {
	var rows []notificationRow
	if err := c.tx.Where("id IN ?", ids).Order("id").Find(&rows).Error; err != nil {
		return err
	}
	var alterations []alteration
	for _, row := range rows {
		n, err := row.notification()
		if err != nil {
			return err
		}
		a, needed := c.alter(what, n, titled)
		if !needed {
			continue
		}
		if what == BulkDuplicate {
			done.Made = append(done.Made, a.n.ID)
		}
		alterations = append(alterations, a)
	}
	done.Changed += len(alterations)
	return c.write(alterations...)
}

// alter gives a notification's next state; needed is false when it is so already.
func (c *changing) alter(what Bulk, n *rule.Notification, titled func(string) string) (a alteration, needed bool) {
	switch what {
	case BulkActivate:
		return c.activity(n, true), !n.Active
	case BulkDeactivate:
		return c.activity(n, false), n.Active
	case BulkDuplicate:
		copied := *n
		copied.Title, copied.Active = titled(n.Title), false
		c.begin(&copied)
		return alteration{&copied, Created}, true
	case BulkDelete:
		n.Version++
		return alteration{n, Deleted}, true
	default:
		return alteration{}, false
	}
}

func (c *changing) activity(was *rule.Notification, active bool) alteration {
	n, change := *was, Deactivated
	if n.Active = active; active {
		change = Activated
	}
	c.follow(&n, was)
	return alteration{&n, change}
}

// SetActive activates or deactivates notifications; those that are so already, or that are gone, are left alone. It
// gives the number that changed.
func (s Notifications) SetActive(ctx context.Context, ids []string, active bool, by string) (changed int, err error) {
	what := BulkDeactivate
	if active {
		what = BulkActivate
	}
	done, err := s.Bulk(ctx, what, Selection{IDs: ids}, nil, by)
	return done.Changed, err
}
