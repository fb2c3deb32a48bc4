package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/silquetech/silque-notifications/activities"
)

// AlertOnDatesInput names the notification whose dates are looked at.
type AlertOnDatesInput struct {
	NotificationID string `json:"notification_id"`
	// Scan names the scan after a continue-as-new, and Events counts what it has made before; both are empty at first.
	Scan   string `json:"scan,omitempty"`
	Events int    `json:"events,omitempty"`
}

// AlertOnDates looks for the rows whose date has come near enough for one notification, page by page, and makes an event
// of each: from there on they go the way of every change. A schedule starts it, as the notification says. It gives the
// number of events.
func AlertOnDates(ctx workflow.Context, in AlertOnDatesInput) (int, error) {
	if in.Scan == "" {
		in.Scan = workflow.GetInfo(ctx).WorkflowExecution.RunID
	}
	for {
		page, err := scanDates(ctx, in)
		if err != nil {
			return in.Events, err
		}
		in.Events += page.Events
		workflow.SetCurrentDetails(ctx, fmt.Sprintf("%d events so far", in.Events))
		if !page.More {
			return in.Events, nil
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			return in.Events, workflow.NewContinueAsNewError(ctx, AlertOnDates, in)
		}
	}
}

// scanDates looks at the next pages.
func scanDates(ctx workflow.Context, in AlertOnDatesInput) (result activities.ScanDatesResult, err error) {
	var a *activities.Activities
	ctx = workflow.WithActivityOptions(ctx, scanOptions())
	err = workflow.ExecuteActivity(ctx, a.ScanDates, activities.ScanDatesInput{NotificationID: in.NotificationID, Scan: in.Scan}).Get(ctx, &result)
	return result, err
}
