package activities

import "context"

// SettleInput names the events that have come to their end.
type SettleInput struct {
	EventIDs []string `json:"event_ids"`
}

// Settle says that every delivery of the events has ended. Settling twice is the same as once.
func (a *Activities) Settle(ctx context.Context, in SettleInput) error {
	if err := a.Ledger.Settle(ctx, in.EventIDs, a.Now()); err != nil {
		return a.unavailable("settle events", err)
	}
	return nil
}
