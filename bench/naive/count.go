package naive

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"github.com/silquetech/silque-notifications/bench/histories"
	"github.com/silquetech/silque-notifications/bench/system"
)

// Count gives what the workflows since the start have cost.
func (n *Naive) Count(ctx context.Context) (system.Counts, error) {
	return histories.Count(ctx, n.temporal)
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
