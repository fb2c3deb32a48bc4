// Command web is the web app: the REST API, health, metrics, and the relay that starts workflows.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/silquetech/silque-notifications/internal/address"
	"github.com/silquetech/silque-notifications/internal/config"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/wiring"
	"github.com/silquetech/silque-notifications/web/app"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stderr)) }

// run gives the exit code: 0 after a stop, 1 when it could not run, 2 for wrong usage.
func run(ctx context.Context, arguments, environ []string, stderr io.Writer) int {
	flags := flag.NewFlagSet("web", flag.ContinueOnError)
	flags.SetOutput(stderr)
	probe := flags.Bool("healthcheck", false, "ask the web app that runs at NOTIFY_ADDR whether it is ready, and exit 0 or 1")
	if err := flags.Parse(arguments); err != nil {
		return wiring.UsageCode(err)
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "web: %q is not understood; see -help\n", flags.Arg(0))
		return 2
	}
	settings, err := config.Load(environ)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	if *probe {
		err = wiring.Probe(ctx, settings.Notify.Addr)
	} else {
		err = serve(ctx, settings, environ, stderr)
	}
	if err != nil {
		fmt.Fprintln(stderr, "web:", err)
		return 1
	}
	return 0
}

// serve runs the web app until a signal stops it.
func serve(ctx context.Context, settings *config.Config, environ []string, stderr io.Writer) error {
	ctx, stop := wiring.UntilStopped(ctx)
	defer stop()
	log := wiring.Logger(settings.Notify, stderr)
	listener, err := net.Listen("tcp", settings.Notify.Addr)
	if err != nil {
		return fmt.Errorf("NOTIFY_ADDR: %w", err)
	}
	defer func() { _ = listener.Close() }()
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
	log.Info("The web app listens", "addr", listener.Addr().String())
	return app.New(app.Config{
		DB: db, Temporal: temporal, TaskQueue: settings.Notify.TaskQueue, APIToken: settings.Notify.APIToken,
		Addresses: address.Normalizer{DefaultRegion: settings.Notify.DefaultRegion}, Log: log,
	}).Run(ctx, listener)
}
