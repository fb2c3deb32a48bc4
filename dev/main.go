// Command dev runs everything on one machine, with no other software: an embedded Temporal server with its Web UI, the
// worker, the web app with a demo shop, and a sandbox that takes the messages.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/silquetech/silque-notifications/dev/stack"
	"github.com/silquetech/silque-notifications/internal/wiring"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// run gives the exit code: 0 after a stop, 1 when something could not run, 2 for wrong usage.
func run(ctx context.Context, arguments, environ []string, stdout, stderr io.Writer) int {
	options := stack.Options{Environ: environ, LogTo: stderr}
	flags := flag.NewFlagSet("dev", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&options.Addr, "addr", "127.0.0.1:8080", "where the web app listens")
	flags.StringVar(&options.UIAddr, "ui-addr", "127.0.0.1:8233", "where Temporal Web UI listens")
	flags.StringVar(&options.TemporalAddr, "temporal-addr", "127.0.0.1:7233", "where Temporal listens")
	flags.StringVar(&options.Data, "data", ".data", "folder in which everything is kept between runs; empty: nothing is kept")
	flags.StringVar(&options.Token, "token", "", "token of the REST API, 16 characters or more; empty: NOTIFY_API_TOKEN, or a random one that is printed")
	flags.StringVar(&options.DatabaseURL, "database-url", "", "the application's database; empty: a SQLite file in the data folder")
	if err := flags.Parse(arguments); err != nil {
		return wiring.UsageCode(err)
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "dev: %q is not understood; see -help\n", flags.Arg(0))
		return 2
	}
	ctx, stop := wiring.UntilStopped(ctx)
	defer stop()
	running, err := stack.Start(ctx, options)
	if errors.Is(err, stack.ErrStopped) {
		fmt.Fprintln(stdout, "Stopped before everything was up.")
		return 0
	}
	if err != nil {
		return failed(stderr, err)
	}
	fmt.Fprint(stdout, running.Welcome())
	err = running.Wait(ctx)
	fmt.Fprintln(stdout, "Stopping …")
	if stopErr := running.Stop(); err == nil {
		err = stopErr
	}
	if err != nil {
		return failed(stderr, err)
	}
	return 0
}

// failed says what went wrong, each problem on a line of its own, and gives the exit code.
func failed(stderr io.Writer, err error) int {
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintln(stderr, "dev:", strings.TrimRight(line, "\n"))
	}
	return 1
}
