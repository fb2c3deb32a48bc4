package measure

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"

	"github.com/silquetech/silque-notifications/bench/sink"
	"github.com/silquetech/silque-notifications/bench/system"
)

// Row is a line of the table.
type Row struct {
	System   string `json:"system"`
	Database string `json:"database"`
	// Saved is saves a second while the emails flow, Delivered emails a second from the first save to the last email.
	Saved     float64 `json:"saved_per_s,omitempty"`
	Delivered float64 `json:"delivered_per_s,omitempty"`
	// P50 and P99 are the time from the beginning of a save to its email's arrival, while nothing else happens.
	P50 float64 `json:"p50_ms,omitempty"`
	P99 float64 `json:"p99_ms,omitempty"`
	// CPU is processor time a message: of the system's processes and of its database's and broker's.
	CPU float64 `json:"cpu_ms_per_message,omitempty"`
	// RSS is the most memory of the system's processes, its broker's included, Postgres's not.
	RSS float64 `json:"rss_mb,omitempty"`
	// Messages is how many were sent in the load phase.
	Messages int `json:"messages,omitempty"`
	// Events and Actions are Temporal's, for each message of the load phase.
	Events  float64 `json:"temporal_events_per_message,omitempty"`
	Actions float64 `json:"temporal_actions_per_message,omitempty"`
	// Doubles are emails that came twice.
	Doubles int    `json:"doubles,omitempty"`
	Note    string `json:"note,omitempty"`
}

// Plan is the work of one system.
type Plan struct {
	// Name and Database identify it; the child is this program again, run with Arguments.
	Name, Database string
	Arguments      []string
	Setup          system.Setup
	// Idle saves are made with Pause between them before the load, to measure latency.
	Idle  int
	Pause time.Duration
	// Messages saves are made as fast as they go.
	Messages int
	// DatabasePID is the Postgres server's; 0 without.
	DatabasePID int
	// SavesOnly systems send nothing; SendsOnly ones save nothing.
	SavesOnly, SendsOnly bool
	// Timeout bounds the wait for the last email.
	Timeout time.Duration
}

// warmUp is how many saves precede every measurement.
const warmUp = 50

// Measure runs the system in a child process and gives its row.
func Measure(ctx context.Context, p Plan, box *sink.Sink) (row Row, err error) {
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	box.Reset()
	row = Row{System: p.Name, Database: p.Database, Messages: p.Messages}
	child, err := begin(ctx, p)
	if errors.Is(err, system.ErrNotInstalled) {
		row.Note = err.Error()
		return row, nil
	}
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, child.end()) }()
	first := 1
	if err := run(ctx, child, box, p, &first, warmUp, 0, nil); err != nil {
		return row, err
	}
	if p.Idle > 0 && !p.SavesOnly {
		if err := latency(ctx, child, box, p, &first, &row); err != nil {
			return row, err
		}
	}
	return row, load(ctx, child, box, p, &first, &row)
}

// run gives an order to save, and waits until all of its emails have arrived.
func run(ctx context.Context, c *child, box *sink.Sink, p Plan, first *int, count int, pause time.Duration, then func(answer, sink.Arrived)) error {
	box.Reset()
	said, err := c.ask(order{First: *first, Count: count, Pause: pause})
	if err != nil {
		return err
	}
	*first += count
	var arrived sink.Arrived
	if !p.SavesOnly {
		if arrived, err = box.Wait(ctx, count); err != nil {
			return err
		}
	}
	if then != nil {
		then(said, arrived)
	}
	return nil
}

// settlePause lets what follows the last email (bookkeeping of the same messages) come to its end.
const settlePause = time.Second

