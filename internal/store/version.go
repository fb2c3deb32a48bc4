package store

import (
	"context"
	"fmt"
	"time"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// Change says what was done to a notification.
type Change string

// The changes.
const (
	Created     Change = "created"
	Changed     Change = "changed"
	Activated   Change = "activated"
	Deactivated Change = "deactivated"
	Deleted     Change = "deleted"
	// Restored came back after it was deleted, or became again what it once was.
	Restored Change = "restored"
	// Imported came from a file.
	Imported Change = "imported"
)

// Version is one state that a notification had: who made it so, when and how.
type Version struct {
	Notification *rule.Notification
	Change       Change
	ChangedBy    string
	ChangedAt    time.Time
}

// Versions reads the states of a notification, newest first, up to limit, from before the given version on (0: from the
// newest). A deleted notification keeps its states; an ID that never was has none.
func (s Notifications) Versions(ctx context.Context, id string, before int64, limit int) ([]Version, error) {
	query := session(s.DB).WithContext(ctx).Where("notification_id = ?", id)
	if before > 0 {
		query = query.Where("version < ?", before)
	}
	var rows []versionRow
	if err := query.Order("version DESC").Limit(limit).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("store: versions of notification %s: %w", id, err)
	}
	return versionsOf(rows)
}

func versionsOf(rows []versionRow) ([]Version, error) {
	versions := make([]Version, len(rows))
	for i, row := range rows {
		n, err := row.notification()
		if err != nil {
			return nil, err
		}
		versions[i] = Version{Notification: n, Change: row.change(), ChangedBy: row.ChangedBy, ChangedAt: row.ChangedAt.UTC()}
	}
	return versions, nil
}

// change reads versions of before there was a word for it.
func (r versionRow) change() Change {
	switch {
	case r.Change != "":
		return r.Change
	case r.Version == 1:
		return Created
	default:
		return Changed
	}
}

// Current reads those of the notifications that are still there, without an order.
func (s Notifications) Current(ctx context.Context, ids []string) (map[string]*rule.Notification, error) {
	current := make(map[string]*rule.Notification, len(ids))
	if len(ids) == 0 {
		return current, nil
	}
	var rows []notificationRow
	if err := session(s.DB).WithContext(ctx).Where("id IN ?", ids).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("store: notifications by ID: %w", err)
	}
	for _, row := range rows {
		n, err := row.notification()
		if err != nil {
			return nil, err
		}
		current[n.ID] = n
	}
	return current, nil
}

// VersionID names one state of a notification.
type VersionID struct {
	NotificationID string
	Version        int64
}

// versionsAtOnce is how many states one statement names.
const versionsAtOnce = 100

// AtVersions reads states that notifications had; what is not there is left out.
func (s Notifications) AtVersions(ctx context.Context, ids []VersionID) (map[VersionID]*rule.Notification, error) {
	found := make(map[VersionID]*rule.Notification, len(ids))
	for len(ids) > 0 {
		some := ids[:min(versionsAtOnce, len(ids))]
		ids = ids[len(some):]
		query := session(s.DB).WithContext(ctx)
		for _, id := range some {
			query = query.Or("notification_id = ? AND version = ?", id.NotificationID, id.Version)
		}
		var rows []versionRow
		if err := query.Find(&rows).Error; err != nil {
			return nil, fmt.Errorf("store: states of notifications: %w", err)
		}
		for _, row := range rows {
			n, err := row.notification()
			if err != nil {
				return nil, err
			}
			found[VersionID{row.NotificationID, row.Version}] = n
		}
	}
	return found, nil
}
