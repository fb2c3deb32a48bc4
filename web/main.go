// Command web is the web app: the console, the REST API, health, metrics, and the relay that starts workflows. "web invite"
// makes a link with which somebody sets their password.
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

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr)) }

// run gives the exit code: 0 after a stop, 1 when it could not run, 2 for wrong usage.
func run(ctx context.Context, arguments, environ []string, stdout, stderr io.Writer) int {
	if len(arguments) > 0 && arguments[0] == "invite" {
		return runInvite(ctx, arguments[1:], environ, stdout, stderr)
	}
	return wiring.Program{
		Name: "web",
		About: "serves the console, the REST API, health and metrics, and starts the workflows of events.\n" +
			"\"web invite -help\" tells how to let somebody in.",
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
	access, err := webapp.Access(settings, db, log, false)
	if err != nil {
		return err
	}
	defer func() { _ = access.Close(context.WithoutCancel(ctx)) }()
	if err := tellFirst(ctx, db, log); err != nil {
		return err
	}
	temporal, err := wiring.Dial(environ, log)
	if err != nil {
		return err
	}
	defer temporal.Close()
	registered := wiring.RegisterInBackground(ctx, temporal, log)
	defer registered()
	log.Info("The web app listens", "addr", listener.Addr().String())
	parts := webapp.Config(settings, db, temporal, log)
	parts.Access = access
	return app.New(parts).Run(ctx, listener)
}