func latency(ctx context.Context, c *child, box *sink.Sink, p Plan, first *int, row *Row) error {
	time.Sleep(settlePause)
	start := *first
	return run(ctx, c, box, p, first, p.Idle, p.Pause, func(said answer, arrived sink.Arrived) {
		var took []time.Duration
		for i, began := range said.Began {
			took = append(took, arrived.At[start+i].Sub(began))
		}
		slices.Sort(took)
		row.P50, row.P99 = milliseconds(took[len(took)/2]), milliseconds(took[len(took)*99/100])
	})
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func load(ctx context.Context, c *child, box *sink.Sink, p Plan, first *int, row *Row) error {
	time.Sleep(settlePause)
	roots := []int{c.process.Process.Pid}
	if p.DatabasePID > 0 {
		roots = append(roots, p.DatabasePID)
	}
	before, err := c.counts()
	if err != nil {
		return err
	}
	used, watched := cpu(roots...), watchMemory(c.process.Process.Pid)
	n := float64(p.Messages)
	err = run(ctx, c, box, p, first, p.Messages, 0, func(said answer, arrived sink.Arrived) {
		if !p.SendsOnly {
			row.Saved = n / said.To.Sub(said.From).Seconds()
		}
		if !p.SavesOnly {
			row.Delivered = n / arrived.Last.Sub(said.From).Seconds()
			row.Doubles = arrived.Doubles
		}
	})
	if err != nil {
		return errors.Join(err, fmt.Errorf("peak memory %d MB", watched()>>20))
	}
	time.Sleep(settlePause)
	row.CPU = milliseconds(cpu(roots...)-used) / n
	row.RSS = float64(watched()) / (1 << 20)
	after, err := c.counts()
	row.Events, row.Actions = float64(after.Events-before.Events)/n, float64(after.Actions-before.Actions)/n
	return err
}

// watchMemory looks at a process tree ten times a second; the function that it gives ends that and gives the maximum.
func watchMemory(pid int) func() int64 {
	stop, done := make(chan struct{}), make(chan int64, 1)
	go func() {
		var most int64
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			most = max(most, memory(pid))
			select {
			case <-stop:
				done <- most
				return
			case <-tick.C:
			}
		}
	}()
	return sync.OnceValue(func() int64 { close(stop); return <-done })
}

// child is a system's process.
type child struct {
	process *exec.Cmd
	orders  io.WriteCloser
	answers *json.Decoder
}

func begin(ctx context.Context, p Plan) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	setup, err := json.Marshal(p.Setup)
	if err != nil {
		return nil, err
	}
	c := &child{process: exec.CommandContext(ctx, self, append(p.Arguments, string(setup))...)} //nolint:gosec // this program itself
	c.process.Stderr = os.Stderr
	if c.orders, err = c.process.StdinPipe(); err != nil {
		return nil, err
	}
	output, err := c.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.answers = json.NewDecoder(bufio.NewReader(output))
	if err := c.process.Start(); err != nil {
		return nil, err
	}
	if _, err := c.read(); err != nil {
		return nil, errors.Join(err, c.end())
	}
	return c, nil
}

func (c *child) ask(o order) (answer, error) {
	if err := json.NewEncoder(c.orders).Encode(o); err != nil {
		return answer{}, err
	}
	return c.read()
}

func (c *child) counts() (system.Counts, error) {
	said, err := c.ask(order{Figures: true})
	return *cmp.Or(said.Counts, &system.Counts{}), err
}

func (c *child) read() (a answer, err error) {
	if err := c.answers.Decode(&a); err != nil {
		return a, fmt.Errorf("the system's process said nothing: %w", err)
	}
	switch {
	case a.NotInstalled:
		return a, fmt.Errorf("%s: %w", a.Error, system.ErrNotInstalled)
	case a.Error != "":
		return a, errors.New(a.Error)
	}
	return a, nil
}

// end stops the child, by force when it does not end by itself.
func (c *child) end() error {
	_ = json.NewEncoder(c.orders).Encode(order{Stop: true})
	_ = c.orders.Close()
	ended := make(chan error, 1)
	go func() { ended <- c.process.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-time.After(30 * time.Second):
		return errors.Join(c.process.Process.Kill(), <-ended)
	}
}
