package naive

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"github.com/silquetech/silque-notifications/bench/system"
)

// actionsEach are the billable ones of each workflow: its start and its activity. The sink refuses nothing, so no activity
// is tried twice. https://docs.temporal.io/cloud/actions
const actionsEach = 2

// pageSize is the most that the server gives at a time.
const pageSize = 1000

// Count gives what the workflows since the start have cost.
func (n *Naive) Count(ctx context.Context) (system.Counts, error) {
	var counts system.Counts
	request := &workflowservice.ListWorkflowExecutionsRequest{PageSize: pageSize}
	for {
		page, err := n.temporal.ListWorkflow(ctx, request)
		if err != nil {
			return counts, fmt.Errorf("naive: list the workflows: %w", err)
		}
		for _, execution := range page.GetExecutions() {
			counts.Workflows++
			counts.Events += int(execution.GetHistoryLength())
			counts.Actions += actionsEach
		}
		if request.NextPageToken = page.GetNextPageToken(); len(request.NextPageToken) == 0 {
			return counts, nil
		}
	}
}

const (
	drainTimeout  = 10 * time.Second
	drainInterval = 50 * time.Millisecond
)

// drain waits until no workflow runs: a workflow ends a little later than its email arrives. One that hangs is left.
func (n *Naive) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	for {
		running, err := n.temporal.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: "ExecutionStatus = 'Running'"})
		if err != nil {
			return fmt.Errorf("naive: count the running workflows: %w", err)
		}
		if running.GetCount() == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(drainInterval):
		}
	}
}
