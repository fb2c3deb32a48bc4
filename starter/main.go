// Command starter sends a test message, or fires an event for a row by hand, and tells what became of it. It also carries
// notifications over from the Django app, and to a file and back, and reads what mail servers report.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/silquetech/silque-notifications/internal/address"
	"github.com/silquetech/silque-notifications/internal/config"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/trial"
	"github.com/silquetech/silque-notifications/internal/wiring"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr)) }

// run gives the exit code: 0 sent, 1 failed, 2 wrong usage, and for a mail server 75 try again later.
func run(ctx context.Context, arguments, environ []string, stdout, stderr io.Writer) int {
	settings, err := config.Load(environ)
	if err != nil {
		fmt.Fprintln(stderr, err)
	}
	if len(arguments) > 0 && arguments[0] == "bounce" {
		return runBounce(ctx, settings, arguments[1:], os.Stdin, stdout, stderr)
	}
	if err != nil {
		return 1
	}
	if len(arguments) > 0 && arguments[0] == "import" {
		return runImport(ctx, settings, arguments[1:], stdout, stderr)
	}
	if len(arguments) > 0 && arguments[0] == "export" {
		return runExport(ctx, settings, arguments[1:], stdout, stderr)
	}
	request, err := trial.Parse(arguments, stderr, address.Normalizer{DefaultRegion: settings.Notify.DefaultRegion})
	if err != nil {
		return wiring.UsageCode(err)
	}
	if err := start(ctx, settings, environ, request, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "starter:", err)
		return 1
	}
	return 0
}

// start connects, writes the event, and follows it to its end.
func start(ctx context.Context, settings *config.Config, environ []string, r trial.Request, stdout, stderr io.Writer) error {
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
	registered := wiring.RegisterInBackground(ctx, temporal, log)
	defer registered()
	return trial.Run(ctx, trial.Config{
		DB: db, Temporal: temporal, TaskQueue: settings.Notify.TaskQueue,
		Link: wiring.WorkflowLink(settings.Notify.UIURL, temporal.Namespace), Out: stdout, Log: log,
	}, r)
}
