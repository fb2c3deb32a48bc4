package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/audit"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
)

// notificationRow is a notification as stored.
type notificationRow struct {
	ID          string `gorm:"primaryKey"`
	Title       string
	Message     string
	Active      bool
	Channel     rule.Channel
	Model       string
	TriggerName rule.Trigger
	Recipients  outbox.Snapshot
	// Definition is the whole notification; the columns beside it serve lists and searches.
	Definition outbox.Snapshot
	Version    int64
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// TableName is fixed by the migrations.
func (notificationRow) TableName() string { return "notify_notifications" }

// versionRow is one state that a notification had, and the revisions in which it was in force.
type versionRow struct {
	NotificationID string `gorm:"primaryKey"`
	Version        int64  `gorm:"primaryKey;autoIncrement:false"`
	RevisionFrom   int64
	RevisionTo     *int64
	Model          string
	TriggerName    rule.Trigger
	Active         bool
	Definition     outbox.Snapshot
	Change         Change
	ChangedBy      string
	ChangedAt      time.Time
}

// TableName is fixed by the migrations.
func (versionRow) TableName() string { return "notify_notification_versions" }

// Notifications keeps the rules and every state that they had.
type Notifications struct{ DB *gorm.DB }

// NotificationFilter narrows a list; empty fields do not.
type NotificationFilter struct {
	Channel, Trigger, Model string
	Active                  *bool
	// Search looks in title, message and recipients.
	Search string
}

// Get reads one notification, or gives ErrNotFound.
func (s Notifications) Get(ctx context.Context, id string) (*rule.Notification, error) {
	var row notificationRow
	if err := session(s.DB).WithContext(ctx).Take(&row, "id = ?", id).Error; err != nil {
		return nil, found(err)
	}
	return row.notification()
}

// List reads a page, newest first.
func (s Notifications) List(ctx context.Context, f NotificationFilter, p Paging) (Page[*rule.Notification], error) {
	query := equal(session(s.DB).WithContext(ctx), map[string]string{
		"channel": f.Channel, "trigger_name": f.Trigger, "model": f.Model,
	})
	if f.Active != nil {
		query = query.Where("active = ?", *f.Active)
	}
	if f.Search != "" {
		query = search(query, f.Search)
	}
	rows, err := newestFirst(query, p, func(r notificationRow) string { return r.ID })
	if err != nil {
		return Page[*rule.Notification]{}, fmt.Errorf("store: list notifications: %w", err)
	}
	page := Page[*rule.Notification]{Items: make([]*rule.Notification, len(rows.Items)), Next: rows.Next}
	for i, row := range rows.Items {
		if page.Items[i], err = row.notification(); err != nil {
			return Page[*rule.Notification]{}, err
		}
	}
	return page, nil
}

// recipientValues is the recipients' JSON without its names, so that a search for "address" does not find them all. In a
// value the quotes would be escaped.
const recipientValues = `REPLACE(REPLACE(recipients, '"address":', ''), '"document_field":', '')`

// search narrows a query to what holds the text in its title, its message or a recipient.
func search(query *gorm.DB, text string) *gorm.DB {
	like := "%" + escapeLike(text) + "%"
	encoded, _ := json.Marshal(text) // a string always encodes
	likeJSON := "%" + escapeLike(string(encoded[1:len(encoded)-1])) + "%"
	return query.Where(`(LOWER(title) LIKE LOWER(?) ESCAPE '\' OR LOWER(message) LIKE LOWER(?) ESCAPE '\'
		OR LOWER(`+recipientValues+`) LIKE LOWER(?) ESCAPE '\')`, like, like, likeJSON)
}

// Create stores a new notification, which has passed validation; it fills in ID, Version and the times.
func (s Notifications) Create(ctx context.Context, n *rule.Notification, by string) error {
	return s.change(ctx, func(tx *gorm.DB, revision int64, now time.Time) error {
		n.ID, n.Version, n.CreatedAt, n.UpdatedAt, n.ActiveSince = outbox.NewID(), 1, now, now, now
		row, err := rowOf(n)
		if err != nil {
			return err
		}
		if err := tx.Create(row).Error; err != nil {
			return err
		}
		return keepVersion(tx, n, Created, revision, by, now)
	})
}

// ErrVersionConflict says that somebody else has changed the notification since it was read.
var ErrVersionConflict = errors.New("store: the notification has been changed meanwhile")

// Update replaces the notification with n's ID, or gives ErrNotFound; it fills in Version and the times.
func (s Notifications) Update(ctx context.Context, n *rule.Notification, by string) error {
	return s.UpdateFrom(ctx, n, 0, by)
}

// UpdateFrom is Update of the version that was read: when there is a later one by now, the notification stays as it is and
// the error is ErrVersionConflict. Version 0 replaces any.
func (s Notifications) UpdateFrom(ctx context.Context, n *rule.Notification, version int64, by string) error {
	return s.change(ctx, func(tx *gorm.DB, revision int64, now time.Time) error {
		var before notificationRow
		if err := tx.Take(&before, "id = ?", n.ID).Error; err != nil {
			return found(err)
		}
		was, err := before.notification()
		if err != nil {
			return err
		}
		if version != 0 && was.Version != version {
			return ErrVersionConflict
		}
		n.Version, n.CreatedAt, n.UpdatedAt = was.Version+1, was.CreatedAt, now
		n.ActiveSince = activeSince(was, n, now)
		row, err := rowOf(n)
		if err != nil {
			return err
		}
		if err := tx.Save(row).Error; err != nil {
			return err
		}
		return keepVersion(tx, n, Changed, revision, by, now)
	})
}

// Delete removes a notification, or gives ErrNotFound. Its versions stay: events that came before are judged by them.
func (s Notifications) Delete(ctx context.Context, id, by string) error {
	return s.change(ctx, func(tx *gorm.DB, revision int64, now time.Time) error {
		var before notificationRow
		if err := tx.Take(&before, "id = ?", id).Error; err != nil {
			return found(err)
		}
		if err := tx.Delete(&notificationRow{}, "id = ?", id).Error; err != nil {
			return err
		}
		n, err := before.notification()
		if err != nil {
			return err
		}
		n.Version++
		return keepVersion(tx, n, Deleted, revision, by, now)
	})
}

// SetActive activates or deactivates notifications; those that are so already, or that are gone, are left alone. It
// gives the number that changed.
func (s Notifications) SetActive(ctx context.Context, ids []string, active bool, by string) (changed int, err error) {
	change := Deactivated
	if active {
		change = Activated
	}
	err = s.change(ctx, func(tx *gorm.DB, revision int64, now time.Time) error {
		var rows []notificationRow
		if err := tx.Where("id IN ? AND active <> ?", ids, active).Find(&rows).Error; err != nil {
			return err
		}
		for i := range rows {
			n, err := rows[i].notification()
			if err != nil {
				return err
			}
			was := *n
			n.Active, n.UpdatedAt, n.Version = active, now, n.Version+1
			n.ActiveSince = activeSince(&was, n, now)
			row, err := rowOf(n)
			if err != nil {
				return err
			}
			if err := tx.Save(row).Error; err != nil {
				return err
			}
			if err := keepVersion(tx, n, change, revision, by, now); err != nil {
				return err
			}
		}
		changed = len(rows)
		return nil
	})
	return changed, err
}

// InForce reads the active notifications of a model and its triggers as they were at a revision, oldest first.
func (s Notifications) InForce(
	ctx context.Context, model string, triggers []rule.Trigger, revision int64,
) ([]*rule.Notification, error) {
	var rows []versionRow
	err := session(s.DB).WithContext(ctx).Select("definition").
		Where("model = ? AND trigger_name IN ? AND active AND revision_from <= ?", model, triggers, revision).
		Where("revision_to IS NULL OR revision_to > ?", revision).
		Order("notification_id").Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("store: notifications in force: %w", err)
	}
	notifications := make([]*rule.Notification, len(rows))
	for i, row := range rows {
		notifications[i] = new(rule.Notification)
		if err := json.Unmarshal(row.Definition, notifications[i]); err != nil {
			return nil, fmt.Errorf("store: a notification's version cannot be read: %w", err)
		}
	}
	return notifications, nil
}

