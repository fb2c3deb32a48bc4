package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/activities"
	"github.com/silquetech/silque-notifications/internal/address"
	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/ledger"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/workflows"
)

// house is the whole way behind the workflow: a real database, the real activities, and providers that answer as a test
// says. Time is virtual.
type house struct {
	// activities are those of the last environment.
	activities *activities.Activities
	t          *testing.T
	db         *gorm.DB
	ledger     *faultyLedger
	sender     *scriptedSender
	env        *testsuite.TestWorkflowEnvironment
}

var orders = &rule.Model{
	Name: "orders", Label: "Orders", PrimaryKey: []string{"id"},
	Fields: []rule.Field{
		{Name: "id", Label: "ID", Type: rule.Integer},
		{Name: "email", Label: "Email", Type: rule.String, Nullable: true},
		{Name: "phone", Label: "Phone", Type: rule.String, Nullable: true},
		{Name: "status", Label: "Status", Type: rule.String},
	},
}

func newHouse(t *testing.T) *house {
	t.Helper()
	db := testdb.SQLite(t)
	if err := catalog.Save(t.Context(), db, orders); err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, db: db, ledger: &faultyLedger{Ledger: ledger.New(db)}, sender: newScriptedSender()}
	h.env = h.freshEnvironment()
	return h
}

// freshEnvironment gives a place for one more workflow on the same database and providers.
func (h *house) freshEnvironment() *testsuite.TestWorkflowEnvironment {
	quiet := slog.New(slog.DiscardHandler)
	suite := &testsuite.WorkflowTestSuite{}
	suite.SetLogger(log.NewStructuredLogger(quiet))
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	env.RegisterWorkflow(workflows.SendNotification)
	h.activities = &activities.Activities{
		Ledger: h.ledger,
		Senders: map[rule.Channel]activities.Sender{
			rule.Email: h.sender, rule.SMS: h.sender, rule.WhatsApp: h.sender,
		},
		Addresses: address.Normalizer{DefaultRegion: "US"},
		Retry:     activities.RetryProfile{Attempts: 3, Interval: time.Minute},
		Log:       quiet,
		Now:       func() time.Time { return time.Now().UTC() },
	}
	env.RegisterActivity(h.activities)
	return env
}

// notify saves a notification for new orders.
func (h *house) notify(change func(n *rule.Notification)) *rule.Notification {
	h.t.Helper()
	n := &rule.Notification{
		Title: "Order {{ doc.id }}", Message: "Order {{ doc.id }} is {{ doc.status }}", Active: true,
		Channel: rule.Email, Model: "orders", Trigger: rule.OnNew,
		Recipients: []rule.Recipient{{DocumentField: "doc.email"}},
	}
	if change != nil {
		change(n)
	}
	if err := (store.Notifications{DB: h.db}).Create(h.t.Context(), n, "test"); err != nil {
		h.t.Fatal(err)
	}
	return n
}

