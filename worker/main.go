// Command worker runs the workflows and hands messages over.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/silquetech/silque-notifications/internal/config"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/wiring"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stderr)) }

// run gives the exit code: 0 after a stop, 1 when it could not run, 2 for wrong usage.
func run(ctx context.Context, arguments, environ []string, stderr io.Writer) int {
	flags := flag.NewFlagSet("worker", flag.ContinueOnError)
	flags.SetOutput(stderr)
	probe := flags.Bool("healthcheck", false, "ask the worker that runs with NOTIFY_HEALTH_ADDR whether it is ready, and exit 0 or 1")
	if err := flags.Parse(arguments); err != nil {
		return wiring.UsageCode(err)
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "worker: %q is not understood; see -help\n", flags.Arg(0))
		return 2
	}
	settings, err := config.Load(environ)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	if *probe {
		err = wiring.Probe(ctx, settings.Notify.HealthAddr)
	} else {
		err = work(ctx, settings, environ, stderr)
	}
	if err != nil {
		fmt.Fprintln(stderr, "worker:", err)
		return 1
	}
	return 0
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
