package relay

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/workflows"
)

// recoveryLimit bounds the events of one look for what was left behind.
const recoveryLimit = 200

// recover finds, again and again, what a dead process left: claims that led to no start, and workflows that are gone
// although their events are not settled.
func (r *Relay) recover(ctx context.Context) {
	look := time.NewTicker(min(r.options.AbandonedAfter, r.options.CheckAfter) / 2)
	defer look.Stop()
	for {
		if !r.Stalled() {
			r.takeOverClaims(ctx)
			r.checkWorkflows(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
}

// takeOverClaims repeats the starts of abandoned claims.
func (r *Relay) takeOverClaims(ctx context.Context) {
	batches, err := outbox.Abandoned(ctx, r.db, r.options.AbandonedAfter, recoveryLimit)
	if err != nil {
		r.complain(ctx, "Abandoned claims cannot be read", err)
		return
	}
	for _, b := range batches {
		r.begin(ctx, b, true)
	}
}

// checkWorkflows asks Temporal about the workflows of events that are not settled after a while. One that runs is fine:
// it may wait for a retry. That a workflow was started is no proof that Temporal still has it: a server that loses its
// last commits at a power cut forgets it.
func (r *Relay) checkWorkflows(ctx context.Context) {
	batches, err := outbox.Unfinished(ctx, r.db, r.options.CheckAfter, recoveryLimit)
	if err != nil {
		r.complain(ctx, "Unfinished events cannot be read", err)
		return
	}
	for _, b := range batches {
		if err := r.checkWorkflow(ctx, b); err != nil {
			r.complain(ctx, "A workflow cannot be checked", err)
			return
		}
	}
}

func (r *Relay) checkWorkflow(ctx context.Context, b outbox.Batch) error {
	requestCtx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	workflowID := workflows.WorkflowID(b.ID)
	description, err := r.temporal.DescribeWorkflowExecution(requestCtx, workflowID, "")
	var gone *serviceerror.NotFound
	if errors.As(err, &gone) {
		r.options.Log.Warn("Temporal has lost a workflow; starting it again", "workflow", workflowID)
		r.begin(ctx, b, true)
		return nil
	}
	if err != nil {
		return err
	}
	switch status := description.GetWorkflowExecutionInfo().GetStatus(); status {
	case enums.WORKFLOW_EXECUTION_STATUS_RUNNING, enums.WORKFLOW_EXECUTION_STATUS_PAUSED:
		return nil
	case enums.WORKFLOW_EXECUTION_STATUS_TERMINATED, enums.WORKFLOW_EXECUTION_STATUS_CANCELED:
		r.options.Log.Warn("A workflow was stopped by hand; its events end", "workflow", workflowID)
		return r.abandoner.Abandon(ctx, b.EventIDs(), "the workflow was stopped by hand")
	default:
		r.options.Log.Warn("A workflow ended early; its events begin anew", "workflow", workflowID, "status", status.String())
		next, err := outbox.Rebatch(ctx, r.db, b)
		if err == nil && len(next.Events) > 0 {
			r.begin(ctx, next, true)
		}
		return err
	}
}

func (r *Relay) complain(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		r.options.Log.Warn(what+"; trying again", "error", err)
	}
}
