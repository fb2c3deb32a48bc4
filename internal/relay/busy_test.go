package relay_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/relay"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/workflows"
)

// patient is a relay that never gives a busy batch up in a test's time.
var patient = relay.Options{BatchMax: 10, BusyFor: time.Hour, Poll: 10 * time.Millisecond, Gather: 20 * time.Millisecond, Parallel: 2}

// startedInputs lists the batches that the server has got.
func (s *temporal) startedInputs() (inputs [][]string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, input := range s.inputs {
		inputs = append(inputs, input)
	}
	return inputs
}

// workflowOf finds the workflow that got the event.
func (s *temporal) workflowOf(eventID string) string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for id, input := range s.inputs {
		for _, e := range input {
			if e == eventID {
				return id
			}
		}
	}
	return ""
}

func TestWhatComesWhileABatchIsBusyTravelsTogether(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		server := newTemporal()
		first := appendEvents(t, db, 3)
		r := run(t, db, server, patient)
		eventually(t, "the first batch has started", func() bool { return server.workflowOf(first[0].ID) != "" })
		later := append(appendEvents(t, db, 4), appendEvents(t, db, 3)...)
		never(t, "a batch starts beside a busy one", func() bool { return len(server.startedInputs()) > 1 })
		if !r.Passed(server.workflowOf(first[0].ID)) {
			t.Error("the relay does not know its own batch")
		}
		eventually(t, "what has gathered has started", func() bool { return server.workflowOf(later[6].ID) != "" })
		if inputs := server.startedInputs(); len(inputs) != 2 {
			t.Errorf("%d workflows, want 2: %v", len(inputs), inputs)
		}
	})
}

func TestEveryEventOfABatchIsFoundByItsID(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	server := newTemporal()
	options := patient
	options.BatchMax = 50
	events := appendEvents(t, db, 50)
	run(t, db, server, options)
	eventually(t, "the batch has started", func() bool { return server.workflowOf(events[49].ID) != "" })
	server.set(func(s *temporal) {
		for id, o := range s.options {
			found, _ := o.TypedSearchAttributes.GetKeywordList(workflows.EventsAttribute)
			tables, _ := o.TypedSearchAttributes.GetKeywordList(workflows.ModelsAttribute)
			if !slices.Equal(found, s.inputs[id]) || len(found) != len(events) || !slices.Equal(tables, []string{"orders"}) {
				t.Errorf("events %v and tables %v are to be found, want all %d of orders", found, tables, len(events))
			}
			if value, err := json.Marshal(found); err != nil || len(value) > 2048 {
				t.Errorf("the attribute has %d bytes, and Temporal takes 2048", len(value))
			}
			if want := "50 events of orders · batch "; !strings.HasPrefix(o.StaticSummary, want) {
				t.Errorf("summary %q, want %q and its ID", o.StaticSummary, want)
			}
		}
	})
}

func TestSingleEventsNeedNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		server := newTemporal()
		run(t, db, server, patient)
		for range 2 {
			e := appendEvents(t, db, 1)[0]
			eventually(t, "a single event has a workflow of its own", func() bool { return server.workflowOf(e.ID) == workflows.WorkflowID(e.ID) })
		}
		third := appendEvents(t, db, 1)[0]
		never(t, "more singles are busy than may be", func() bool { return server.workflowOf(third.ID) != "" })
	})
}

func TestABatchThatTakesLongIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		server := newTemporal()
		options := patient
		options.BusyFor = 50 * time.Millisecond
		appendEvents(t, db, 3)
		run(t, db, server, options)
		eventually(t, "the first has started", func() bool { return len(server.startedInputs()) == 1 })
		other := appendEvents(t, db, 2)
		eventually(t, "others go on", func() bool { return server.workflowOf(other[1].ID) != "" })
		eventually(t, "the start is noted", func() bool { return statusOf(t, db, other[1].ID) == outbox.Started })
	})
}

func TestFullBatchesOverlap(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	server := newTemporal()
	options := patient
	options.Full, options.Parallel = 2, 4
	appendEvents(t, db, 45)
	run(t, db, server, options)
	eventually(t, "two full batches are busy", func() bool { return len(server.startedInputs()) == 2 })
	never(t, "a third is", func() bool { return len(server.startedInputs()) > 2 })
}

func TestAPassIsHeardOfFromAnotherProcess(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		server := newTemporal()
		first := appendEvents(t, db, 2)
		run(t, db, server, patient)
		eventually(t, "the first has started", func() bool { return server.workflowOf(first[1].ID) != "" })
		next := appendEvents(t, db, 2)
		if err := outbox.Settle(t.Context(), db, []string{first[0].ID, first[1].ID}, time.Now().UTC()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the next has started", func() bool {
			if db.Name() == "postgres" { // as the worker does; again, because the relay may not listen yet
				db.Exec("SELECT pg_notify(?, ?)", outbox.PassedChannel, server.workflowOf(first[0].ID))
			}
			return server.workflowOf(next[1].ID) != ""
		})
	})
}

// choosy refuses the workflows of one event as wrong.
type choosy struct {
	*temporal
	refused string
}

func (s choosy) ExecuteWorkflow(ctx context.Context, o client.StartWorkflowOptions, w any, args ...any) (client.WorkflowRun, error) {
	if o.ID == workflows.WorkflowID(s.refused) {
		return nil, serviceerror.NewInvalidArgument("the search attribute is too long")
	}
	return s.temporal.ExecuteWorkflow(ctx, o, w, args...)
}

func TestAWorkflowThatTemporalRefusesHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	server := newTemporal()
	refused := appendEvents(t, db, 1)[0]
	r := run(t, db, choosy{server, refused.ID}, patient)
	eventually(t, "it is claimed", func() bool {
		waiting, err := outbox.Waiting(t.Context(), db, 1)
		return waiting == 0 && err == nil
	})
	for range 3 {
		e := appendEvents(t, db, 1)[0]
		eventually(t, "another flows", func() bool { return server.workflowOf(e.ID) != "" })
		r.Passed(workflows.WorkflowID(e.ID))
	}
	if r.Stalled() {
		t.Error("Temporal counts as away")
	}
}

// never watches for a moment that something does not happen.
func never(t testing.TB, what string, happens func() bool) {
	t.Helper()
	for deadline := time.Now().Add(200 * time.Millisecond); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if happens() {
			t.Fatalf("it happens: %s", what)
		}
	}
}