// event writes a change into the outbox.
func (h *house) event(action rule.Action, doc string) string {
	h.t.Helper()
	revision, err := store.Notifications{DB: h.db}.Revision(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	e := &outbox.Event{Model: "orders", Key: "7", Action: action, Revision: revision, Source: outbox.FromAPI}
	if action == rule.Test || action == rule.Retry {
		e.Model, e.Key = "", ""
	}
	if action == rule.Delete {
		e.OldDoc = outbox.Snapshot(doc)
	} else {
		e.Doc = outbox.Snapshot(doc)
	}
	if err := outbox.Append(h.db, e); err != nil {
		h.t.Fatal(err)
	}
	return e.ID
}

// run executes the workflow for the events, and gives its tally and the virtual time that it took.
func (h *house) run(eventIDs ...string) (workflows.Tally, time.Duration) {
	h.t.Helper()
	began := h.env.Now()
	h.env.ExecuteWorkflow(workflows.SendNotification, workflows.SendNotificationInput{EventIDs: eventIDs})
	if err := h.env.GetWorkflowError(); err != nil {
		h.t.Fatalf("the workflow failed: %v", err)
	}
	var tally workflows.Tally
	if err := h.env.GetWorkflowResult(&tally); err != nil {
		h.t.Fatal(err)
	}
	return tally, h.env.Now().Sub(began)
}

func (h *house) deliveries(eventID string) []*store.Delivery {
	h.t.Helper()
	found, err := store.Deliveries{DB: h.db}.OfEvents(h.t.Context(), []string{eventID})
	if err != nil {
		h.t.Fatal(err)
	}
	return found
}

// delivery gives the only delivery of an event.
func (h *house) delivery(eventID string) *store.Delivery {
	h.t.Helper()
	found := h.deliveries(eventID)
	if len(found) != 1 {
		h.t.Fatalf("%d deliveries, want 1", len(found))
	}
	return found[0]
}

func (h *house) errorLog() []*store.ErrorEntry {
	h.t.Helper()
	page, err := store.Errors{DB: h.db}.List(h.t.Context(), store.ErrorFilter{}, store.Paging{})
	if err != nil {
		h.t.Fatal(err)
	}
	return page.Items
}

func (h *house) wantSettled(eventID string) *outbox.Event {
	h.t.Helper()
	e, err := store.Events{DB: h.db}.Get(h.t.Context(), eventID)
	if err != nil {
		h.t.Fatal(err)
	}
	if e.Status != outbox.Settled {
		h.t.Errorf("the event is %s, want settled", e.Status)
	}
	return e
}

// scriptedSender answers for each address as it was told, and takes what it was told nothing about.
type scriptedSender struct {
	mutex   sync.Mutex
	answers map[string][]error
	panics  map[string]bool
	has     map[string][]string // what the provider says that it has, when asked
	taken   []activities.Message
	asked   int
}

func newScriptedSender() *scriptedSender {
	return &scriptedSender{answers: map[string][]error{}, panics: map[string]bool{}, has: map[string][]string{}}
}

func (s *scriptedSender) Send(_ context.Context, m activities.Message) (string, string, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.panics[m.To] {
		panic("adapter broke")
	}
	if queue := s.answers[m.To]; len(queue) > 0 {
		s.answers[m.To] = queue[1:]
		if queue[0] != nil {
			return "", "", queue[0]
		}
	}
	s.taken = append(s.taken, m)
	return fmt.Sprintf("provider-%d", len(s.taken)), "250 taken", nil
}

func (s *scriptedSender) Find(_ context.Context, m activities.Message, _ time.Time) ([]string, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.asked++
	return s.has[m.To], nil
}

// answer is a refusal.
type answer struct {
	class      activities.Class
	code       string
	retryAfter time.Duration
}

func (a answer) Error() string { return a.code }

func (a answer) Refusal() (activities.Class, string, time.Duration, string) {
	return a.class, a.code, a.retryAfter, "no luck for the address"
}

var (
	later   = answer{class: activities.Temporary, code: "smtp_451"}
	never   = answer{class: activities.Permanent, code: "smtp_550_5.1.1"}
	perhaps = answer{class: activities.Unknown, code: "smtp_connection_lost"}
)

// faultyLedger fails the next calls of a kind, as a database does that is away for a while.
type faultyLedger struct {
	activities.Ledger
	mutex                               sync.Mutex
	failClaims, failFails, failFinishes int
	failKeeps, failSettles              int
	// dieAfterClaims loses the answer to claims that were committed, as a worker does that dies at that moment.
	dieAfterClaims int
}

var errAway = errors.New("connection refused")

func (l *faultyLedger) fails(counter *int) bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if *counter == 0 {
		return false
	}
	*counter--
	return true
}

func (l *faultyLedger) Advance(
	ctx context.Context, ended []activities.Attempt, begin []activities.SendInput, now time.Time,
) ([]activities.Claim, error) {
	if len(begin) > 0 && l.fails(&l.failClaims) || len(ended) > 0 && l.fails(&l.failFinishes) {
		return nil, errAway
	}
	claims, err := l.Ledger.Advance(ctx, ended, begin, now)
	if err == nil && len(begin) > 0 && l.fails(&l.dieAfterClaims) {
		return nil, errAway
	}
	return claims, err
}

func (l *faultyLedger) Fail(ctx context.Context, f activities.Failure, now time.Time) error {
	if l.fails(&l.failFails) {
		return errAway
	}
	return l.Ledger.Fail(ctx, f, now)
}

func (l *faultyLedger) Keep(ctx context.Context, workflowID string, r ...activities.Resolution) ([]activities.Planned, error) {
	if l.fails(&l.failKeeps) {
		return nil, errAway
	}
	return l.Ledger.Keep(ctx, workflowID, r...)
}

func (l *faultyLedger) Settle(ctx context.Context, ids, open []string, now time.Time) error {
	if l.fails(&l.failSettles) {
		return errAway
	}
	return l.Ledger.Settle(ctx, ids, open, now)
}

// awayDates is a database that is away for some scans, and then has two pages.
type awayDates struct{ fails, calls int }

func (d *awayDates) Scan(context.Context, string, string, time.Time) (bool, int, error) {
	d.calls++
	if d.calls <= d.fails {
		return false, 0, errAway
	}
	return d.calls == d.fails+1, 1, nil
}
