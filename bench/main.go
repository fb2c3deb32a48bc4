// Command bench does the same work with this project and with its peers, in one run, and prints the table.
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
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/silquetech/silque-notifications/bench/asynq"
	"github.com/silquetech/silque-notifications/bench/bare"
	"github.com/silquetech/silque-notifications/bench/celery"
	"github.com/silquetech/silque-notifications/bench/measure"
	"github.com/silquetech/silque-notifications/bench/naive"
	"github.com/silquetech/silque-notifications/bench/postgres"
	"github.com/silquetech/silque-notifications/bench/river"
	"github.com/silquetech/silque-notifications/bench/silque"
	"github.com/silquetech/silque-notifications/bench/sink"
	"github.com/silquetech/silque-notifications/bench/system"
)

// candidate is a system on a database.
type candidate struct {
	name, database string
	open           system.Open
	// savesOnly systems send nothing, sendsOnly ones save nothing.
	savesOnly, sendsOnly bool
}

// candidates are all that can be measured, in the order of the table.
func candidates() []candidate {
	return []candidate{
		{name: "silque", database: "sqlite", open: silque.Open},
		{name: "silque", database: "postgres", open: silque.Open},
		{name: "river", database: "postgres", open: river.Open},
		{name: "asynq", database: "postgres", open: asynq.Open},
		{name: "celery", database: "sqlite", open: celery.Open},
		{name: "naive", database: "sqlite", open: naive.Open},
		{name: "naive", database: "postgres", open: naive.Open},
		{name: "gorm alone", database: "sqlite", open: bare.OpenSaver, savesOnly: true},
		{name: "gorm alone", database: "postgres", open: bare.OpenSaver, savesOnly: true},
		{name: "go-mail alone", database: "none", open: bare.OpenSender, sendsOnly: true},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

const childArgument = "-child"

type options struct {
	messages          []int
	idle, batchMax    int
	systems, profiles string
	asJSON            bool
	timeout           time.Duration
}

func run(ctx context.Context, arguments []string, stdout, stderr io.Writer) (err error) {
	if len(arguments) == 4 && arguments[0] == childArgument {
		return child(ctx, arguments[1], arguments[2], arguments[3])
	}
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	counts := flags.String("n", "3000", "customers to save, each of whom gets one email; several counts, such as 1000,10000, give a line each")
	flags.IntVar(&o.idle, "idle", 100, "saves with a pause between them, for the latency; 0: none")
	flags.IntVar(&o.batchMax, "batch-max", 0, "NOTIFY_BATCH_MAX of this project; 0: its default")
	flags.StringVar(&o.systems, "systems", "", "names to measure, such as silque/postgres,river; empty: all")
	flags.BoolVar(&o.asJSON, "json", false, "print JSON instead of a table")
	flags.StringVar(&o.profiles, "profiles", "", "folder for a processor profile of each system; empty: none")
	flags.DurationVar(&o.timeout, "timeout", 15*time.Minute, "give up on a system after so long")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q is no flag: name systems with -systems, such as -systems silque,river", flags.Arg(0))
	}
	if o.messages, err = numbers(*counts); err != nil {
		return err
	}
	if len(chosen(o.systems)) == 0 {
		return fmt.Errorf("-systems %s names no system: %s", o.systems, names())
	}
	return all(ctx, o, stdout, stderr)
}

func numbers(list string) (counts []int, err error) {
	for _, text := range strings.Split(list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("-n %s: want a number of messages from 1 on, or several with commas between them", list)
		}
		counts = append(counts, n)
	}
	return counts, nil
}

// names lists what can be measured.
func names() string {
	var all []string
	for _, c := range candidates() {
		all = append(all, c.name+"/"+c.database)
	}
	return strings.Join(all, ", ")
}

// child is this program as one system's process.
func child(ctx context.Context, name, database, setup string) error {
	var s system.Setup
	if err := json.Unmarshal([]byte(setup), &s); err != nil {
		return err
	}
	for _, c := range candidates() {
		if c.name == name && c.database == database {
			return measure.Child(ctx, c.open, s, os.Stdin, os.Stdout)
		}
	}
	return fmt.Errorf("no system %s on %s", name, database)
}

func chosen(names string) []candidate {
	if names == "" {
		return candidates()
	}
	wanted := strings.Split(names, ",")
	return slices.DeleteFunc(candidates(), func(c candidate) bool {
		return !slices.Contains(wanted, c.name) && !slices.Contains(wanted, c.name+"/"+c.database)
	})
}

func all(ctx context.Context, o options, stdout, stderr io.Writer) error {
	box, err := sink.Start()
	if err != nil {
		return err
	}
	defer func() { _ = box.Close() }()
	server, err := postgres.Start(ctx)
	if err != nil && !errors.Is(err, system.ErrNotInstalled) {
		return err
	}
	if server != nil {
		defer server.Stop()
	}
	var rows []measure.Row
	var failed error
	for _, c := range chosen(o.systems) {
		for _, messages := range o.messages {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			row, err := one(ctx, c, len(rows), messages, o, box, server)
			if err != nil {
				row.Note = strings.ReplaceAll(err.Error(), "\n", "; ")
				failed = fmt.Errorf("%s on %s: %s", c.name, c.database, row.Note)
			}
			fmt.Fprintf(stderr, "%s on %s, %d messages: %.0f saved/s, %.0f delivered/s %s\n",
				c.name, c.database, messages, row.Saved, row.Delivered, row.Note)
			rows = append(rows, row)
		}
	}
	if err := measure.Print(stdout, rows, o.asJSON); err != nil {
		return err
	}
	return failed
}

// connections are every system's to the sink.
const connections = 4

// one measures a candidate in a folder and databases of its own.
func one(ctx context.Context, c candidate, number, messages int, o options, box *sink.Sink, server *postgres.Server) (measure.Row, error) {
	row := measure.Row{System: c.name, Database: c.database}
	dir, err := os.MkdirTemp("", "silque-bench-")
	if err != nil {
		return row, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	plan := measure.Plan{
		Name: c.name, Database: c.database, Arguments: []string{childArgument, c.name, c.database},
		Idle: o.idle, Pause: 120 * time.Millisecond, Messages: messages, SavesOnly: c.savesOnly, SendsOnly: c.sendsOnly, Timeout: o.timeout,
		Setup: system.Setup{Database: c.database, Dir: dir, SMTPAddr: box.Addr(), Connections: connections, BatchMax: o.batchMax},
	}
	if o.profiles != "" {
		plan.Setup.Profile = filepath.Join(o.profiles, c.name+"-"+c.database+".pprof")
	}
	if c.database != "postgres" {
		plan.Setup.DatabaseURL = "sqlite://" + filepath.ToSlash(filepath.Join(dir, "bench.db"))
		return measure.Measure(ctx, plan, box)
	}
	if server == nil {
		row.Note = "postgres is not installed"
		return row, nil
	}
	plan.DatabasePID = server.PID()
	if plan.Setup.DatabaseURL, err = server.Create(ctx, fmt.Sprintf("bench_%d", number)); err != nil {
		return row, err
	}
	plan.Setup.TemporalURL = server.URL(fmt.Sprintf("temporal_%d", number))
	return measure.Measure(ctx, plan, box)
}
