package store

import (
	"context"
	"fmt"
	"strings"
)

// LatelyLimit is how many of a notification's last deliveries Lately looks at.
const LatelyLimit = 20

// Lately is what became of a notification's last deliveries.
type Lately struct{ Sent, Failed, Other int }

// Lately counts the last LatelyLimit deliveries of each notification by what became of them: the cost does not grow with the
// history.
func (s Deliveries) Lately(ctx context.Context, notificationIDs []string) (map[string]Lately, error) {
	lately := make(map[string]Lately, len(notificationIDs))
	if len(notificationIDs) == 0 {
		return lately, nil
	}
	parts, values := make([]string, len(notificationIDs)), make([]any, 0, len(notificationIDs))
	for i, id := range notificationIDs {
		parts[i] = "SELECT * FROM (SELECT notification_id, status FROM notify_deliveries WHERE notification_id = ? ORDER BY id DESC LIMIT 20) AS l"
		values = append(values, id)
	}
	var rows []struct {
		NotificationID string
		Status         DeliveryStatus
	}
	err := session(s.DB).WithContext(ctx).Raw(strings.Join(parts, " UNION ALL "), values...).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("store: last deliveries of notifications: %w", err)
	}
	for _, row := range rows {
		l := lately[row.NotificationID]
		switch row.Status {
		case DeliverySent, DeliveryDelivered:
			l.Sent++
		case DeliveryFailed:
			l.Failed++
		default:
			l.Other++
		}
		lately[row.NotificationID] = l
	}
	return lately, nil
}
