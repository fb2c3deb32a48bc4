package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// Reach says how many deliveries something is about, and whom they reach.
type Reach struct {
	Count int
	// More: there are more than were counted.
	More bool
	// Doubtful may have arrived already.
	Doubtful int
	Channels []ChannelCount
	// Addresses are some of the addresses, People how many different ones there are among those counted.
	Addresses []string
	People    int
}

// ChannelCount is how many of them go by a channel.
type ChannelCount struct {
	Channel rule.Channel
	Count   int
}

// reachLimit bounds what is counted: rows that lie apart in a large table, for a page that is answered at once.
const reachLimit = 1_000

// ByIDs reads deliveries without their bodies, oldest first. An ID that nothing has is left out.
func (s Deliveries) ByIDs(ctx context.Context, ids []string) (deliveries []*Delivery, err error) {
	for len(ids) > 0 {
		some := ids[:min(idsAtOnce, len(ids))]
		ids = ids[len(some):]
		var rows []*Delivery
		err := session(s.DB).WithContext(ctx).Omit("body_text", "body_html", "details").Where("id IN ?", some).Find(&rows).Error
		if err != nil {
			return nil, fmt.Errorf("store: deliveries by ID: %w", err)
		}
		deliveries = append(deliveries, rows...)
	}
	slices.SortFunc(deliveries, func(a, b *Delivery) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return deliveries, nil
}

// Reach says whom those of a filter's deliveries reach that have one of the statuses, naming up to shown addresses.
func (s Deliveries) Reach(ctx context.Context, f DeliveryFilter, statuses []DeliveryStatus, shown int) (Reach, error) {
	var all []*Delivery
	for _, status := range statuses {
		if f.Status != "" && f.Status != string(status) {
			continue
		}
		g := f
		g.Status = string(status)
		var rows []*Delivery
		err := g.apply(session(s.DB).WithContext(ctx)).Select("id", "channel", "address", "status").
			Order("id").Limit(reachLimit + 1).Find(&rows).Error
		if err != nil {
			return Reach{}, fmt.Errorf("store: whom deliveries reach: %w", err)
		}
		all = append(all, rows...)
	}
	more := len(all) > reachLimit
	if more {
		all = all[:reachLimit]
	}
	r := ReachOf(all, shown)
	r.More = more
	return r, nil
}

// ReachOf says whom deliveries reach, naming up to shown addresses.
func ReachOf(deliveries []*Delivery, shown int) Reach {
	r := Reach{Count: len(deliveries)}
	seen, counts := map[string]bool{}, map[rule.Channel]int{}
	for _, d := range deliveries {
		counts[d.Channel]++
		if d.Status == DeliveryUnknown {
			r.Doubtful++
		}
		if seen[d.Address] {
			continue
		}
		seen[d.Address] = true
		if r.People++; len(r.Addresses) < shown {
			r.Addresses = append(r.Addresses, d.Address)
		}
	}
	for _, channel := range rule.Channels {
		if counts[channel] > 0 {
			r.Channels = append(r.Channels, ChannelCount{channel, counts[channel]})
		}
	}
	return r
}

// Count gives the number of a filter's deliveries that have one of the statuses, exactly: it can take long.
func (s Deliveries) Count(ctx context.Context, f DeliveryFilter, statuses []DeliveryStatus, before string) (count int64, err error) {
	for _, status := range statuses {
		if f.Status != "" && f.Status != string(status) {
			continue
		}
		g := f
		g.Status = string(status)
		var some int64
		err := g.apply(session(s.DB).WithContext(ctx)).Model(&Delivery{}).Where("id < ?", before).Count(&some).Error
		if err != nil {
			return 0, fmt.Errorf("store: count deliveries: %w", err)
		}
		count += some
	}
	return count, nil
}
