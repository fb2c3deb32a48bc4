package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/silquetech/silque-notifications/internal/audit"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
)

// NoListError says that a recipient names a saved list that is not there (any more).
type NoListError struct {
	// Recipient is the row, from 0.
	Recipient int
}

// Error names the row.
func (e *NoListError) Error() string {
	return fmt.Sprintf("store: recipients[%d] names a saved list that is not there", e.Recipient)
}

// Create stores a new notification, which has passed validation; it fills in ID, Version and the times. A saved list that
// is gone by now is a NoListError.
func (s Notifications) Create(ctx context.Context, n *rule.Notification, by string) error {
	return s.change(ctx, by, func(c *changing) error {
		c.begin(n)
		if err := c.hasLists(n); err != nil {
			return err
		}
		return c.write(alteration{n, Created})
	})
}

// Update replaces the notification with n's ID, or gives ErrNotFound; it fills in Version and the times. A saved list
// that is gone by now is a NoListError.
func (s Notifications) Update(ctx context.Context, n *rule.Notification, by string) error {
	return s.Replace(ctx, n, Replacing{}, by)
}

// ErrVersionConflict says that somebody else has changed the notification since it was read.
var ErrVersionConflict = errors.New("store: the notification has been changed meanwhile")

// Replacing are conditions of an update.
type Replacing struct {
	// From is the version that was read: when there is a later one by now, the notification stays as it is and the error
	// is ErrVersionConflict. Zero replaces any.
	From int64
	// KeepActive leaves it as active as it is at that moment, and fills in Active.
	KeepActive bool
}

// Replace is Update under conditions.
func (s Notifications) Replace(ctx context.Context, n *rule.Notification, how Replacing, by string) error {
	return s.change(ctx, by, func(c *changing) error {
		was, err := c.current(n.ID)
		if err != nil {
			return err
		}
		if how.From != 0 && was.Version != how.From {
			return ErrVersionConflict
		}
		if err := c.hasLists(n); err != nil {
			return err
		}
		if how.KeepActive {
			n.Active = was.Active
		}
		c.follow(n, was)
		return c.write(alteration{n, Changed})
	})
}

// Delete removes a notification, or gives ErrNotFound. Its versions stay: events that came before are judged by them.
func (s Notifications) Delete(ctx context.Context, id, by string) error {
	return s.change(ctx, by, func(c *changing) error {
		n, err := c.current(id)
		if err != nil {
			return err
		}
		n.Version++
		return c.write(alteration{n, Deleted})
	})
}

// changing is one change of the rules, under a revision of its own.
type changing struct {
	tx       *gorm.DB
	revision int64
	now      time.Time
	by       string
}

// change runs one change of the rules under a revision of its own. The row lock on the revision makes changes follow
// each other, so that a reader never sees a revision without all that belongs to it.
func (s Notifications) change(ctx context.Context, by string, apply func(c *changing) error) error {
	err := session(s.DB).WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		c := &changing{tx: tx, by: by, now: tx.NowFunc().UTC().Truncate(time.Microsecond)}
		err := tx.Raw("UPDATE notify_revision SET revision = revision + 1 WHERE id = 1 RETURNING revision").
			Scan(&c.revision).Error
		if err != nil {
			return err
		}
		return apply(c)
	})
	if err != nil {
		return fmt.Errorf("store: change a notification: %w", err)
	}
	return nil
}

// current reads a notification as it is now, or gives ErrNotFound.
func (c *changing) current(id string) (*rule.Notification, error) {
	var row notificationRow
	if err := c.tx.Take(&row, "id = ?", id).Error; err != nil {
		return nil, found(err)
	}
	return row.notification()
}

// begin makes n a new notification.
func (c *changing) begin(n *rule.Notification) {
	n.ID, n.Version, n.CreatedAt, n.UpdatedAt, n.ActiveSince = outbox.NewID(), 1, c.now, c.now, c.now
}

// follow makes n the state that comes after another one.
func (c *changing) follow(n, was *rule.Notification) {
	n.ID, n.Version, n.CreatedAt, n.UpdatedAt = was.ID, was.Version+1, was.CreatedAt, c.now
	n.ActiveSince = activeSince(was, n, c.now)
}

// hasLists looks whether the saved lists that n names are there. Under the lock on the revision none of them can be
// deleted until the change is committed.
func (c *changing) hasLists(n *rule.Notification) error {
	for i, r := range n.Recipients {
		if r.ListID == "" {
			continue
		}
		var list listRow
		err := found(c.tx.Select("id").Take(&list, "id = ?", r.ListID).Error)
		if errors.Is(err, ErrNotFound) {
			return &NoListError{Recipient: i}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// alteration is a notification's next state, and what was done to it. One that is Deleted is as it was, with the next
// version.
type alteration struct {
	n      *rule.Notification
	change Change
}

// atOnce bounds the notifications of one statement, whose parameters a database counts.
const atOnce = 200

// write ends the states before, begins the next ones, and tells the audit log.
func (c *changing) write(alterations ...alteration) error {
	for part := range slices.Chunk(alterations, atOnce) {
		if err := c.writePart(part); err != nil {
			return err
		}
	}
	return nil
}

func (c *changing) writePart(part []alteration) error {
	ids := make([]string, len(part))
	var gone []string
	var rows []*notificationRow
	versions, entries := make([]*versionRow, len(part)), make([]audit.Entry, len(part))
	for i, a := range part {
		row, err := rowOf(a.n)
		if err != nil {
			return err
		}
		if ids[i] = row.ID; a.change == Deleted {
			gone = append(gone, row.ID)
		} else {
			rows = append(rows, row)
		}
		versions[i] = &versionRow{
			NotificationID: row.ID, Version: row.Version, RevisionFrom: c.revision, Model: row.Model, TriggerName: row.TriggerName,
			Active: row.Active && a.change != Deleted, Definition: row.Definition, Change: a.change, ChangedBy: c.by, ChangedAt: c.now,
		}
		entries[i] = audit.Entry{Actor: c.by, Action: "notification." + string(a.change), TargetID: row.ID, Detail: a.n.Title}
	}
	err := c.tx.Model(&versionRow{}).Where("notification_id IN ? AND revision_to IS NULL", ids).Update("revision_to", c.revision).Error
	if err == nil {
		err = c.tx.Create(versions).Error
	}
	if err == nil && len(gone) > 0 {
		err = c.tx.Delete(&notificationRow{}, "id IN ?", gone).Error
	}
	if err == nil && len(rows) > 0 {
		err = c.tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(rows).Error
	}
	if err != nil {
		return err
	}
	return audit.RecordAllTx(c.tx, entries)
}

// activeSince moves when a notification begins to be active, or when its dates mean something else from now on.
func activeSince(before, after *rule.Notification, now time.Time) time.Time {
	switch {
	case after.Active && !before.Active, before.AlertsDiffer(after):
		return now
	case before.ActiveSince.IsZero():
		return before.CreatedAt
	default:
		return before.ActiveSince
	}
}

// notification reads the state that a version keeps.
func (r versionRow) notification() (*rule.Notification, error) {
	n := new(rule.Notification)
	if err := json.Unmarshal(r.Definition, n); err != nil {
		return nil, fmt.Errorf("store: version %d of notification %s cannot be read: %w", r.Version, r.NotificationID, err)
	}
	return n, nil
}
