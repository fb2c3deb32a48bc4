// Package river is the way of github.com/riverqueue/river: a job is inserted in the transaction that saves the customer, so
// that neither is there without the other.
package river

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/bench/customers"
	"github.com/silquetech/silque-notifications/bench/mailer"
	"github.com/silquetech/silque-notifications/bench/system"
	"github.com/silquetech/silque-notifications/internal/store"
)

const (
	// maxWorkers is the number in the example of River's README.
	maxWorkers = 100
	// fetchCooldown is the least time between two fetches of jobs ("throughput is limited by this value"), and
	// fetchPollInterval the time between two looks that no notification asked for. They are those of River's own
	// benchmark, which says that they perform much better than the defaults of 100 ms and 1 s:
	// https://github.com/riverqueue/river/blob/master/cmd/river/riverbench/river_bench.go
	fetchCooldown     = 2 * time.Millisecond
	fetchPollInterval = 20 * time.Millisecond
	// connections are those of the pool that jobs are worked on; gorm's pool is as large.
	connections = 25
)

// Welcome is the job.
type Welcome struct {
	Customer int `json:"customer"`
}

// Kind names the job.
func (Welcome) Kind() string { return "welcome" }

// worker does the job.
type worker struct {
	river.WorkerDefaults[Welcome]
	mailer *mailer.Mailer
}

// Work sends one email.
func (w *worker) Work(ctx context.Context, job *river.Job[Welcome]) error {
	return w.mailer.Send(ctx, job.Args.Customer)
}

// River is the application and its worker.
type River struct {
	system.Stops

	db       *gorm.DB
	inserter *river.Client[*sql.Tx]
}

// Open starts everything.
func Open(ctx context.Context, setup system.Setup) (system.System, error) {
	r := &River{}
	if err := r.start(ctx, setup); err != nil {
		return nil, errors.Join(err, r.Close(context.WithoutCancel(ctx)))
	}
	return r, nil
}

func (r *River) start(ctx context.Context, setup system.Setup) (err error) {
	if r.db, err = customers.Open(ctx, setup.DatabaseURL); err != nil {
		return err
	}
	r.Add(func(context.Context) error { return store.Close(r.db) })
	sqlDB, err := r.db.DB()
	if err != nil {
		return err
	}
	emails, err := mailer.New(setup)
	if err != nil {
		return err
	}
	r.Add(func(context.Context) error { return emails.Close() })
	workers := river.NewWorkers()
	river.AddWorker(workers, &worker{mailer: emails})
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	// With gorm, River's documentation wants one client on gorm's pool that inserts, and for the most throughput
	// another on a pool of pgx that works: https://riverqueue.com/docs/gorm
	if r.inserter, err = river.NewClient(riverdatabasesql.New(sqlDB), &river.Config{Workers: workers, Logger: log}); err != nil {
		return fmt.Errorf("river: %w", err)
	}
	return r.work(ctx, setup, workers, log)
}

// work makes River's tables and starts the worker in this process.
func (r *River) work(ctx context.Context, setup system.Setup, workers *river.Workers, log *slog.Logger) error {
	settings, err := pgxpool.ParseConfig(setup.DatabaseURL)
	if err != nil {
		return fmt.Errorf("river: %w", err)
	}
	settings.MaxConns = connections
	pool, err := pgxpool.NewWithConfig(ctx, settings)
	if err != nil {
		return fmt.Errorf("river: %w", err)
	}
	r.Add(func(context.Context) error { pool.Close(); return nil })
	driver := riverpgxv5.New(pool)
	if err := migrate(ctx, driver, log); err != nil {
		return err
	}
	client, err := river.NewClient(driver, &river.Config{
		Queues:        map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: maxWorkers}},
		FetchCooldown: fetchCooldown, FetchPollInterval: fetchPollInterval,
		Workers: workers, Logger: log,
	})
	if err != nil {
		return fmt.Errorf("river: %w", err)
	}
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("river: start the worker: %w", err)
	}
	r.Add(client.Stop)
	return nil
}

func migrate(ctx context.Context, driver *riverpgxv5.Driver, log *slog.Logger) error {
	migrator, err := rivermigrate.New[pgx.Tx](driver, &rivermigrate.Config{Logger: log})
	if err != nil {
		return fmt.Errorf("river: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("river: make the tables: %w", err)
	}
	return nil
}

// Save saves customer i and inserts its job in one transaction.
func (r *River) Save(ctx context.Context, i int) error {
	return r.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := customers.Save(ctx, tx, i); err != nil {
			return err
		}
		transaction, ok := tx.Statement.ConnPool.(*sql.Tx)
		if !ok {
			return fmt.Errorf("river: gorm's transaction is a %T, not database/sql's", tx.Statement.ConnPool)
		}
		_, err := r.inserter.InsertTx(ctx, transaction, Welcome{Customer: i}, nil)
		return err
	})
}
