package store

import (
	"context"
	"fmt"
	"slices"

	"gorm.io/gorm"
)

// Standing gives what suppresses a delivery's address: everything, and the delivery's own notification. Each is nil when
// there is nothing of the kind.
func (s Suppressions) Standing(ctx context.Context, d *Delivery) (all, own *Suppression, err error) {
	var kept []*Suppression
	err = session(s.DB).WithContext(ctx).
		Where("channel = ? AND address = ? AND notification_id IN ?", d.Channel, FoldAddress(d.Address), []string{"", d.NotificationID}).
		Find(&kept).Error
	if err != nil {
		return nil, nil, fmt.Errorf("store: read the suppressions of a delivery: %w", err)
	}
	for _, k := range kept {
		if k.NotificationID == "" {
			all = k
		} else {
			own = k
		}
	}
	return all, own, nil
}

// Unsubscribe keeps further messages from a delivery's address: those of its notification, or with everything set, or
// where it has none, all of the channel's. Unsubscribing twice is fine.
func (s Suppressions) Unsubscribe(ctx context.Context, d *Delivery, everything bool, detail string) error {
	added := &Suppression{
		Channel: d.Channel, Address: d.Address, NotificationID: d.NotificationID, Reason: SuppressedUnsubscribe,
		Source: SuppressedByHook, DeliveryID: d.ID, Detail: detail, CreatedBy: byRecipient,
	}
	if everything {
		added.NotificationID = ""
	}
	_, err := s.Add(ctx, added)
	return err
}

// byRecipient is who unsubscribes, and takes it back, in lists and in the audit log.
const byRecipient = "recipient"

// Resubscribe takes back what a delivery's recipient unsubscribed from: everything, and the delivery's notification. What
// suppresses the address for another reason stays.
func (s Suppressions) Resubscribe(ctx context.Context, d *Delivery) error {
	return session(s.DB).WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		_, err := s.removeTx(tx, byRecipient, "channel = ? AND address = ? AND notification_id IN ? AND reason = ?",
			d.Channel, FoldAddress(d.Address), slices.Compact([]string{"", d.NotificationID}), SuppressedUnsubscribe)
		return err
	})
}
