package wiring

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/activities"
	"github.com/silquetech/silque-notifications/internal/address"
	"github.com/silquetech/silque-notifications/internal/config"
	"github.com/silquetech/silque-notifications/internal/datealert"
	"github.com/silquetech/silque-notifications/internal/ledger"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/rules"
	"github.com/silquetech/silque-notifications/workflows"
)

// Worker runs workflows and activities until it is told to stop.
type Worker struct {
	temporal *Temporal
	config   *config.Config
	senders  *senders
	steps    *activities.Activities
	metrics  *workerMetrics
	log      *slog.Logger
}

// NewWorker gives a worker on a database whose tables are up to date. Close it after Run.
func NewWorker(c *config.Config, db *gorm.DB, t *Temporal, log *slog.Logger) (*Worker, error) {
	links, err := unsubscribeLinks(c, db)
	if err != nil {
		return nil, err
	}
	senders, err := newSenders(c, db.NowFunc, links)
	if err != nil {
		return nil, err
	}
	metrics := newWorkerMetrics()
	steps := &activities.Activities{
		Observe:   metrics.observe,
		Ledger:    ledger.New(db),
		Senders:   senders.byChannel,
		Addresses: address.Normalizer{DefaultRegion: c.Notify.DefaultRegion},
		Rules:     Rules(c),
		Dates: datealert.Scanner{
			DB: db, Window: c.Rules.AlertCatchup,
			Book: rules.New(db, rules.Options{DefaultRegion: c.Notify.DefaultRegion, Settings: Rules(c)}),
		},
		Retry: activities.RetryProfile{Attempts: c.Notify.RetryAttempts, Interval: c.Notify.RetryInterval},
		Turns: make(map[rule.Channel]*activities.Turns),
		Gate:  newGate(db, c.Limits, log),
		Chunk: chunkOf(c.Notify.BatchMax),
		Log:   log,
		Now:   db.NowFunc,
	}
	w := &Worker{temporal: t, config: c, senders: senders, steps: steps, metrics: metrics, log: log}
	for _, channel := range rule.Channels {
		steps.Turns[channel] = activities.NewTurns(w.atOnce(channel))
	}
	steps.Passed = passedNotice{db: db, log: log}.send
	return w, nil
}

// chunkOf gives how many deliveries one activity hands over when there are many: none when batching is off.
func chunkOf(batchMax int) int {
	if batchMax == 1 {
		return 0
	}
	return chunkMax
}

// chunkMax is the most deliveries of one chunk: its IDs are a few kilobytes, and it takes a second at most.
const chunkMax = 50

// TellRelay lets a relay in this process know of workflows whose first pass is over: passed says whether it is its own.
// Relays in other processes hear of the rest through Postgres. Call it before Run.
func (w *Worker) TellRelay(passed func(workflowID string) bool) {
	others := w.steps.Passed
	w.steps.Passed = func(ctx context.Context, workflowID string) {
		if !passed(workflowID) {
			others(ctx, workflowID)
		}
	}
}

// Channels lists the channels that have settings.
func (w *Worker) Channels() []rule.Channel {
	var configured []rule.Channel
	for _, channel := range rule.Channels {
		if _, ok := w.senders.byChannel[channel]; ok {
			configured = append(configured, channel)
		}
	}
	return configured
}

// Metrics gives the worker's figures.
func (w *Worker) Metrics() prometheus.Gatherer { return w.metrics.registry }

// Close ends the channels' connections.
func (w *Worker) Close(ctx context.Context) error { return w.senders.close(ctx) }

// Run works until ctx ends, then stops: it takes no new task and waits for the sends under way. It tries until Temporal
// is there; ready is called once the worker polls. It returns an error when the worker cannot go on.
func (w *Worker) Run(ctx context.Context, ready func()) error {
	if err := RegisterSearchAttributes(ctx, w.temporal, w.log); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		w.log.Warn("Search attributes could not be registered; workflows are started only when they exist", "error", err)
	}
	fatal := make(chan error, 8)
	pool := w.start(ctx, fatal)
	if pool == nil {
		return nil
	}
	ready()
	var err error
	select {
	case <-ctx.Done():
	case err = <-fatal:
		err = fmt.Errorf("worker: %w", err)
	}
	stopAll(pool)
	return err
}

