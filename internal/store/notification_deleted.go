package store

import (
	"context"
	"fmt"
)

// Deleted reads the last states of the notifications that were deleted and have not come back, up to limit, the last
// deleted first.
func (s Notifications) Deleted(ctx context.Context, limit int) ([]Version, error) {
	var rows []versionRow
	// The words of the index: a database cannot know what a parameter implies.
	err := session(s.DB).WithContext(ctx).Where("revision_to IS NULL AND change = 'deleted'").
		Order("revision_from DESC, notification_id DESC").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("store: deleted notifications: %w", err)
	}
	return versionsOf(rows)
}