// Revision reads the number of the current state of all notifications.
func (s Notifications) Revision(ctx context.Context) (revision int64, err error) {
	err = session(s.DB).WithContext(ctx).Raw("SELECT revision FROM notify_revision WHERE id = 1").Scan(&revision).Error
	if err != nil {
		return 0, fmt.Errorf("store: revision: %w", err)
	}
	return revision, nil
}

// change runs one change of the rules under a revision of its own. The row lock on the revision makes changes follow
// each other, so that a reader never sees a revision without all that belongs to it.
func (s Notifications) change(ctx context.Context, apply func(tx *gorm.DB, revision int64, now time.Time) error) error {
	err := session(s.DB).WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var revision int64
		err := tx.Raw("UPDATE notify_revision SET revision = revision + 1 WHERE id = 1 RETURNING revision").
			Scan(&revision).Error
		if err != nil {
			return err
		}
		return apply(tx, revision, time.Now().UTC().Truncate(time.Microsecond))
	})
	if err != nil {
		return fmt.Errorf("store: change a notification: %w", err)
	}
	return nil
}

// keepVersion ends the state before and begins this one, and tells the audit log.
func keepVersion(tx *gorm.DB, n *rule.Notification, change Change, revision int64, by string, now time.Time) error {
	definition, err := json.Marshal(n)
	if err != nil {
		return err
	}
	err = tx.Model(&versionRow{}).Where("notification_id = ? AND revision_to IS NULL", n.ID).
		Update("revision_to", revision).Error
	if err != nil {
		return err
	}
	err = tx.Create(&versionRow{
		NotificationID: n.ID, Version: n.Version, RevisionFrom: revision,
		Model: n.Model, TriggerName: n.Trigger, Active: n.Active && change != Deleted,
		Definition: definition, Change: change, ChangedBy: by, ChangedAt: now,
	}).Error
	if err != nil {
		return err
	}
	return audit.RecordTx(tx, audit.Entry{Actor: by, Action: "notification." + string(change), TargetID: n.ID, Detail: n.Title})
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

func rowOf(n *rule.Notification) (*notificationRow, error) {
	if n.Recipients == nil {
		n.Recipients = []rule.Recipient{}
	}
	recipients, err := json.Marshal(n.Recipients)
	if err != nil {
		return nil, err
	}
	definition, err := json.Marshal(n)
	if err != nil {
		return nil, err
	}
	return &notificationRow{
		ID: n.ID, Title: n.Title, Message: n.Message, Active: n.Active, Channel: n.Channel,
		Model: n.Model, TriggerName: n.Trigger, Recipients: recipients, Definition: definition, Version: n.Version,
		CreatedAt: n.CreatedAt, UpdatedAt: n.UpdatedAt,
	}, nil
}

func (r notificationRow) notification() (*rule.Notification, error) {
	n := new(rule.Notification)
	if err := json.Unmarshal(r.Definition, n); err != nil {
		return nil, fmt.Errorf("store: notification %s cannot be read: %w", r.ID, err)
	}
	return n, nil
}
