package relay

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/workflows"
)

const (
	// startTimeout bounds one request to Temporal.
	startTimeout = 10 * time.Second
	// firstPause and lastPause bound the wait between two tries while Temporal is away.
	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
	// markTimeout bounds the note that a workflow was started, even when the relay is being stopped.
	markTimeout = 5 * time.Second
)

// start asks Temporal until it has taken the batch's workflow. The workflow's ID comes from the batch, which is persisted:
// whoever repeats the start, at whatever moment the first one died, starts the same workflow once. It gives false when
// the relay is being stopped, or Temporal will not take this workflow: the claim then stays, and the recovery repeats it.
func (r *Relay) start(ctx context.Context, b outbox.Batch) bool {
	workflowID := workflows.WorkflowID(b.ID)
	failing := false
	defer func() {
		if failing {
			r.countFailing(-1)
		}
	}()
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := r.execute(ctx, b, workflowID)
		if err == nil || ctx.Err() != nil {
			return err == nil
		}
		if notTaken(err) {
			r.options.Log.Error("Temporal refuses a workflow; its start is repeated every few seconds", "workflow", workflowID, "error", err)
			r.holdBack(ctx)
			return false
		}
		if !failing {
			failing = true
			r.countFailing(1)
			r.options.Log.Warn("Temporal does not take a workflow; its events wait", "workflow", workflowID, "error", err)
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pause):
		}
	}
}

// notTaken tells a request that Temporal finds wrong from a Temporal that is away: others need not wait for it. That it
// does not know our search attributes yet, as before a worker's first start, is wrong with all: they wait for it.
func notTaken(err error) bool {
	var invalid *serviceerror.InvalidArgument
	return errors.As(err, &invalid) && !strings.Contains(invalid.Message, "no mapping defined for search attribute")
}

// holdBack keeps a refused batch busy for a moment. Whatever is wrong may be wrong with every batch, and the relay would
// claim the whole outbox in vain, for the recovery to start with no regard to turns and load.
func (r *Relay) holdBack(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(min(r.options.BusyFor, time.Second)):
	}
}

func (r *Relay) countFailing(by int) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.failing += by
}

// execute makes one request. That the workflow exists already, running or ended, is success.
func (r *Relay) execute(ctx context.Context, b outbox.Batch, workflowID string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	_, err := r.temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       workflowID,
		TaskQueue:                r.options.TaskQueue,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		EnableEagerStart:         true, // a worker on the same client gets the first task in the answer
		StaticSummary:            summary(b),
		TypedSearchAttributes: temporal.NewSearchAttributes(
			workflows.EventsAttribute.ValueSet(b.EventIDs()), workflows.ModelsAttribute.ValueSet(models(b))),
	}, workflows.SendNotification, workflows.SendNotificationInput{EventIDs: b.EventIDs()})
	return err
}

// modelsShown is how many tables the summary of a batch names.
const modelsShown = 3

// summary is the line that Temporal Web UI shows for the workflow. IDs and table names only: a row's key can be an
// address.
func summary(b outbox.Batch) string {
	if len(b.Events) == 1 {
		e := b.Events[0]
		if e.Model == "" {
			return fmt.Sprintf("%s · event %s", e.Action, e.ID)
		}
		return fmt.Sprintf("%s %s · event %s", e.Model, e.Action, e.ID)
	}
	tables := models(b)
	if len(tables) > modelsShown {
		tables = append(tables[:modelsShown], "…")
	}
	what := fmt.Sprintf("%d events", len(b.Events))
	if len(tables) > 0 {
		what += " of " + strings.Join(tables, ", ")
	}
	return what + " · batch " + b.ID
}

// models lists the tables of the batch, each once.
func models(b outbox.Batch) []string {
	seen := make(map[string]bool)
	names := []string{}
	for _, e := range b.Events {
		if e.Model != "" && !seen[e.Model] {
			seen[e.Model] = true
			names = append(names, e.Model)
		}
	}
	sort.Strings(names)
	return names
}
