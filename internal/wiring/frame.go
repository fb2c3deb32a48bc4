package wiring

import (
	"context"
	"flag"
	"fmt"
	"io"

	"github.com/silquetech/silque-notifications/internal/config"
)

// Program is what the long-running mains have in common: flags, settings, a health check, exit codes.
type Program struct {
	Name string
	// About says in a line what the program does.
	About string
	// Addr is where the running program answers its health check.
	Addr func(c *config.Config) string
	// Serve runs until a signal stops it.
	Serve func(ctx context.Context, c *config.Config, environ []string, stderr io.Writer) error
}

// Run gives the exit code: 0 after a stop, 1 when the program could not run, 2 for wrong usage.
func (p Program) Run(ctx context.Context, arguments, environ []string, stderr io.Writer) int {
	flags := flag.NewFlagSet(p.Name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintf(stderr, "%s %s\n\nSettings are environment variables: the table in README.md lists them, and NAME_FILE names a file "+
			"with the value.\nTemporal's own are TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and so on.\n\nFlags:\n", p.Name, p.About)
		flags.PrintDefaults()
	}
	probe := flags.Bool("healthcheck", false, "ask the "+p.Name+" that runs with these settings whether it is ready, and exit 0 or 1")
	if err := flags.Parse(arguments); err != nil {
		return UsageCode(err)
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "%s: %q is not understood; see -help\n", p.Name, flags.Arg(0))
		return 2
	}
	settings, err := config.Load(environ)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	if *probe {
		err = Probe(ctx, p.Addr(settings))
	} else {
		err = p.Serve(ctx, settings, environ, stderr)
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", p.Name, err)
		return 1
	}
	return 0
}
