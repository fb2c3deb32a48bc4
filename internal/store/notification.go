package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gorm.io/gorm"

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
	// SortTitle and SearchText are what lists are sorted and searched by, in lower case.
	SortTitle, SearchText string
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

// Get reads one notification, or gives ErrNotFound.
func (s Notifications) Get(ctx context.Context, id string) (*rule.Notification, error) {
	var row notificationRow
	if err := session(s.DB).WithContext(ctx).Take(&row, "id = ?", id).Error; err != nil {
		return nil, found(err)
	}
	return row.notification()
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
		SortTitle: sortTitle(n.Title), SearchText: searchText(n), CreatedAt: n.CreatedAt, UpdatedAt: n.UpdatedAt,
	}, nil
}

func (r notificationRow) notification() (*rule.Notification, error) {
	n := new(rule.Notification)
	if err := json.Unmarshal(r.Definition, n); err != nil {
		return nil, fmt.Errorf("store: notification %s cannot be read: %w", r.ID, err)
	}
	return n, nil
}
