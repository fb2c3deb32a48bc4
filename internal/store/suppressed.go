package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// SuppressTx marks those of new deliveries, which wait to be inserted, that their addresses do not want: they are kept,
// say why, and are never sent.
func (s Deliveries) SuppressTx(tx *gorm.DB, deliveries []*Delivery) error {
	suppressed, err := Deliveries{DB: tx}.SuppressedNow(tx.Statement.Context, deliveries)
	if err != nil {
		return err
	}
	for _, d := range deliveries {
		if by := suppressed[d.ID]; by != nil && d.Status == DeliveryPending {
			d.Status, d.ErrorCode = DeliverySuppressed, by.Reason.Code()
		}
	}
	return nil
}

// SuppressedNow gives what keeps deliveries from their addresses at the moment, by the delivery's ID.
func (s Deliveries) SuppressedNow(ctx context.Context, deliveries []*Delivery) (map[string]*Suppression, error) {
	addresses, notificationIDs := make(map[rule.Channel][]string), make(map[string]bool)
	for _, d := range deliveries {
		addresses[d.Channel] = append(addresses[d.Channel], d.Address)
		notificationIDs[d.NotificationID] = true
	}
	ids := slices.Sorted(maps.Keys(notificationIDs))
	there := make(map[rule.Channel]standing, len(addresses))
	for channel, of := range addresses {
		var err error
		if there[channel], err = Suppressions(s).standing(ctx, channel, of, ids); err != nil {
			return nil, err
		}
	}
	suppressed := make(map[string]*Suppression)
	for _, d := range deliveries {
		if by := there[d.Channel].against(d.Address, d.NotificationID); by != nil {
			suppressed[d.ID] = by
		}
	}
	return suppressed, nil
}

// wanted is the condition that nothing suppresses a delivery. Folding must be the same in Go and in both databases: that
// of ASCII, which all addresses consist of.
func wanted(tx *gorm.DB) string {
	address := "LOWER(notify_deliveries.address)"
	if tx.Name() == "postgres" {
		address = `LOWER(notify_deliveries.address COLLATE "C")`
	}
	return `NOT EXISTS (SELECT 1 FROM notify_suppressions s WHERE s.channel = notify_deliveries.channel
		AND s.address = ` + address + ` AND s.notification_id IN ('', notify_deliveries.notification_id))`
}

// suppress ends a delivery whose address has come not to want it. One that an earlier attempt may have brought to its
// provider ends as unknown: it is not handed over again, and whether it arrived is a person's to say.
func suppress(ctx context.Context, tx *gorm.DB, d *Delivery, now time.Time) (suppressed bool, err error) {
	active, err := Deliveries{DB: tx}.SuppressedNow(ctx, []*Delivery{d})
	by := active[d.ID]
	if err != nil || by == nil {
		return false, err
	}
	tries, err := Deliveries{DB: tx}.Attempts(ctx, d.ID)
	if err != nil {
		return false, err
	}
	lost := d.Lost(tries)
	d.Status, d.ErrorCode = DeliverySuppressed, by.Reason.Code()
	if lost != nil {
		d.Status = DeliveryUnknown
	}
	err = tx.Model(&Delivery{}).Where("id = ?", d.ID).
		Updates(map[string]any{"status": d.Status, "error_code": d.ErrorCode, "updated_at": now}).Error
	if err != nil || lost == nil {
		return true, err
	}
	return true, Errors{}.RecordTx(tx, &ErrorEntry{
		Code: string(rule.SendFailCode(d.Channel)), Source: "send", EventID: d.EventID, DeliveryID: d.ID, NotificationID: d.NotificationID,
		Attempt: d.Attempts, DedupKey: fmt.Sprintf("suppressed:%s:%s", d.ID, d.RetryEventID),
		Message: fmt.Sprintf("The answer to attempt %d was lost, so it may have arrived. It is not tried again: the address is suppressed (code %s).",
			lost.Number, d.ErrorCode),
	})
}
