package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"

	"github.com/silquetech/silque-notifications/dev/stack"
	"github.com/silquetech/silque-notifications/internal/wiring"
)

// recorder drives the stack as its users do, and reads the histories.
type recorder struct {
	stack    *stack.Stack
	temporal *wiring.Temporal
}

// look is how often a state is asked for.
const look = 50 * time.Millisecond

// change makes the notifications the only ones, saves a customer, and waits until the workflow has ended.
func (r *recorder) change(ctx context.Context, notifications ...map[string]any) (string, error) {
	if err := r.onlyNotifications(ctx, notifications...); err != nil {
		return "", err
	}
	workflowID, eventID, err := r.save(ctx)
	if err != nil {
		return "", err
	}
	return workflowID, r.settled(ctx, eventID)
}

// broken is change while the next hand-overs of email meet a fault.
func (r *recorder) broken(ctx context.Context, mode string, count int, notifications ...map[string]any) (string, error) {
	if err := r.fault(ctx, "email", mode, count); err != nil {
		return "", err
	}
	return r.change(ctx, notifications...)
}

func (r *recorder) fault(ctx context.Context, channel, mode string, count int) error {
	return r.call(ctx, "PUT", "/sandbox/api/faults", map[string]any{"channel": channel, "mode": mode, "count": count}, nil)
}

// onlyNotifications replaces every notification.
func (r *recorder) onlyNotifications(ctx context.Context, notifications ...map[string]any) error {
	var known struct{ Items []struct{ ID string } }
	if err := r.call(ctx, "GET", "/api/v1/notifications?limit=500", nil, &known); err != nil {
		return err
	}
	for _, n := range known.Items {
		if err := r.call(ctx, "DELETE", "/api/v1/notifications/"+n.ID, nil, nil); err != nil {
			return err
		}
	}
	for _, n := range notifications {
		if err := r.call(ctx, "POST", "/api/v1/notifications", n, nil); err != nil {
			return err
		}
	}
	return nil
}

// save adds a customer, and gives the workflow and the event of that.
func (r *recorder) save(ctx context.Context) (workflowID, eventID string, err error) {
	customer := map[string]any{"name": "canary", "email": "canary@example.com", "phone": "+12025550123"}
	var saved struct{ ID json.Number }
	if err := r.call(ctx, "POST", "/demo/api/customers", customer, &saved); err != nil {
		return "", "", err
	}
	for {
		var events struct {
			Items []struct {
				ID         string
				WorkflowID string `json:"workflow_id"`
			}
		}
		if err := r.call(ctx, "GET", "/api/v1/events?model=customers&key="+saved.ID.String(), nil, &events); err != nil {
			return "", "", err
		}
		if len(events.Items) > 0 && events.Items[0].WorkflowID != "" {
			return events.Items[0].WorkflowID, events.Items[0].ID, nil
		}
		if err := pause(ctx); err != nil {
			return "", "", err
		}
	}
}

// event posts something that answers with an event, and waits until the event is settled.
func (r *recorder) event(ctx context.Context, path string, body any) (workflowID string, err error) {
	var accepted struct {
		EventID string `json:"event_id"`
	}
	if err := r.call(ctx, "POST", path, body, &accepted); err != nil {
		return "", err
	}
	if err := r.settled(ctx, accepted.EventID); err != nil {
		return "", err
	}
	var event struct {
		WorkflowID string `json:"workflow_id"`
	}
	err = r.call(ctx, "GET", "/api/v1/events/"+accepted.EventID, nil, &event)
	return event.WorkflowID, err
}

// settled waits until the event is settled and its workflow has ended.
func (r *recorder) settled(ctx context.Context, eventID string) error {
	for {
		var event struct {
			Status     string
			WorkflowID string `json:"workflow_id"`
		}
		if err := r.call(ctx, "GET", "/api/v1/events/"+eventID, nil, &event); err != nil {
			return err
		}
		if event.Status == "settled" {
			return r.ended(ctx, event.WorkflowID, eventID)
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

func (r *recorder) ended(ctx context.Context, workflowID, eventID string) error {
	for {
		description, err := r.temporal.DescribeWorkflowExecution(ctx, workflowID, "")
		if err != nil {
			return fmt.Errorf("event %s: %w", eventID, err)
		}
		if description.GetWorkflowExecutionInfo().GetStatus() != enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
			return nil
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(look):
		return nil
	}
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
	return os.WriteFile(file, append(content, '\n'), 0o644)
}

// call makes one request and reads the answer's JSON.
func (r *recorder) call(ctx context.Context, method, path string, body, answer any) error {
	var content io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, r.stack.URL()+path, content)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+r.stack.Token())
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, text)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(text, answer)
}
