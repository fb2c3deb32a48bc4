// Package measure runs each system in a process of its own and reads its figures from outside.
package measure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/pprof"
	"time"

	"github.com/silquetech/silque-notifications/bench/system"
)

// order is what the parent asks of a child, a JSON line each.
type order struct {
	// Save customers First to First+Count-1, with a pause after each.
	First int           `json:"first,omitempty"`
	Count int           `json:"count,omitempty"`
	Pause time.Duration `json:"pause,omitempty"`
	// Figures asks for what the system did at Temporal.
	Figures bool `json:"figures,omitempty"`
	// Stop ends the child.
	Stop bool `json:"stop,omitempty"`
}

// answer is what a child says, a JSON line each; the first one says that it is ready.
type answer struct {
	Error        string `json:"error,omitempty"`
	NotInstalled bool   `json:"not_installed,omitempty"`
	// Began holds when each save began, when there was a pause between them.
	Began []time.Time `json:"began,omitempty"`
	// From and To enclose all saves.
	From   time.Time      `json:"from,omitzero"`
	To     time.Time      `json:"to,omitzero"`
	Counts *system.Counts `json:"counts,omitempty"`
}

// Child runs one system by the orders from in.
func Child(ctx context.Context, open system.Open, setup system.Setup, in io.Reader, out io.Writer) error {
	say := json.NewEncoder(out)
	s, err := open(ctx, setup)
	if err != nil {
		return say.Encode(answer{Error: err.Error(), NotInstalled: errors.Is(err, system.ErrNotInstalled)})
	}
	stop, err := profile(setup.Profile)
	if err != nil {
		return errors.Join(err, s.Close(ctx))
	}
	defer stop()
	if err := say.Encode(answer{}); err != nil {
		return errors.Join(err, s.Close(ctx))
	}
	orders := json.NewDecoder(in)
	for {
		var o order
		if err := orders.Decode(&o); err != nil || o.Stop {
			return s.Close(ctx)
		}
		if err := say.Encode(obey(ctx, s, o)); err != nil {
			return errors.Join(err, s.Close(ctx))
		}
	}
}

// profile writes where the processor's time goes, until the function that it gives is called.
func profile(file string) (stop func(), err error) {
	if file == "" {
		return func() {}, nil
	}
	out, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(out); err != nil {
		return nil, errors.Join(err, out.Close())
	}
	return func() { pprof.StopCPUProfile(); _ = out.Close() }, nil
}

func obey(ctx context.Context, s system.System, o order) (a answer) {
	if counter, can := s.(system.Counter); o.Figures && can {
		counts, err := counter.Count(ctx)
		if err != nil {
			return answer{Error: err.Error()}
		}
		return answer{Counts: &counts}
	}
	a.From = time.Now()
	for i := o.First; i < o.First+o.Count; i++ {
		if o.Pause > 0 {
			a.Began = append(a.Began, time.Now())
		}
		if err := s.Save(ctx, i); err != nil {
			return answer{Error: fmt.Sprintf("save customer %d: %v", i, err)}
		}
		if o.Pause > 0 {
			time.Sleep(o.Pause)
		}
	}
	a.To = time.Now()
	return a
}
