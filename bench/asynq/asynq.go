// Package asynq is the way of github.com/hibiken/asynq: the customer is saved in Postgres, and once that is committed a task
// is put in Redis. A crash between the two loses the email, and so does one of Redis's machine within the second before
// its log is on the disk.
package asynq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/hibiken/asynq"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/bench/customers"
	"github.com/silquetech/silque-notifications/bench/mailer"
	"github.com/silquetech/silque-notifications/bench/redis"
	"github.com/silquetech/silque-notifications/bench/system"
	"github.com/silquetech/silque-notifications/internal/store"
)

const (
	// typeEmail names the task, in the form of asynq's own example.
	typeEmail = "email:deliver"
	// concurrency is the README's and the one of asynq's own benchmarks.
	concurrency = 10
	// checkInterval is how long the worker sleeps when it finds the queue empty. The default of a second would be nearly
	// all of the latency; asynq's documentation warns of much less than that, because each look is a request to Redis.
	checkInterval = 100 * time.Millisecond
)

// Asynq is the application, its worker and Redis.
type Asynq struct {
	system.Stops

	db     *gorm.DB
	client *asynq.Client
}

// Open starts everything. It gives system.ErrNotInstalled when there is no Redis.
func Open(ctx context.Context, setup system.Setup) (system.System, error) {
	a := &Asynq{}
	if err := a.start(ctx, setup); err != nil {
		return nil, errors.Join(err, a.Close(context.WithoutCancel(ctx)))
	}
	return a, nil
}

func (a *Asynq) start(ctx context.Context, setup system.Setup) error {
	broker, err := redis.Start(ctx, setup.Dir)
	if err != nil {
		return err
	}
	a.Add(broker.Stop)
	if a.db, err = customers.Open(ctx, setup.DatabaseURL); err != nil {
		return err
	}
	a.Add(func(context.Context) error { return store.Close(a.db) })
	pool, err := mailer.New(setup)
	if err != nil {
		return err
	}
	a.Add(func(context.Context) error { return pool.Close() })
	address := asynq.RedisClientOpt{Network: "unix", Addr: broker.Socket()}
	a.client = asynq.NewClient(address)
	a.Add(func(context.Context) error { return a.client.Close() })
	return a.work(address, pool)
}

// work starts the worker in this process.
func (a *Asynq) work(address asynq.RedisClientOpt, pool *mailer.Mailer) error {
	server := asynq.NewServer(address, asynq.Config{
		Concurrency: concurrency, TaskCheckInterval: checkInterval,
		Logger: logger{slog.New(slog.NewTextHandler(os.Stderr, nil))}, LogLevel: asynq.WarnLevel,
	})
	tasks := asynq.NewServeMux()
	tasks.HandleFunc(typeEmail, func(ctx context.Context, task *asynq.Task) error {
		i, err := strconv.Atoi(string(task.Payload()))
		if err != nil {
			return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
		}
		return pool.Send(ctx, i)
	})
	if err := server.Start(tasks); err != nil {
		return fmt.Errorf("asynq: start the worker: %w", err)
	}
	a.Add(func(context.Context) error { server.Shutdown(); return nil })
	return nil
}

// Save saves customer i and, after the commit, puts a task in Redis.
func (a *Asynq) Save(ctx context.Context, i int) error {
	if err := customers.Save(ctx, a.db, i); err != nil {
		return err
	}
	_, err := a.client.EnqueueContext(ctx, asynq.NewTask(typeEmail, []byte(strconv.Itoa(i))))
	return err
}

// logger writes asynq's log with slog.
type logger struct{ slog *slog.Logger }

// Debug is asynq's.
func (l logger) Debug(args ...any) { l.slog.Debug(fmt.Sprint(args...)) }

// Info is asynq's.
func (l logger) Info(args ...any) { l.slog.Info(fmt.Sprint(args...)) }

// Warn is asynq's.
func (l logger) Warn(args ...any) { l.slog.Warn(fmt.Sprint(args...)) }

// Error is asynq's.
func (l logger) Error(args ...any) { l.slog.Error(fmt.Sprint(args...)) }

// Fatal is asynq's: it logs what makes the worker useless, and ends the process.
func (l logger) Fatal(args ...any) {
	l.slog.Error(fmt.Sprint(args...))
	os.Exit(1)
}
