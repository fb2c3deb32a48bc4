package relay_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/ledger"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/relay"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/workflows"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

// temporal stands for the server: it keeps what was started, and can be away, or say what became of a workflow.
type temporal struct {
	mutex    sync.Mutex
	away     bool
	refusal  error
	refused  int
	starts   map[string]int
	inputs   map[string][]string
	statuses map[string]enums.WorkflowExecutionStatus
	moment   map[string]time.Time
	options  map[string]client.StartWorkflowOptions
}

func newTemporal() *temporal {
	return &temporal{
		starts: map[string]int{}, inputs: map[string][]string{}, moment: map[string]time.Time{},
		statuses: map[string]enums.WorkflowExecutionStatus{}, options: map[string]client.StartWorkflowOptions{},
	}
}

func (s *temporal) ExecuteWorkflow(
	_ context.Context, o client.StartWorkflowOptions, _ any, args ...any,
) (client.WorkflowRun, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.away {
		return nil, serviceerror.NewUnavailable("away")
	}
	if s.refusal != nil {
		s.refused++
		return nil, s.refusal
	}
	if o.WorkflowIDReusePolicy != enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE ||
		o.WorkflowIDConflictPolicy != enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING {
		return nil, errors.New("a repeated start would be a second workflow")
	}
	s.starts[o.ID]++
	s.options[o.ID] = o
	s.inputs[o.ID] = args[0].(workflows.SendNotificationInput).EventIDs
	s.moment[o.ID] = time.Now()
	if s.statuses[o.ID] == 0 {
		s.statuses[o.ID] = enums.WORKFLOW_EXECUTION_STATUS_RUNNING
	}
	return nil, nil
}

func (s *temporal) DescribeWorkflowExecution(
	_ context.Context, workflowID, _ string,
) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	status, ok := s.statuses[workflowID]
	if !ok {
		return nil, serviceerror.NewNotFound("no such workflow")
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{
		WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{Status: status},
	}, nil
}

func (s *temporal) set(change func(s *temporal)) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	change(s)
}

func (s *temporal) started(workflowID string) int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.starts[workflowID]
}

func appendEvents(t testing.TB, db *gorm.DB, count int) []*outbox.Event {
	t.Helper()
	events := make([]*outbox.Event, count)
	for i := range events {
		events[i] = &outbox.Event{
			Model: "orders", Key: fmt.Sprint(i), Action: rule.Create, Doc: outbox.Snapshot(`{"id":1}`),
			Revision: 1, Source: outbox.FromPlugin,
		}
	}
	if err := outbox.Append(db, events...); err != nil {
		t.Fatal(err)
	}
	return events
}

// run runs a relay until the test ends.
func run(t testing.TB, db *gorm.DB, server relay.Temporal, o relay.Options) *relay.Relay {
	t.Helper()
	r := relay.New(db, server, ledger.New(db), o)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	return r
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not in 20 s: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func statusOf(t testing.TB, db *gorm.DB, id string) outbox.Status {
	t.Helper()
	e, err := store.Events{DB: db}.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return e.Status
}

func TestAnyNumberOfRelaysStartEachEventOnce(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		server := newTemporal()
		events := appendEvents(t, db, 60)
		for range 4 {
			run(t, db, server, relay.Options{Poll: 10 * time.Millisecond})
		}
		eventually(t, "all are marked started", func() bool {
			var waiting int64
			db.Model(&outbox.Event{}).Where("status <> 'started'").Count(&waiting)
			return waiting == 0
		})
		for _, e := range events {
			id := workflows.WorkflowID(e.ID)
			if server.started(id) != 1 || len(server.inputs[id]) != 1 || server.inputs[id][0] != e.ID {
				t.Errorf("event %s started %d times with input %v", e.ID, server.started(id), server.inputs[id])
			}
		}
	})
}

func TestABacklogTravelsInBatchesWhenThatIsAllowed(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		server := newTemporal()
		events := appendEvents(t, db, 25)
		run(t, db, server, relay.Options{BatchMax: 10})
		eventually(t, "all are marked started", func() bool {
			var waiting int64
			db.Model(&outbox.Event{}).Where("status <> 'started'").Count(&waiting)
			return waiting == 0
		})
		seen := map[string]bool{}
		for _, input := range server.inputs {
			if len(input) > 10 {
				t.Errorf("a batch of %d, want at most 10", len(input))
			}
			for _, id := range input {
				seen[id] = true
			}
		}
		if len(seen) != len(events) || len(server.inputs) != 3 {
			t.Errorf("%d events in %d workflows, want 25 in 3", len(seen), len(server.inputs))
		}
	})
}

