package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
)

// Incoming is what an import writes.
type Incoming struct {
	// Lists are new, or replace those with their IDs. Their times are filled in.
	Lists []*List
	// Notifications have passed validation. Those whose ID was once here follow its history; the others are new, with their
	// ID or, when it is empty, one of ours.
	Notifications []*rule.Notification
}

// Import writes what decide gives, all of it or nothing. decide sees the database under the lock on the revision: nobody
// changes a notification until it is written. Its error is given back as it is.
func (s Notifications) Import(ctx context.Context, by string, decide func(tx *gorm.DB) (Incoming, error)) (Outcome, error) {
	var done Outcome
	err := s.change(ctx, by, func(c *changing) error {
		in, err := decide(c.tx.Session(&gorm.Session{NewDB: true}))
		if err != nil {
			return err
		}
		done = Outcome{Revision: c.revision, Changed: len(in.Notifications)}
		if len(in.Lists)+len(in.Notifications) == 0 {
			return errNothingToDo
		}
		if err := c.putLists(in.Lists); err != nil {
			return err
		}
		for part := range slices.Chunk(in.Notifications, atOnce) {
			if err := c.putImported(part); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, errNothingToDo) {
		return Outcome{}, nil
	}
	if err != nil {
		return Outcome{}, err
	}
	return done, nil
}

func (c *changing) putLists(lists []*List) error {
	for _, l := range lists {
		l.UpdatedAt = c.now
		if l.CreatedAt.IsZero() {
			l.CreatedAt = c.now
		}
		row, err := l.row()
		if err != nil {
			return err
		}
		if err := c.tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, UpdateAll: true}).Create(row).Error; err != nil {
			return fmt.Errorf("list: %w", err)
		}
		if err := recordList(c.tx, Imported, row, c.by); err != nil {
			return err
		}
	}
	return nil
}

func (c *changing) putImported(part []*rule.Notification) error {
	ids := make([]string, 0, len(part))
	for _, n := range part {
		if n.ID == "" {
			n.ID = outbox.NewID()
		}
		ids = append(ids, n.ID)
	}
	var states []versionRow
	if err := c.tx.Where("notification_id IN ? AND revision_to IS NULL", ids).Find(&states).Error; err != nil {
		return err
	}
	last := make(map[string]versionRow, len(states))
	for _, state := range states {
		last[state.NotificationID] = state
	}
	alterations := make([]alteration, len(part))
	for i, n := range part {
		state, known := last[n.ID]
		if !known {
			id := n.ID
			c.begin(n)
			n.ID = id
			alterations[i] = alteration{n, Imported}
			continue
		}
		was, err := state.notification()
		if err != nil {
			return err
		}
		was.Active = was.Active && state.Change != Deleted
		c.follow(n, was)
		alterations[i] = alteration{n, Imported}
	}
	return c.write(alterations...)
}

// NotificationName is what a notification is found by besides its ID.
type NotificationName struct{ ID, Title, Model string }

// Names reads the names of all notifications, oldest first.
func (s Notifications) Names(ctx context.Context) (names []NotificationName, err error) {
	err = session(s.DB).WithContext(ctx).Model(&notificationRow{}).Select("id, title, model").Order("id").Find(&names).Error
	if err != nil {
		return nil, fmt.Errorf("store: names of notifications: %w", err)
	}
	return names, nil
}
