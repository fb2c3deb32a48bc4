package store

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
)

// GroupedErrors is how many of the newest unresolved errors are grouped at most.
const GroupedErrors = 10_000

// ErrorGroup is what is unresolved of one code and one notification.
type ErrorGroup struct {
	Code string
	// NotificationID is empty for errors of none.
	NotificationID string
	Count          int
	// First and Last are when the oldest and the newest of them were met.
	First, Last time.Time
	// NewestID and Newest are the newest entry's ID and message.
	NewestID, Newest string
}

// Groups sorts the newest unresolved errors by code and notification, the group with the newest error first. more says
// that there are older ones, which are not counted.
func (s Errors) Groups(ctx context.Context) (groups []ErrorGroup, more bool, err error) {
	db := session(s.DB).WithContext(ctx)
	open := condition{column: "resolved", value: false}
	newest := searched{}.window(db, &open, Span{}, "").Model(&ErrorEntry{}).Select("id", "resolved", "code", "notification_id").
		Order(open.order()).Limit(GroupedErrors)
	var rows []struct {
		Code, NotificationID, FirstID, LastID string
		Count                                 int
	}
	err = db.Table("(?) AS newest", newest).Group("code, notification_id").Order("MAX(id) DESC").
		Select("code", "notification_id", "COUNT(*) AS count", "MIN(id) AS first_id", "MAX(id) AS last_id").Scan(&rows).Error
	if err != nil {
		return nil, false, fmt.Errorf("store: group errors: %w", err)
	}
	total, ids := 0, make([]string, len(rows))
	groups = make([]ErrorGroup, len(rows))
	for i, r := range rows {
		total, ids[i] = total+r.Count, r.LastID
		groups[i] = ErrorGroup{
			Code: r.Code, NotificationID: r.NotificationID, Count: r.Count, NewestID: r.LastID,
			First: outbox.TimeOf(r.FirstID), Last: outbox.TimeOf(r.LastID),
		}
	}
	messages, err := s.messages(ctx, ids)
	for i := range groups {
		groups[i].Newest = messages[groups[i].NewestID]
	}
	return groups, total == GroupedErrors, err
}

// idsAtOnce is how many IDs one statement names.
const idsAtOnce = 500

func (s Errors) messages(ctx context.Context, ids []string) (map[string]string, error) {
	messages := make(map[string]string, len(ids))
	for len(ids) > 0 {
		some := ids[:min(idsAtOnce, len(ids))]
		ids = ids[len(some):]
		var rows []ErrorEntry
		if err := session(s.DB).WithContext(ctx).Select("id", "message").Where("id IN ?", some).Find(&rows).Error; err != nil {
			return nil, fmt.Errorf("store: messages of errors: %w", err)
		}
		for _, r := range rows {
			messages[r.ID] = r.Message
		}
	}
	return messages, nil
}

// DeliveriesOf gives up to limit deliveries that a filter's errors hit, the newest error's first, each once.
func (s Errors) DeliveriesOf(ctx context.Context, f ErrorFilter, limit int) ([]string, error) {
	var rows []string
	err := f.apply(session(s.DB).WithContext(ctx)).Model(&ErrorEntry{}).Where("delivery_id <> ''").
		Order("id DESC").Limit(limit).Pluck("delivery_id", &rows).Error
	if err != nil {
		return nil, fmt.Errorf("store: deliveries of errors: %w", err)
	}
	seen, ids := make(map[string]bool, len(rows)), make([]string, 0, len(rows))
	for _, id := range rows {
		if !seen[id] {
			seen[id], ids = true, append(ids, id)
		}
	}
	return ids, nil
}

// ResolveTx marks up to limit of a filter's open errors as dealt with at a moment, in the caller's transaction, and gives
// their number. newest leaves out those that are newer: nobody has seen them; empty for none.
func (s Errors) ResolveTx(tx *gorm.DB, f ErrorFilter, newest string, at time.Time, limit int) (int64, error) {
	open := false
	f.Resolved = &open
	query := f.apply(session(tx)).Model(&ErrorEntry{})
	if newest != "" {
		query = query.Where("id <= ?", newest)
	}
	var ids []string
	if err := query.Order("id DESC").Limit(limit).Pluck("id", &ids).Error; err != nil {
		return 0, fmt.Errorf("store: errors to resolve: %w", err)
	}
	return s.mark(tx, ids, "NOT resolved", map[string]any{"resolved": true, "resolved_at": at})
}

// ReopenTx takes back what was resolved at a moment, up to limit of them, in the caller's transaction, and gives their
// number.
func (s Errors) ReopenTx(tx *gorm.DB, at time.Time, limit int) (int64, error) {
	var ids []string
	err := session(tx).Model(&ErrorEntry{}).Where("resolved_at IS NOT NULL AND resolved_at = ?", at).
		Limit(limit).Pluck("id", &ids).Error
	if err != nil {
		return 0, fmt.Errorf("store: errors to reopen: %w", err)
	}
	return s.mark(tx, ids, "resolved", map[string]any{"resolved": false, "resolved_at": nil})
}

func (s Errors) mark(tx *gorm.DB, ids []string, were string, changes map[string]any) (marked int64, err error) {
	for len(ids) > 0 {
		some := ids[:min(idsAtOnce, len(ids))]
		ids = ids[len(some):]
		result := session(tx).Model(&ErrorEntry{}).Where("id IN ?", some).Where(were).Updates(changes)
		if result.Error != nil {
			return marked, fmt.Errorf("store: mark %d errors: %w", len(some), result.Error)
		}
		marked += result.RowsAffected
	}
	return marked, nil
}
