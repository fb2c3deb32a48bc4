// Command worker runs the workflows and hands messages over.
package main

import (
	"context"
	"io"
	"os"

	"github.com/silquetech/silque-notifications/internal/config"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/wiring"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stderr)) }

// run gives the exit code: 0 after a stop, 1 when it could not run, 2 for wrong usage.
func run(ctx context.Context, arguments, environ []string, stderr io.Writer) int {
	return wiring.Program{
		Name:  "worker",
		About: "runs the workflows and hands messages over.",
		Addr:  func(settings *config.Config) string { return settings.Notify.HealthAddr },
		Serve: work,
	}.Run(ctx, arguments, environ, stderr)
}

// work runs the worker until a signal stops it; sends under way are not cut off.
func work(ctx context.Context, settings *config.Config, environ []string, stderr io.Writer) error {
	ctx, stop := wiring.UntilStopped(ctx)
	defer stop()
	log := wiring.Logger(settings.Notify, stderr)
	db, err := wiring.Database(ctx, settings, log)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close(db) }()
	temporal, err := wiring.Dial(environ, log)
	if err != nil {
		return err
	}
	defer temporal.Close()
	worker, err := wiring.NewWorker(settings, db, temporal, log)
	if err != nil {
		return err
	}
	defer func() { _ = worker.Close(context.WithoutCancel(ctx)) }()
	health, err := wiring.ServeHealth(settings.Notify.HealthAddr, worker.Metrics())
	if err != nil {
		return err
	}
	defer func() { _ = health.Close(context.WithoutCancel(ctx)) }()
	return worker.Run(ctx, func() {
		health.Ready()
		log.Info("The worker takes tasks", "task_queue", settings.Notify.TaskQueue, "channels", worker.Channels())
	})
}
