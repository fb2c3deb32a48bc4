// Command web is the web app: the REST API, health, metrics, and the relay that starts workflows.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/silquetech/silque-notifications/internal/config"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/wiring"
	"github.com/silquetech/silque-notifications/internal/wiring/webapp"
	"github.com/silquetech/silque-notifications/web/app"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stderr)) }

// run gives the exit code: 0 after a stop, 1 when it could not run, 2 for wrong usage.
func run(ctx context.Context, arguments, environ []string, stderr io.Writer) int {
	return wiring.Program{
		Name:  "web",
		About: "serves the REST API, health and metrics, and starts the workflows of events.",
		Addr:  func(settings *config.Config) string { return settings.Notify.Addr },
		Serve: serve,
	}.Run(ctx, arguments, environ, stderr)
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
	return app.New(webapp.Config(settings, db, temporal, log)).Run(ctx, listener)
}