func TestAClaimWithoutAStartIsRepeatedAsTheSameStart(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		server := newTemporal()
		event := appendEvents(t, db, 1)[0]
		batch, err := outbox.Claim(t.Context(), db, 1) // and the process dies here
		if err != nil || batch.ID != event.ID {
			t.Fatalf("claimed %+v, error %v", batch, err)
		}
		run(t, db, server, relay.Options{AbandonedAfter: 50 * time.Millisecond})
		eventually(t, "the claim is taken over", func() bool { return statusOf(t, db, event.ID) == outbox.Started })
		if server.started(workflows.WorkflowID(batch.ID)) == 0 || len(server.inputs) != 1 {
			t.Errorf("started %v, want the batch's own workflow alone", server.starts)
		}
	})
}

func TestAStartThatWasNotNotedIsRepeatedWithoutEffect(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		server := newTemporal()
		event := appendEvents(t, db, 1)[0]
		if _, err := outbox.Claim(t.Context(), db, 1); err != nil {
			t.Fatal(err)
		}
		// The process dies after the start; the workflow runs and settles the event.
		if err := outbox.Settle(t.Context(), db, []string{event.ID}, time.Now().UTC()); err != nil {
			t.Fatal(err)
		}
		run(t, db, server, relay.Options{AbandonedAfter: 20 * time.Millisecond})
		other := appendEvents(t, db, 1)[0]
		eventually(t, "another event flows", func() bool { return statusOf(t, db, other.ID) == outbox.Started })
		if statusOf(t, db, event.ID) != outbox.Settled {
			t.Errorf("the settled event is %s", statusOf(t, db, event.ID))
		}
	})
}

func TestWhileTemporalIsAwayEventsWaitAndThenFlow(t *testing.T) {
	t.Parallel()
	server := newTemporal()
	server.away = true
	db := testdb.SQLite(t)
	r := run(t, db, server, relay.Options{Poll: 5 * time.Millisecond})
	events := appendEvents(t, db, 30)
	eventually(t, "the relay knows that Temporal is away", r.Stalled)
	for _, e := range events {
		if statusOf(t, db, e.ID) != outbox.Pending {
			t.Fatalf("an event is %s while Temporal is away", statusOf(t, db, e.ID))
		}
	}
	server.set(func(s *temporal) { s.away = false })
	eventually(t, "all events flow", func() bool {
		var waiting int64
		db.Model(&outbox.Event{}).Where("status = 'pending'").Count(&waiting)
		return waiting == 0
	})
	eventually(t, "the relay knows that Temporal is back", func() bool { return !r.Stalled() })
}

func TestADatabaseThatLetsNoEventBeClaimedIsToldAndWaitedFor(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		server := newTemporal()
		e := appendEvents(t, db, 1)[0]
		rename := func(from, to string) {
			if err := db.Exec("ALTER TABLE " + from + " RENAME TO " + to).Error; err != nil {
				t.Fatal(err)
			}
		}
		rename("notify_events", "away")
		r := run(t, db, server, relay.Options{})
		eventually(t, "the relay knows that it cannot claim", r.Unable)
		rename("away", "notify_events")
		eventually(t, "the event is started", func() bool { return server.started(workflows.WorkflowID(e.ID)) == 1 })
		eventually(t, "the relay knows that it can claim", func() bool { return !r.Unable() })
	})
}

func TestARefusalOfAllLeavesTheOutboxToItsTurns(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		refusal string
		stalled bool
	}{
		{"before Temporal knows the search attributes", "Namespace default has no mapping defined for search attribute SilqueEvents", true},
		{"while Temporal finds something else wrong", "TaskQueue is too long", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := newTemporal()
			server.refusal = serviceerror.NewInvalidArgument(test.refusal)
			db := testdb.SQLite(t)
			appendEvents(t, db, 60)
			r := run(t, db, server, relay.Options{BatchMax: 10, Poll: time.Millisecond, AbandonedAfter: 50 * time.Millisecond})
			eventually(t, "starts are tried and refused", func() bool {
				server.mutex.Lock()
				defer server.mutex.Unlock()
				return server.refused >= 3
			})
			if r.Stalled() != test.stalled {
				t.Errorf("the relay says that it is stalled: %t", r.Stalled())
			}
			if waiting, err := outbox.Waiting(t.Context(), db, 100); err != nil || waiting == 0 {
				t.Errorf("%d of 60 still wait for their turn, error %v", waiting, err)
			}
			server.set(func(s *temporal) { s.refusal = nil })
			eventually(t, "all flow", func() bool {
				var waiting int64
				db.Model(&outbox.Event{}).Where("status = 'pending'").Count(&waiting)
				return waiting == 0
			})
		})
	}
}

