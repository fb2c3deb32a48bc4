// Package naive is Temporal as one meets it first: after each save a workflow is started whose only activity sends the
// email. Nothing ties the start to the save's transaction, so a crash between the two loses the email.
package naive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/bench/customers"
	"github.com/silquetech/silque-notifications/bench/mailer"
	"github.com/silquetech/silque-notifications/bench/system"
	"github.com/silquetech/silque-notifications/dev/temporalserver"
	"github.com/silquetech/silque-notifications/internal/store"
)

const (
	taskQueue = "welcome"
	// sendTimeout bounds one attempt; the mailer gives up earlier.
	sendTimeout = 30 * time.Second
	// stopTimeout lets the sends under way end when the worker stops.
	stopTimeout = 5 * time.Second
)

// Welcome is the workflow.
func Welcome(ctx workflow.Context, customer int) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: sendTimeout})
	var a *Activities
	return workflow.ExecuteActivity(ctx, a.SendWelcome, customer).Get(ctx, nil)
}

// Activities has the one activity.
type Activities struct{ mailer *mailer.Mailer }

// SendWelcome sends a customer's email.
func (a *Activities) SendWelcome(ctx context.Context, customer int) error {
	return a.mailer.Send(ctx, customer)
}

// Naive is the application, its worker and the Temporal server.
type Naive struct {
	system.Stops

	db       *gorm.DB
	temporal client.Client
}

// Open starts everything, with the embedded Temporal server that this project has for development: its data is in SQLite
// files, or in Postgres when the setup is on Postgres.
func Open(ctx context.Context, setup system.Setup) (system.System, error) {
	n := &Naive{}
	if err := n.start(ctx, setup); err != nil {
		return nil, errors.Join(err, n.Close(context.WithoutCancel(ctx)))
	}
	return n, nil
}

func (n *Naive) start(ctx context.Context, setup system.Setup) (err error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if n.db, err = customers.Open(ctx, setup.DatabaseURL); err != nil {
		return err
	}
	n.Add(func(context.Context) error { return store.Close(n.db) })
	server, err := temporalserver.Start(ctx, temporalserver.Options{
		Addr: "127.0.0.1:0", Dir: filepath.Join(setup.Dir, "temporal"), DatabaseURL: setup.TemporalURL, Logger: log,
	})
	if err != nil {
		return err
	}
	n.Add(func(context.Context) error { server.Stop(); return nil })
	n.temporal, err = client.DialContext(ctx, client.Options{
		HostPort: server.Addr(), Namespace: server.Namespace(), Logger: sdklog.NewStructuredLogger(log),
	})
	if err != nil {
		return fmt.Errorf("naive: connect to Temporal: %w", err)
	}
	n.Add(func(context.Context) error { n.temporal.Close(); return nil })
	return n.work(setup)
}

// work starts the worker in this process. Its options are the defaults but for the pollers: two of each kind would be all
// that it has, and Temporal's documentation advises to let their number follow the load.
// https://docs.temporal.io/develop/worker-performance#poller-autoscaling
func (n *Naive) work(setup system.Setup) error {
	pool, err := mailer.New(setup)
	if err != nil {
		return err
	}
	n.Add(func(context.Context) error { return pool.Close() })
	pollers := worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{})
	w := worker.New(n.temporal, taskQueue, worker.Options{
		WorkflowTaskPollerBehavior: pollers, ActivityTaskPollerBehavior: pollers, WorkerStopTimeout: stopTimeout,
	})
	w.RegisterWorkflow(Welcome)
	w.RegisterActivity(&Activities{mailer: pool})
	if err := w.Start(); err != nil {
		return fmt.Errorf("naive: start the worker: %w", err)
	}
	n.Add(func(context.Context) error { w.Stop(); return nil })
	n.Add(n.drain)
	return nil
}

// Save saves customer i and, after the commit, starts its workflow.
func (n *Naive) Save(ctx context.Context, i int) error {
	if err := customers.Save(ctx, n.db, i); err != nil {
		return err
	}
	_, err := n.temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: "welcome-" + strconv.Itoa(i), TaskQueue: taskQueue}, Welcome, i)
	return err
}
