package store

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
)

// Glance reads what people want to see first: what waits, and what fails. Each of its queries looks at a bounded number
// of rows, however long the history.
type Glance struct{ DB *gorm.DB }

// countLimit bounds what is counted one by one: beyond it the answer is "more than".
const countLimit = 10000

// Waiting is what has not come to its end.
type Waiting struct {
	// Events wait for a workflow; the oldest has waited since Oldest (nil: none waits). Started ones have a workflow.
	Events, Started int64
	Oldest          *time.Time
	// Deliveries have not ended, by channel.
	Deliveries map[rule.Channel]int64
	// More says that there are more than were counted.
	More bool
}

// Waiting counts events and deliveries that have not come to their end, up to 10,000 of each kind.
func (g Glance) Waiting(ctx context.Context) (w Waiting, err error) {
	db := session(g.DB).WithContext(ctx)
	w.Deliveries = make(map[rule.Channel]int64)
	for status, count := range map[outbox.Status]*int64{outbox.Pending: &w.Events, outbox.Started: &w.Started} {
		err := db.Raw(`SELECT COUNT(*) FROM (SELECT 1 FROM notify_events WHERE status = ? AND status <> 'settled' LIMIT ?) open_events`,
			status, countLimit).Scan(count).Error
		if err != nil {
			return w, fmt.Errorf("store: events that wait: %w", err)
		}
		w.More = w.More || *count == countLimit
	}
	var oldest []time.Time
	err = db.Table("notify_events").Where("status = 'pending' AND status <> 'settled'").Order("id").Limit(1).Pluck("created_at", &oldest).Error
	if err != nil {
		return w, fmt.Errorf("store: the oldest event that waits: %w", err)
	}
	if len(oldest) == 1 {
		at := oldest[0].UTC()
		w.Oldest = &at
	}
	var rows []struct {
		Channel rule.Channel
		N       int64
	}
	err = db.Raw(`SELECT channel, COUNT(*) AS n FROM (
		SELECT channel FROM notify_deliveries WHERE status IN ('pending', 'sending') LIMIT ?) open_deliveries GROUP BY channel`,
		countLimit).Scan(&rows).Error
	if err != nil {
		return w, fmt.Errorf("store: deliveries that wait: %w", err)
	}
	var all int64
	for _, r := range rows {
		w.Deliveries[r.Channel] = r.N
		all += r.N
	}
	w.More = w.More || all == countLimit
	return w, nil
}

// failuresLimit is how many of the newest failed deliveries are looked at.
const failuresLimit = 5000

// Failing is a notification or an address whose deliveries failed lately.
type Failing struct {
	// NotificationID or Address names it.
	NotificationID, Address string
	Count                   int64
	// LastID is the newest failed delivery, ErrorCode its code.
	LastID, ErrorCode string
}

// Failures are the notifications and the addresses with the most failed deliveries.
type Failures struct {
	Notifications, Addresses []Failing
	// Looked is at how many failed deliveries; More says that there are more since then.
	Looked int
	More   bool
}

// Failures groups the deliveries that failed since a moment, the newest 5,000 at most, and gives the first few of each.
func (g Glance) Failures(ctx context.Context, since time.Time, few int) (f Failures, err error) {
	var rows []*Delivery
	err = session(g.DB).WithContext(ctx).Select("id", "notification_id", "address", "error_code").
		Where("status = 'failed' AND id >= ?", outbox.FirstID(since)).
		Order("id DESC").Limit(failuresLimit).Find(&rows).Error
	if err != nil {
		return f, fmt.Errorf("store: failed deliveries: %w", err)
	}
	f.Looked, f.More = len(rows), len(rows) == failuresLimit
	f.Notifications = most(rows, few, func(d *Delivery) Failing { return Failing{NotificationID: d.NotificationID} })
	f.Addresses = most(rows, few, func(d *Delivery) Failing { return Failing{Address: d.Address} })
	return f, nil
}
