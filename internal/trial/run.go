package trial

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/ledger"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/relay"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// Config is what a trial works with.
type Config struct {
	DB        *gorm.DB
	Temporal  relay.Temporal
	TaskQueue string
	// Link gives a workflow's page in Temporal Web UI.
	Link func(workflowID string) string
	Out  io.Writer
	Log  *slog.Logger
}

// look is how often the database is asked how far the event has come.
const look = 50 * time.Millisecond

// noteAfter is how long the relay waits for the workflow to show that it runs, before it notes the start by itself: what a
// trial says in vain depends on the note.
const noteAfter = 200 * time.Millisecond

// Run writes the event and follows it. While it runs it is a relay too, so that a test needs no web app. The error says
// why something was not sent.
func Run(ctx context.Context, c Config, r Request) error {
	event, err := c.event(ctx, r)
	if err != nil {
		return err
	}
	if err := outbox.Append(c.DB.WithContext(ctx), event); err != nil {
		return err
	}
	fmt.Fprintln(c.Out, "event:   ", event.ID)

	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	var relaying sync.WaitGroup
	defer relaying.Wait()
	defer cancel()
	relaying.Go(func() {
		relay.New(c.DB, c.Temporal, ledger.New(c.DB), relay.Options{TaskQueue: c.TaskQueue, BusyFor: noteAfter, Log: c.Log}).Run(ctx)
	})
	started, err := c.await(ctx, event.ID, func(e *outbox.Event) bool { return e.WorkflowID != "" })
	if err != nil {
		return fmt.Errorf("no workflow has started yet (does Temporal run?); the event is kept and goes out when it does: %w", err)
	}
	fmt.Fprintln(c.Out, "workflow:", started.WorkflowID)
	fmt.Fprintln(c.Out, "see it:  ", c.Link(started.WorkflowID))
	if !r.Wait {
		return nil
	}
	settled, err := c.await(ctx, event.ID, func(e *outbox.Event) bool { return e.Status == outbox.Settled })
	if err != nil {
		return fmt.Errorf("the event is not settled yet (does a worker run on this database and task queue?); it goes on without this command: %w", err)
	}
	return c.outcome(ctx, settled)
}

// event makes the outbox row: a test message carries its address, a row's event carries the row as it is now.
func (c Config) event(ctx context.Context, r Request) (*outbox.Event, error) {
	revision, err := store.Notifications{DB: c.DB}.Revision(ctx)
	if err != nil {
		return nil, err
	}
	event := &outbox.Event{ID: outbox.NewID(), Revision: revision, Source: outbox.FromStarter}
	if r.Model == "" {
		event.Action = rule.Test
		event.Doc, err = json.Marshal(rule.TestMessage{Channel: r.Channel, To: r.To})
		return event, err
	}
	row, err := c.row(ctx, r)
	if err != nil {
		return nil, err
	}
	event.Model, event.Key, event.Action = r.Model, r.Key, r.Action
	if r.Action != rule.Create {
		event.OldDoc = row
	}
	if r.Action != rule.Delete {
		event.Doc = row
	}
	return event, nil
}

func (c Config) row(ctx context.Context, r Request) (outbox.Snapshot, error) {
	models, err := catalog.Load(ctx, c.DB)
	if err != nil {
		return nil, err
	}
	model, ok := models.Model(r.Model)
	if !ok {
		return nil, fmt.Errorf("the catalog has no model %q; it lists %v", r.Model, names(models))
	}
	row, err := store.Rows{DB: c.DB}.Row(ctx, model, r.Key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("%s has no row with the key %q", r.Model, r.Key)
	}
	return outbox.Snapshot(row), err
}

func names(models catalog.Set) []string {
	var all []string
	for _, m := range models.List() {
		all = append(all, m.Name)
	}
	return all
}

// await polls the event until it is far enough, or ctx ends.
func (c Config) await(ctx context.Context, id string, enough func(*outbox.Event) bool) (*outbox.Event, error) {
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		event, err := store.Events{DB: c.DB}.Get(ctx, id)
		if err == nil && enough(event) {
			return event, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-ticker.C:
		}
	}
}

// outcome prints what became of each delivery; its error counts those that were not sent.
func (c Config) outcome(ctx context.Context, e *outbox.Event) error {
	deliveries, err := store.Deliveries{DB: c.DB}.OfEvents(ctx, []string{e.ID})
	if err != nil {
		return err
	}
	if len(deliveries) == 0 {
		return fmt.Errorf("nothing was sent: %s", e.Reason)
	}
	failed := 0
	for _, d := range deliveries {
		line := fmt.Sprintf("%s to %s: %s after %d attempts", d.Channel, d.Address, d.Status, d.Attempts)
		if !d.Taken() {
			failed++
			line += fmt.Sprintf(", code %s%s", d.ErrorCode, c.answer(ctx, d.ID))
		}
		fmt.Fprintln(c.Out, line)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d messages were not sent; the error log says why", failed, len(deliveries))
	}
	return nil
}

// answer gives the provider's last words, for the person at the terminal.
func (c Config) answer(ctx context.Context, deliveryID string) string {
	attempts, err := store.Deliveries{DB: c.DB}.Attempts(ctx, deliveryID)
	if err != nil || len(attempts) == 0 || attempts[len(attempts)-1].Detail == "" {
		return ""
	}
	return ": " + attempts[len(attempts)-1].Detail
}