// start starts one worker a task queue, and tries until Temporal is there; nil means that ctx ended first.
func (w *Worker) start(ctx context.Context, fatal chan<- error) []worker.Worker {
	onFatal := func(err error) {
		select {
		case fatal <- err:
		default:
		}
	}
	for pause := attributesPause; ; pause = min(2*pause, attributesMaxPause) {
		pool := w.pool(onFatal) // anew each time: a worker remembers how its first start ended
		err := startAll(pool)
		if err == nil {
			return pool
		}
		w.log.Warn("The worker cannot start yet; trying until it can", "namespace", w.temporal.Namespace, "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// startAll starts all of them, or none.
func startAll(pool []worker.Worker) error {
	for i, one := range pool {
		if err := one.Start(); err != nil {
			stopAll(pool[:i])
			return err
		}
	}
	return nil
}

// pool makes the workers: one for the workflows and their bookkeeping, one for each channel's sends.
func (w *Worker) pool(onFatal func(error)) []worker.Worker {
	queue := w.config.Notify.TaskQueue
	options := worker.Options{
		WorkerStopTimeout:          w.config.Notify.StopTimeout,
		OnFatalError:               onFatal,
		WorkflowTaskPollerBehavior: worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{}),
		ActivityTaskPollerBehavior: worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{}),
		Interceptors:               []interceptor.WorkerInterceptor{&activities.PanicGuard{Log: w.log}},
	}
	main := worker.New(w.temporal.Client, queue, options)
	main.RegisterWorkflowWithOptions(workflows.SendNotification, workflow.RegisterOptions{Name: "SendNotification"})
	main.RegisterWorkflowWithOptions(workflows.AlertOnDates, workflow.RegisterOptions{Name: "AlertOnDates"})
	main.RegisterActivity(w.steps)
	pool := []worker.Worker{main}

	options.DisableWorkflowWorker = true
	options.WorkflowTaskPollerBehavior = nil
	for _, channel := range rule.Channels {
		one, many := w.sending(channel)
		options.MaxConcurrentActivityExecutionSize = w.atOnce(channel)
		sends := worker.New(w.temporal.Client, workflows.ChannelQueue(queue, channel), options)
		sends.RegisterActivityWithOptions(one.do, activity.RegisterOptions{Name: one.name})
		options.MaxConcurrentActivityExecutionSize = chunksAtOnce
		chunks := worker.New(w.temporal.Client, workflows.ChunkQueue(queue, channel), options)
		chunks.RegisterActivityWithOptions(many.do, activity.RegisterOptions{Name: many.name})
		pool = append(pool, sends, chunks)
	}
	return pool
}

// chunksAtOnce is how many chunks of a channel share its turns: more than one workflow makes, so that a small one goes on
// beside large ones.
const chunksAtOnce = 16

// atOnce is how many hand-overs of a channel run side by side: as many as its provider is asked for. The others wait in
// Temporal's queue, where no clock runs, and not in an activity whose time is counted.
func (w *Worker) atOnce(channel rule.Channel) int {
	if channel == rule.Email {
		return w.config.SMTP.Connections
	}
	return w.config.Twilio.Concurrency
}

// step is an activity with the name by which the workflow calls it.
type step struct {
	name string
	do   any
}

// sending gives a channel's activities: for one delivery, and for many.
func (w *Worker) sending(channel rule.Channel) (one, many step) {
	switch channel {
	case rule.SMS:
		return step{"SendSMS", w.steps.SendSMS}, step{"SendSMSChunk", w.steps.SendSMSChunk}
	case rule.WhatsApp:
		return step{"SendWhatsApp", w.steps.SendWhatsApp}, step{"SendWhatsAppChunk", w.steps.SendWhatsAppChunk}
	default:
		return step{"SendEmail", w.steps.SendEmail}, step{"SendEmailChunk", w.steps.SendEmailChunk}
	}
}

// stopAll stops the channels first, side by side, so that the whole stop takes as long as the longest send.
func stopAll(pool []worker.Worker) {
	done := make(chan struct{}, len(pool))
	for _, one := range pool {
		go func() { one.Stop(); done <- struct{}{} }()
	}
	for range pool {
		<-done
	}
}