func TestAStoppedRelayLeavesItsClaimsToTheNext(t *testing.T) {
	t.Parallel()
	server := newTemporal()
	server.away = true
	db := testdb.SQLite(t)
	event := appendEvents(t, db, 1)[0]
	ctx, stop := context.WithCancel(t.Context())
	first := relay.New(db, server, ledger.New(db), relay.Options{})
	done := make(chan struct{})
	go func() { defer close(done); first.Run(ctx) }()
	eventually(t, "the first relay tries", first.Stalled)
	stop()
	<-done
	server.set(func(s *temporal) { s.away = false })
	run(t, db, server, relay.Options{AbandonedAfter: 20 * time.Millisecond})
	eventually(t, "the next relay starts it", func() bool { return statusOf(t, db, event.ID) == outbox.Started })
	if server.started(workflows.WorkflowID(event.ID)) == 0 {
		t.Errorf("started %v, want the event's own workflow", server.starts)
	}
}

func TestWhatBecameOfAStartedWorkflowIsChecked(t *testing.T) {
	t.Parallel()
	const settled, started = outbox.Settled, outbox.Started
	tests := []struct {
		name   string
		status enums.WorkflowExecutionStatus // 0: Temporal has lost it
		// starts is the number of starts of the first workflow in the end; fresh says whether another one was started.
		starts int
		fresh  bool
		want   outbox.Status
	}{
		{"one that runs is left alone", enums.WORKFLOW_EXECUTION_STATUS_RUNNING, 1, false, started},
		{"one that is lost is started again", 0, 2, false, started},
		{"one that failed begins anew under another ID", enums.WORKFLOW_EXECUTION_STATUS_FAILED, 1, true, started},
		{"one that was terminated by hand ends its events", enums.WORKFLOW_EXECUTION_STATUS_TERMINATED, 1, false, settled},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			testdb.Each(t, func(t *testing.T, db *gorm.DB) {
				server := newTemporal()
				event := appendEvents(t, db, 1)[0]
				id := workflows.WorkflowID(event.ID)
				run(t, db, server, relay.Options{CheckAfter: 60 * time.Millisecond})
				eventually(t, "started", func() bool { return statusOf(t, db, event.ID) == outbox.Started })
				server.set(func(s *temporal) {
					if test.status == 0 {
						delete(s.statuses, id)
					} else {
						s.statuses[id] = test.status
					}
				})
				eventually(t, test.name, func() bool {
					server.mutex.Lock()
					defer server.mutex.Unlock()
					return server.starts[id] == test.starts && (len(server.starts) > 1) == test.fresh
				})
				eventually(t, "its status", func() bool { return statusOf(t, db, event.ID) == test.want })
			})
		})
	}
}

func TestOnPostgresANoticeFromAnotherProcessWakesTheRelay(t *testing.T) {
	t.Parallel()
	db := testdb.Postgres(t)
	server := newTemporal()
	run(t, db, server, relay.Options{Poll: time.Hour})
	event := &outbox.Event{}
	eventually(t, "a notice wakes the relay", func() bool {
		if event.ID == "" {
			event = appendEvents(t, db, 1)[0]
		}
		// The relay may not be listening yet: notices are sent until one is heard.
		if err := db.Exec("SELECT pg_notify(?, '')", outbox.Channel).Error; err != nil {
			t.Fatal(err)
		}
		return server.started(workflows.WorkflowID(event.ID)) == 1
	})
}

// BenchmarkNudgeToStart measures the time from a commit to the start of the workflow while nothing else happens.
func BenchmarkNudgeToStart(b *testing.B) {
	for name, open := range map[string]func(testing.TB) *gorm.DB{"sqlite": testdb.SQLite, "postgres": testdb.Postgres} {
		b.Run(name, func(b *testing.B) {
			db := open(b)
			server := newTemporal()
			r := run(b, db, server, relay.Options{})
			for b.Loop() {
				event := appendEvents(b, db, 1)[0]
				r.Nudge()
				for server.started(workflows.WorkflowID(event.ID)) == 0 {
					time.Sleep(100 * time.Microsecond)
				}
			}
		})
	}
}
