// Command console measures the pages of the console over a large database: how long each takes to answer, and how much a
// browser loads for it.
//
//	go run -C bench ./console
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/silquetech/silque-notifications/bench/postgres"
	"github.com/silquetech/silque-notifications/internal/store"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// options are what the command line asks for.
type options struct {
	deliveries, rules, requests int
	databases                   []string
	asJSON                      bool
	only                        string
}

// What the console promises: each page within this time and weight.
const (
	limitMillis = 100
	limitWeight = 150 << 10
)

// The sizes for which it promises that.
const (
	postgresDeliveries = 1_000_000
	sqliteDeliveries   = 100_000
	manyRules          = 10_000
)

// run gives the exit code: 1 when something failed, 2 for wrong usage. A page over its limits is marked, and is no failure.
func run(ctx context.Context, arguments []string, stdout, stderr io.Writer) int {
	o, err := parse(arguments, stderr)
	if err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	var all []result
	for _, database := range o.databases {
		results, err := measureOn(ctx, database, o, stderr)
		if err != nil {
			_, _ = fmt.Fprintf(stderr, "%s: %v\n", database, err)
			return 1
		}
		all = append(all, results...)
	}
	if o.asJSON {
		encoder := json.NewEncoder(stdout)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(all)
	} else {
		err = table(stdout, all)
	}
	if err != nil {
		_, _ = fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

func parse(arguments []string, stderr io.Writer) (options, error) {
	var o options
	var databases string
	flags := flag.NewFlagSet("console", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.deliveries, "deliveries", 0, "deliveries in the database; 0: 1,000,000 in Postgres and 100,000 in SQLite")
	flags.IntVar(&o.rules, "rules", manyRules, "notifications in the database")
	flags.IntVar(&o.requests, "requests", 20, "measured requests of each page, after two that are not")
	flags.StringVar(&databases, "database", "postgres,sqlite", "postgres, sqlite, or both with a comma")
	flags.StringVar(&o.only, "only", "", "measure only pages whose path begins so, such as /deliveries")
	flags.BoolVar(&o.asJSON, "json", false, "print JSON instead of a table")
	if err := flags.Parse(arguments); err != nil {
		return o, err
	}
	for _, name := range strings.Split(databases, ",") {
		if name != "postgres" && name != "sqlite" {
			_, _ = fmt.Fprintf(stderr, "-database must be postgres, sqlite or both, not %q\n", name)
			return o, errors.New("wrong usage")
		}
		o.databases = append(o.databases, name)
	}
	if o.deliveries < 0 || o.rules < 1 || o.requests < 1 || flags.NArg() > 0 {
		flags.Usage()
		return o, errors.New("wrong usage")
	}
	return o, nil
}

// measureOn fills an empty database and measures every page on it.
func measureOn(ctx context.Context, database string, o options, stderr io.Writer) ([]result, error) {
	url, deliveries := "", o.deliveries
	if database == "postgres" {
		server, err := postgres.Start(ctx)
		if err != nil {
			return nil, err
		}
		defer server.Stop()
		if url, err = server.Create(ctx, "console"); err != nil {
			return nil, err
		}
		if deliveries == 0 {
			deliveries = postgresDeliveries
		}
	} else {
		folder, err := os.MkdirTemp("", "silque-bench-console-")
		if err != nil {
			return nil, err
		}
		defer func() { _ = os.RemoveAll(folder) }()
		url = "sqlite://" + filepath.ToSlash(filepath.Join(folder, "console.db"))
		if deliveries == 0 {
			deliveries = sqliteDeliveries
		}
	}
	db, err := store.Open(url, quiet)
	if err != nil {
		return nil, err
	}
	defer func() { _ = store.Close(db) }()
	began := time.Now()
	seeded, err := seed(ctx, db, deliveries, o.rules)
	if err != nil {
		return nil, fmt.Errorf("fill: %w", err)
	}
	_, _ = fmt.Fprintf(stderr, "%s: %d deliveries and %d notifications after %s\n", database, deliveries, o.rules, time.Since(began).Round(time.Second))
	visitor, err := open(db)
	if err != nil {
		return nil, err
	}
	defer visitor.close()
	return visitor.measureAll(ctx, database, o, seeded)
}
