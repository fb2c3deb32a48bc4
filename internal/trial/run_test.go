package trial_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/activities"
	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/ledger"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/internal/trial"
	"github.com/silquetech/silque-notifications/workflows"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

// server stands for Temporal and a worker: it takes a workflow, and does with its event what a test says.
type server struct {
	db   *gorm.DB
	away bool
	work func(l *ledger.Ledger, eventID string) error
}

// ExecuteWorkflow does the workflow's work on the spot.
func (s *server) ExecuteWorkflow(_ context.Context, _ client.StartWorkflowOptions, _ any, in ...any) (client.WorkflowRun, error) {
	if s.away {
		return nil, serviceerror.NewUnavailable("away")
	}
	if s.work == nil {
		return nil, nil
	}
	return nil, s.work(ledger.New(s.db), in[0].(workflows.SendNotificationInput).EventIDs[0])
}

// DescribeWorkflowExecution is not asked in so short a time.
func (s *server) DescribeWorkflowExecution(context.Context, string, string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	return nil, serviceerror.NewUnavailable("not asked")
}

// ends gives the work of a workflow whose deliveries end with these outcomes, one each.
func ends(outcomes ...string) func(l *ledger.Ledger, eventID string) error {
	return func(l *ledger.Ledger, eventID string) error {
		ctx, now := context.Background(), time.Now().UTC()
		r := activities.Resolution{EventID: eventID}
		if len(outcomes) == 0 {
			r.Reason = "no notification was active for this change"
		}
		for i := range outcomes {
			r.Deliveries = append(r.Deliveries, activities.NewDelivery{Channel: rule.Email, Address: fmt.Sprintf("ann%d@example.com", i)})
		}
		_, failed := l.Keep(ctx, "w", r)
		planned, err := l.Unsent(ctx, []string{eventID}, "", 10)
		failed = errors.Join(failed, err)
		for i, p := range planned {
			_, err := l.Claim(ctx, p.ID, p.RetryEventID, now)
			failed = errors.Join(failed, err, l.Finish(ctx, activities.Attempt{
				DeliveryID: p.ID, Number: 1, Outcome: outcomes[i], Code: "code", Detail: "550 no such user", StartedAt: now, FinishedAt: now,
			}))
			if outcomes[i] != activities.Accepted {
				failed = errors.Join(failed, l.Fail(ctx, activities.Failure{DeliveryID: p.ID, Class: activities.Class(outcomes[i]), Code: "code"}, now))
			}
		}
		return errors.Join(failed, l.Settle(ctx, []string{eventID}, nil, now))
	}
}

// try runs a trial, and gives what it printed.
func try(t *testing.T, s *server, r trial.Request) (string, error) {
	t.Helper()
	if r.Timeout == 0 {
		r.Timeout = 20 * time.Second
	}
	var out strings.Builder
	err := trial.Run(t.Context(), trial.Config{
		DB: s.db, Temporal: s, TaskQueue: "q", Out: &out, Log: slog.New(slog.DiscardHandler),
		Link: func(id string) string { return "http://ui/" + id },
	}, r)
	return out.String(), err
}

var message = trial.Request{Channel: rule.Email, To: "ann@example.com", Wait: true}

// only gives the one event of the database.
func only(t *testing.T, db *gorm.DB) outbox.Event {
	t.Helper()
	var events []outbox.Event
	if err := db.Find(&events).Error; err != nil || len(events) != 1 {
		t.Fatalf("%d events, error %v; want 1", len(events), err)
	}
	return events[0]
}

func TestATrialTellsWhatBecameOfItsMessages(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		outcomes []string
		prints   []string
		err      string
	}{
		{"sent", []string{activities.Accepted}, []string{"email to ann0@example.com: sent after 1 attempts\n"}, ""},
		{"refused", []string{"permanent"}, []string{"ann0@example.com: failed after 1 attempts, code code: 550 no such user\n"}, "1 of 1 messages"},
		{"in doubt", []string{"unknown"}, []string{": unknown after 1 attempts"}, "1 of 1 messages"},
		{"in part", []string{activities.Accepted, "temporary"}, []string{"ann0@example.com: sent", "ann1@example.com: failed"}, "1 of 2 messages"},
		{"nothing to send", nil, nil, "nothing was sent: no notification was active for this change"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			testdb.Each(t, func(t *testing.T, db *gorm.DB) {
				out, err := try(t, &server{db: db, work: ends(test.outcomes...)}, message)
				if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
					t.Errorf("error %v, want %q", err, test.err)
				}
				e := only(t, db)
				for _, want := range append(test.prints, "event:    "+e.ID) {
					if !strings.Contains(out, want) {
						t.Errorf("%q is not in:\n%s", want, out)
					}
				}
				if !strings.Contains(out, "workflow: ") || !strings.Contains(out, "see it:   http://ui/") {
					t.Errorf("no workflow in:\n%s", out)
				}
				if e.Action != rule.Test || e.Source != outbox.FromStarter || e.Model != "" || e.Revision != 1 ||
					string(e.Doc) != `{"channel":"email","to":"ann@example.com"}` {
					t.Errorf("the event is %+v with %s", e, e.Doc)
				}
			})
		})
	}
}

