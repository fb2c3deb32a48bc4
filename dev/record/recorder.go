package main

import (
	"context"
	"os"

	"go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"

	"github.com/silquetech/silque-notifications/dev/apiclient"
	"github.com/silquetech/silque-notifications/dev/stack"
	"github.com/silquetech/silque-notifications/internal/wiring"
)

// recorder drives the stack as its users do, and reads the histories.
type recorder struct {
	apiclient.Client
	stack    *stack.Stack
	temporal *wiring.Temporal
}

// change makes the notifications the only ones, saves a customer, and waits until the workflow has ended.
func (r *recorder) change(ctx context.Context, notifications ...map[string]any) (string, error) {
	if err := r.OnlyNotifications(ctx, notifications...); err != nil {
		return "", err
	}
	event, err := r.save(ctx)
	if err != nil {
		return "", err
	}
	return event.WorkflowID, r.ended(ctx, event.ID)
}

// broken is change while the next hand-overs of email meet a fault.
func (r *recorder) broken(ctx context.Context, mode string, count int, notifications ...map[string]any) (string, error) {
	if err := r.SetFault(ctx, "email", mode, count); err != nil {
		return "", err
	}
	return r.change(ctx, notifications...)
}

// save adds a customer, and gives the event of that when its workflow has started.
func (r *recorder) save(ctx context.Context) (apiclient.Event, error) {
	key, err := r.Save(ctx, "customers", map[string]any{"name": "canary", "email": "canary@example.com", "phone": "+12025550123"})
	if err != nil {
		return apiclient.Event{}, err
	}
	return r.EventOf(ctx, "customers", key)
}

// event posts something that answers with an event, and waits until its workflow has ended.
func (r *recorder) event(ctx context.Context, path string, body any) (workflowID string, err error) {
	var accepted struct {
		EventID string `json:"event_id"`
	}
	if err := r.Call(ctx, "POST", path, body, &accepted); err != nil {
		return "", err
	}
	event, err := r.Settled(ctx, accepted.EventID)
	if err != nil {
		return "", err
	}
	return event.WorkflowID, r.ended(ctx, event.ID)
}

// ended waits until the event is settled and its workflow has ended.
func (r *recorder) ended(ctx context.Context, eventID string) error {
	event, err := r.Settled(ctx, eventID)
	if err != nil {
		return err
	}
	return apiclient.Until(ctx, func() (bool, error) {
		description, err := r.temporal.DescribeWorkflowExecution(ctx, event.WorkflowID, "")
		status := description.GetWorkflowExecutionInfo().GetStatus()
		return status != enums.WORKFLOW_EXECUTION_STATUS_RUNNING, err
	})
}

// write reads a workflow's history and keeps it in the form in which the replayer reads it.
func (r *recorder) write(ctx context.Context, workflowID, file string) error {
	events := r.temporal.GetWorkflowHistory(ctx, workflowID, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	history := new(historypb.History)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return err
		}
		history.Events = append(history.Events, event)
	}
	content, err := temporalproto.CustomJSONMarshalOptions{Indent: "  "}.Marshal(history)
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(content, '\n'), 0o644) //nolint:gosec // a test's input in the repository
}
