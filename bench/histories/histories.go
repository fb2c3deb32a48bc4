// Package histories counts what workflows have cost at Temporal.
package histories

import (
	"context"
	"fmt"

	"go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/silquetech/silque-notifications/bench/system"
)

const (
	pageSize = 1000
	// sample is how many histories are read, the newest first: the others are taken to have as many actions an event.
	sample = 100
)

// Count gives the workflows, their history events, and the billable actions that these stand for.
func Count(ctx context.Context, c client.Client) (system.Counts, error) {
	var counts system.Counts
	request := &workflowservice.ListWorkflowExecutionsRequest{PageSize: pageSize}
	read, actions := 0, 0
	for {
		page, err := c.ListWorkflow(ctx, request)
		if err != nil {
			return counts, fmt.Errorf("list the workflows: %w", err)
		}
		for _, execution := range page.GetExecutions() {
			counts.Workflows++
			counts.Events += int(execution.GetHistoryLength())
			if counts.Workflows > sample {
				continue
			}
			read += int(execution.GetHistoryLength())
			some, err := actionsOf(ctx, c, execution)
			if err != nil {
				return counts, err
			}
			actions += some
		}
		if request.NextPageToken = page.GetNextPageToken(); len(request.NextPageToken) == 0 {
			break
		}
	}
	if read > 0 {
		counts.Actions = actions * counts.Events / read
	}
	return counts, nil
}

func actionsOf(ctx context.Context, c client.Client, execution *workflowpb.WorkflowExecutionInfo) (actions int, err error) {
	id := execution.GetExecution()
	events := c.GetWorkflowHistory(ctx, id.GetWorkflowId(), id.GetRunId(), false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for local := false; events.HasNext(); {
		event, err := events.Next()
		if err != nil {
			return 0, fmt.Errorf("read a history: %w", err)
		}
		actions += billable(event, &local)
	}
	return actions, nil
}

// billable counts by the rules of Temporal Cloud: a workflow's start, each activity's start, each timer, each change of
// search attributes by a workflow, and the local activities of one workflow task together.
// https://docs.temporal.io/cloud/actions
func billable(event *historypb.HistoryEvent, local *bool) int {
	switch event.GetEventType() {
	case enums.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
		*local = false
	case enums.EVENT_TYPE_MARKER_RECORDED:
		if !*local {
			*local = true
			return 1
		}
	case enums.EVENT_TYPE_ACTIVITY_TASK_STARTED:
		return int(max(event.GetActivityTaskStartedEventAttributes().GetAttempt(), 1))
	case enums.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, enums.EVENT_TYPE_TIMER_STARTED, enums.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:
		return 1
	}
	return 0
}