func TestWithoutWaitingATrialEndsWhenItsWorkflowHasStarted(t *testing.T) {
	t.Parallel()
	db, r := testdb.SQLite(t), message
	r.Wait = false
	out, err := try(t, &server{db: db}, r)
	id := workflows.WorkflowID(only(t, db).ID)
	if err != nil || !strings.Contains(out, "workflow: "+id+"\nsee it:   http://ui/"+id+"\n") {
		t.Errorf("error %v, printed:\n%s", err, out)
	}
	if e := only(t, db); e.Status != outbox.Started {
		t.Errorf("the event is %s, want started", e.Status)
	}
}

func TestATrialThatWaitsInVainSaysForWhat(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		server server
		status outbox.Status
		says   string
	}{
		{"Temporal is away", server{away: true}, outbox.Pending, "does Temporal run?"},
		{"no worker runs", server{}, outbox.Started, "does a worker run on this database and task queue?"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := message
			r.Timeout = 700 * time.Millisecond
			test.server.db = testdb.SQLite(t)
			_, err := try(t, &test.server, r)
			if err == nil || !strings.Contains(err.Error(), test.says) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v, want %q", err, test.says)
			}
			if e := only(t, test.server.db); e.Status != test.status {
				t.Errorf("the event is %s, want %s: it is kept", e.Status, test.status)
			}
		})
	}
}

// shelf is a model whose key has two parts.
var shelf = &catalog.Model{
	Name: "shelf", Label: "Shelf", PrimaryKey: []string{"place", "number"},
	Fields: []rule.Field{{Name: "place", Type: rule.String}, {Name: "number", Type: rule.Integer}, {Name: "content", Type: rule.String}},
}

func shelved(t *testing.T, db *gorm.DB) {
	t.Helper()
	err := errors.Join(
		db.Exec("CREATE TABLE shelf (place TEXT, number INTEGER, content TEXT, PRIMARY KEY (place, number))").Error,
		db.Exec("INSERT INTO shelf VALUES ('hall', 7, 'books'), ('hall', 8, 'maps')").Error,
		catalog.Save(t.Context(), db, shelf))
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnEventForARowCarriesTheRowAsItIs(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		shelved(t, db)
		for action, has := range map[rule.Action][2]bool{rule.Create: {true, false}, rule.Update: {true, true}, rule.Delete: {false, true}} {
			_, err := try(t, &server{db: db, work: ends(activities.Accepted)}, trial.Request{Model: "shelf", Key: "hall,8", Action: action, Wait: true})
			if err != nil {
				t.Fatal(err)
			}
			var e outbox.Event
			if err := db.Take(&e, "action = ?", action).Error; err != nil {
				t.Fatal(err)
			}
			if e.Model != "shelf" || e.Key != "hall,8" || (e.Doc != nil) != has[0] || (e.OldDoc != nil) != has[1] {
				t.Errorf("%s: event %+v with doc %s and old_doc %s", action, e, e.Doc, e.OldDoc)
			}
			var row map[string]any
			snapshot := e.Doc
			if snapshot == nil {
				snapshot = e.OldDoc
			}
			if err := json.Unmarshal(snapshot, &row); err != nil || row["place"] != "hall" || row["content"] != "maps" || fmt.Sprint(row["number"]) != "8" {
				t.Errorf("%s: the row is %v, error %v", action, row, err)
			}
		}
	})
}

func TestAnEventForARowThatIsNotThereIsNotWritten(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	shelved(t, db)
	tests := []struct{ model, key, says string }{
		{"shelves", "hall,7", `no model "shelves"; it lists [shelf]`},
		{"shelf", "hall,9", `shelf has no row with the key "hall,9"`},
		{"shelf", "hall", `no row with the key "hall"`},
		{"shelf", "hall,seven", `no row with the key "hall,seven"`},
	}
	for _, test := range tests {
		_, err := try(t, &server{db: db}, trial.Request{Model: test.model, Key: test.key, Action: rule.Update})
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s %s: error %v, want %q", test.model, test.key, err, test.says)
		}
	}
	var count int64
	if err := db.Model(&outbox.Event{}).Count(&count).Error; err != nil || count != 0 {
		t.Errorf("%d events, error %v", count, err)
	}
}
