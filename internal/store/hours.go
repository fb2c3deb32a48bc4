package store

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// DeliveryHours reads how many deliveries of each hour ended how. The database itself counts, by triggers: see migration
// 00007.
type DeliveryHours struct{ DB *gorm.DB }

// HourCount is how many deliveries that were created in an hour have come to a status.
type HourCount struct {
	// Hour is its beginning, in UTC.
	Hour    time.Time
	Channel rule.Channel
	Status  DeliveryStatus
	Count   int64
}

// hourOf numbers the hours since 1970.
func hourOf(t time.Time) int64 { return t.Unix() / 3600 }

// Since reads the counts from the hour of the given moment on, in the order of time. Hours without deliveries are left
// out, and so are deliveries that have not ended.
func (s DeliveryHours) Since(ctx context.Context, from time.Time) ([]HourCount, error) {
	var rows []struct {
		Hour, N int64
		Channel rule.Channel
		Status  DeliveryStatus
	}
	query, values := `SELECT hour, channel, status, n FROM notify_delivery_hours WHERE hour >= ? AND n <> 0 ORDER BY hour, channel, status`, []any{hourOf(from)}
	if s.DB.Name() == "postgres" {
		query = `SELECT hour, channel, status, SUM(n)::bigint AS n FROM (
			SELECT hour, channel, status, n FROM notify_delivery_hours WHERE hour >= ?
			UNION ALL SELECT hour, channel, status, n FROM notify_delivery_changes WHERE hour >= ?
		) counts GROUP BY hour, channel, status HAVING SUM(n) <> 0 ORDER BY hour, channel, status`
		values = append(values, hourOf(from))
	}
	if err := session(s.DB).WithContext(ctx).Raw(query, values...).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("store: deliveries by hour: %w", err)
	}
	counts := make([]HourCount, len(rows))
	for i, r := range rows {
		counts[i] = HourCount{Hour: time.Unix(r.Hour*3600, 0).UTC(), Channel: r.Channel, Status: r.Status, Count: r.N}
	}
	return counts, nil
}

// Fold brings what transactions have appended into the counts, and deletes counts from before the given moment. Several
// processes may call it: one folds, the others have nothing to do.
func (s DeliveryHours) Fold(ctx context.Context, keep time.Time) error {
	err := session(s.DB).WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := foldChanges(tx); err != nil {
			return err
		}
		return tx.Exec("DELETE FROM notify_delivery_hours WHERE hour < ?", hourOf(keep)).Error
	})
	if err != nil {
		return fmt.Errorf("store: fold the counts of deliveries: %w", err)
	}
	return nil
}

// foldChanges has nothing to do on SQLite, where the triggers write the counts themselves.
func foldChanges(tx *gorm.DB) error {
	if tx.Name() != "postgres" {
		return nil
	}
	return tx.Exec(`WITH alone AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(hashtext('notify_delivery_hours')) AS mine),
		folded AS (DELETE FROM notify_delivery_changes WHERE (SELECT mine FROM alone) RETURNING hour, channel, status, n)
		INSERT INTO notify_delivery_hours (hour, channel, status, n)
		SELECT hour, channel, status, SUM(n) FROM folded GROUP BY hour, channel, status
		ON CONFLICT (hour, channel, status) DO UPDATE SET n = notify_delivery_hours.n + EXCLUDED.n`).Error
}
