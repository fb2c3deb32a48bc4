package store

import (
	"context"
	"errors"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// ErrNotDeleted says that a notification cannot be brought back, because it is there.
var ErrNotDeleted = errors.New("store: the notification is there")

// Version reads one state that a notification had, or gives ErrNotFound.
func (s Notifications) Version(ctx context.Context, id string, version int64) (Version, error) {
	versions, err := s.Versions(ctx, id, version+1, 1)
	if err != nil {
		return Version{}, err
	}
	if len(versions) == 0 || versions[0].Notification.Version != version {
		return Version{}, ErrNotFound
	}
	return versions[0], nil
}

// Restore brings a deleted notification back as it was, with its ID and its next version. One that is there is
// ErrNotDeleted, and one that never was is ErrNotFound. What changed while it was away is not told.
func (s Notifications) Restore(ctx context.Context, id, by string) (n *rule.Notification, err error) {
	err = s.change(ctx, by, func(c *changing) error {
		last, err := c.last(id)
		if err != nil {
			return err
		}
		if last.Change != Deleted {
			return ErrNotDeleted
		}
		if n, err = c.revived(last); err != nil {
			return err
		}
		return c.write(alteration{n, Restored})
	})
	return n, err
}

// RestoreVersion makes a notification what it was in n's version: n is that state as it was read, or ErrNotFound when the
// notification never was. It stays as active as it is now; a deleted one comes back inactive. It fills in Active, Version
// and the times. A saved list that is gone by now is a NoListError.
func (s Notifications) RestoreVersion(ctx context.Context, n *rule.Notification, by string) error {
	return s.change(ctx, by, func(c *changing) error {
		last, err := c.last(n.ID)
		if err != nil {
			return err
		}
		if err := c.hasLists(n); err != nil {
			return err
		}
		was, err := last.notification()
		if err != nil {
			return err
		}
		was.Active = was.Active && last.Change != Deleted
		n.Active = was.Active
		c.follow(n, was)
		return c.write(alteration{n, Restored})
	})
}

// Undo takes back what one change did to each notification that has not changed since, and gives how many that were:
// what it made is deleted, what it deleted comes back, and the rest becomes what it was.
func (s Notifications) Undo(ctx context.Context, revision int64, by string) (Outcome, error) {
	var done Outcome
	err := s.change(ctx, by, func(c *changing) error {
		done = Outcome{Revision: c.revision}
		var states []versionRow
		err := c.tx.Where("revision_from = ? AND revision_to IS NULL", revision).Order("notification_id").Find(&states).Error
		if err != nil {
			return err
		}
		alterations := make([]alteration, len(states))
		for i, state := range states {
			if alterations[i], err = c.before(state); err != nil {
				return err
			}
		}
		if done.Changed = len(alterations); done.Changed == 0 {
			return errNothingToDo
		}
		return c.write(alterations...)
	})
	if errors.Is(err, errNothingToDo) {
		return Outcome{}, nil
	}
	return done, err
}

// last reads a notification's newest state, or gives ErrNotFound.
func (c *changing) last(id string) (versionRow, error) {
	var row versionRow
	err := found(c.tx.Where("notification_id = ? AND revision_to IS NULL", id).Take(&row).Error)
	return row, err
}

// revived gives the state after a deletion that is taken back.
func (c *changing) revived(last versionRow) (*rule.Notification, error) {
	n, err := last.notification()
	if err != nil {
		return nil, err
	}
	n.Version, n.UpdatedAt = n.Version+1, c.now
	if n.Active {
		n.ActiveSince = c.now
	}
	return n, nil
}

// before gives the alteration that takes the newest state back.
func (c *changing) before(state versionRow) (alteration, error) {
	if state.Change == Deleted {
		n, err := c.revived(state)
		return alteration{n, Restored}, err
	}
	n, err := state.notification()
	if err != nil {
		return alteration{}, err
	}
	var earlier versionRow
	err = found(c.tx.Where("notification_id = ? AND version < ?", state.NotificationID, state.Version).Order("version DESC").Limit(1).Take(&earlier).Error)
	if errors.Is(err, ErrNotFound) || err == nil && earlier.Change == Deleted {
		n.Version++
		return alteration{n, Deleted}, nil
	}
	if err != nil {
		return alteration{}, err
	}
	if state.Change == Activated || state.Change == Deactivated {
		return c.activity(n, state.Change == Deactivated), nil
	}
	previous, err := earlier.notification()
	if err != nil {
		return alteration{}, err
	}
	c.follow(previous, n)
	return alteration{previous, Restored}, nil
}
