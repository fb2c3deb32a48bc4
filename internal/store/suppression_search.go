package store

import (
	"context"
	"fmt"
)

// SuppressionFilter narrows a list; empty fields do not.
type SuppressionFilter struct {
	Channel, Reason string
	// NotificationID asks for those of one notification; those of every one are not among them.
	NotificationID string
	// Address is a whole address, whatever its case; Text is a part of one.
	Address, Text string
	// Span is when they were entered.
	Span Span
}

func (f SuppressionFilter) conditions() (c conditions) {
	c.many("address", FoldAddress(f.Address), "")
	c.many("notification_id", f.NotificationID, " AND notification_id <> ''")
	c.many("reason", f.Reason, "")
	c.many("channel", f.Channel, "")
	c.contains(f.Text, "address")
	return c
}

// List reads a page, newest first.
func (s Suppressions) List(ctx context.Context, f SuppressionFilter, p Paging) (Page[*Suppression], error) {
	query := session(s.DB).WithContext(ctx)
	for _, c := range f.conditions() {
		query = query.Where(c.sql, c.arguments...)
	}
	page, err := newestFirst(searched{}.window(query, nil, f.Span, ""), p, func(k *Suppression) string { return k.ID })
	if err != nil {
		return page, fmt.Errorf("store: list suppressions: %w", err)
	}
	return page, nil
}

// Search reads a page of what a filter of any kind leaves, newest first; see Found.
func (s Suppressions) Search(ctx context.Context, f SuppressionFilter, p Paging) (Found[*Suppression], error) {
	in := searched{table: Suppression{}.TableName(), model: &Suppression{}}
	found, err := searchNewest(ctx, s.DB, in, f.conditions(), f.Span, p, func(k *Suppression) string { return k.ID })
	if err != nil {
		return found, fmt.Errorf("store: search suppressions: %w", err)
	}
	return found, nil
}
