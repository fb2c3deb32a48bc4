package activities

import (
	"context"

	"go.temporal.io/sdk/activity"
)

// SettleInput names events of which every delivery has been tried.
type SettleInput struct {
	// EventIDs have come to their end.
	EventIDs []string `json:"event_ids"`
	// Open wait for more tries.
	Open []string `json:"open,omitempty"`
}

// Settle says that every delivery of the events has ended, and tells the relays that the workflow's first pass is over.
// Settling twice is the same as once.
func (a *Activities) Settle(ctx context.Context, in SettleInput) error {
	if err := a.Ledger.Settle(ctx, in.EventIDs, in.Open, a.Now()); err != nil {
		return a.unavailable("settle events", err)
	}
	a.passed(ctx)
	return nil
}

// passed tells the relays that they need not wait for the workflow any longer.
func (a *Activities) passed(ctx context.Context) {
	if a.Passed != nil {
		a.Passed(ctx, activity.GetInfo(ctx).WorkflowExecution.ID)
	}
}
