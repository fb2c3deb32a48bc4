package store

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// AlertScan is how far the scan of a date alert has come that is under way.
type AlertScan struct {
	NotificationID string `gorm:"primaryKey"`
	// Scan names the run of the scan: a repeated step of the same run goes on, another run begins anew. Empty when the scan
	// has come to its end.
	Scan string
	// Until is the time of the scan: rows that are due by then are found.
	Until time.Time
	// AfterKey is the primary key of the last row that was looked at, as JSON.
	AfterKey  string
	UpdatedAt time.Time
}

// TableName is fixed by the migrations.
func (AlertScan) TableName() string { return "notify_alert_scans" }

// AlertScans keeps the places of scans. Primary keys may be personal data: that is why they are here and not in
// Temporal.
type AlertScans struct{ DB *gorm.DB }

// Get gives the place of a notification's last scan, under way or ended, or ErrNotFound when there was none.
func (s AlertScans) Get(ctx context.Context, notificationID string) (*AlertScan, error) {
	place := new(AlertScan)
	if err := session(s.DB).WithContext(ctx).Take(place, "notification_id = ?", notificationID).Error; err != nil {
		return nil, found(err)
	}
	place.Until = place.Until.UTC()
	return place, nil
}

// PutTx keeps the place of a notification's scan, which replaces that of an earlier one.
func (s AlertScans) PutTx(tx *gorm.DB, place AlertScan) error {
	place.UpdatedAt = time.Now().UTC()
	if err := session(tx).Clauses(clause.OnConflict{UpdateAll: true}).Create(&place).Error; err != nil {
		return fmt.Errorf("store: keep the place of a scan: %w", err)
	}
	return nil
}

// End notes that a scan has come to its end: its time stays, so that a later one sees how long nothing was looked at.
func (s AlertScans) End(ctx context.Context, notificationID string) error {
	err := session(s.DB).WithContext(ctx).Model(&AlertScan{}).Where("notification_id = ?", notificationID).
		Updates(map[string]any{"scan": "", "after_key": "", "updated_at": time.Now().UTC()}).Error
	if err != nil {
		return fmt.Errorf("store: end a scan: %w", err)
	}
	return nil
}

// AlertSchedule says with which state of a notification its Temporal schedule was brought in step.
type AlertSchedule struct {
	NotificationID string `gorm:"primaryKey"`
	Version        int64
	AppliedAt      time.Time
}

// TableName is fixed by the migrations.
func (AlertSchedule) TableName() string { return "notify_alert_schedules" }

// AlertSchedules remembers what was done to the schedules.
type AlertSchedules struct{ DB *gorm.DB }

// All reads every schedule that there should be, by its notification.
func (s AlertSchedules) All(ctx context.Context) (map[string]int64, error) {
	var rows []AlertSchedule
	if err := session(s.DB).WithContext(ctx).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("store: schedules: %w", err)
	}
	versions := make(map[string]int64, len(rows))
	for _, row := range rows {
		versions[row.NotificationID] = row.Version
	}
	return versions, nil
}

// Put remembers the version with which a schedule is in step.
func (s AlertSchedules) Put(ctx context.Context, notificationID string, version int64) error {
	row := AlertSchedule{NotificationID: notificationID, Version: version, AppliedAt: time.Now().UTC()}
	err := session(s.DB).WithContext(ctx).Clauses(clause.OnConflict{UpdateAll: true}).Create(&row).Error
	if err != nil {
		return fmt.Errorf("store: remember a schedule: %w", err)
	}
	return nil
}

// Remove forgets a schedule that has been deleted, and how far its scans had come.
func (s AlertSchedules) Remove(ctx context.Context, notificationID string) error {
	err := session(s.DB).WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := tx.Delete(&AlertScan{}, "notification_id = ?", notificationID).Error; err != nil {
			return err
		}
		return tx.Delete(&AlertSchedule{}, "notification_id = ?", notificationID).Error
	})
	if err != nil {
		return fmt.Errorf("store: forget a schedule: %w", err)
	}
	return nil
}

// Count gives how many notifications have a date, and how many of them have a schedule that is in step.
func (s AlertSchedules) Count(ctx context.Context) (wanted, inStep int64, err error) {
	var counts struct{ Wanted, InStep int64 }
	err = session(s.DB).WithContext(ctx).Raw(`SELECT COUNT(*) AS wanted, COUNT(s.notification_id) AS in_step
		FROM notify_notifications n
		LEFT JOIN notify_alert_schedules s ON s.notification_id = n.id AND s.version = n.version
		WHERE n.trigger_name IN ('days_before', 'days_after')`).Scan(&counts).Error // as the partial index has it
	if err != nil {
		return 0, 0, fmt.Errorf("store: count schedules: %w", err)
	}
	return counts.Wanted, counts.InStep, nil
}
