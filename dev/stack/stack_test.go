package stack_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/silquetech/silque-notifications/dev/apiclient"
	"github.com/silquetech/silque-notifications/dev/shop"
	"github.com/silquetech/silque-notifications/dev/stack"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/internal/wiring"
	"github.com/silquetech/silque-notifications/workflows"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

// patience bounds one test's waiting.
const patience = time.Minute

// house is a running stack and what looks at it.
type house struct {
	apiclient.Client
	stack    *stack.Stack
	temporal *wiring.Temporal
}

// start runs a stack of its own for the test, with more settings than the usual ones.
func start(t *testing.T, databaseURL string, environ ...string) *house {
	t.Helper()
	s, err := stack.Start(t.Context(), stack.Options{
		Addr: "127.0.0.1:0", UIAddr: "127.0.0.1:0", TemporalAddr: "127.0.0.1:0", Data: t.TempDir(), DatabaseURL: databaseURL,
		Token: "a-token-for-the-tests", Environ: append([]string{"NOTIFY_RETRY_INTERVAL=1s"}, environ...), LogTo: t.Output(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	temporal, err := wiring.Dial([]string{"TEMPORAL_ADDRESS=" + s.TemporalAddr()}, s.Logger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(temporal.Close)
	return &house{Client: apiclient.Client{URL: s.URL(), Token: s.Token()}, stack: s, temporal: temporal}
}

func waiting(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// people counts the addresses that the tests have made up: each test has its own, in one shared stack.
var people atomic.Int64

func somebody() string { return fmt.Sprintf("person%d@example.com", people.Add(1)) }

// notification watches new customers whose name is the given one, so that tests do not hear of each other's rows.
func (h *house) notification(t *testing.T, trigger, name string, more map[string]any) string {
	t.Helper()
	n := map[string]any{
		"title": "About {{ doc.name }}", "message": "{{ doc.name }} has number {{ doc.id }}", "channel": "email",
		"model": "customers", "trigger": trigger, "conditions": fmt.Sprintf("doc.name == %q", name),
		"recipients": []map[string]any{{"document_field": "doc.email"}},
	}
	for field, value := range more {
		n[field] = value
	}
	var made struct{ ID string }
	must(t, h.Call(waiting(t), http.MethodPost, "/api/v1/notifications", n, &made))
	return made.ID
}

// save adds a customer and waits until the event of that is settled.
func (h *house) save(t *testing.T, row map[string]any) apiclient.Event {
	t.Helper()
	key, err := h.Save(waiting(t), "customers", row)
	must(t, err)
	event, err := h.EventOf(waiting(t), "customers", key)
	must(t, err)
	event, err = h.Settled(waiting(t), event.ID)
	must(t, err)
	return event
}

func TestTheWholePathOnBothDatabases(t *testing.T) {
	t.Parallel()
	t.Run("on SQLite", func(t *testing.T) {
		t.Parallel()
		wholePath(t, start(t, ""))
	})
	t.Run("on Postgres", func(t *testing.T) {
		t.Parallel()
		wholePath(t, start(t, testdb.PostgresURL(t)))
	})
}

// wholePath is the list of "done when" on one stack. The parts run one after the other, because fault switches are shared.
func wholePath(t *testing.T, h *house) {
	must(t, h.OnlyNotifications(waiting(t)))
	for _, part := range []struct {
		name string
		test func(t *testing.T, h *house)
	}{
		{"a saved customer becomes an email and a workflow that its event finds", savedCustomer},
		{"a deleted order sends the gone row's fields", deletedOrder},
		{"an update sends on each channel", everyChannel},
		{"an SMTP that fails twice sends at the third attempt", thirdAttempt},
		{"an SMTP that fails three times leaves one error", threeFailures},
		{"a number that Twilio refuses fails at once and touches no other", refusedNumber},
		{"a rate limit is waited for", rateLimit},
		{"a lost answer does not lose the message", lostAnswer},
		{"a failed delivery is sent again by hand", retryByHand},
		{"a test message goes the ordinary way", testMessage},
		{"an event from another application goes the same way", foreignEvent},
		{"a rolled back save says nothing", rolledBack},
		{"the start page lists what is watched", startPageLists},
		{"no personal data is in Temporal", nothingPersonal},
	} {
		t.Run(part.name, func(t *testing.T) { part.test(t, h) })
	}
}

func startPageLists(t *testing.T, h *house) {
	read := func() string {
		answer, err := http.Get(h.URL + "/start")
		must(t, err)
		defer func() { _ = answer.Body.Close() }()
		body, err := io.ReadAll(answer.Body)
		must(t, err)
		return string(body)
	}
	must(t, h.OnlyNotifications(waiting(t)))
	if body := read(); !strings.Contains(body, "No notification is active") || !strings.Contains(body, `href="/notifications/new"`) {
		t.Errorf("without a notification the start page says\n%s", body)
	}
	h.notification(t, "new", "Listed", map[string]any{"title": "<b>{{ doc.name }}</b>"})
	if body := read(); !strings.Contains(body, "<li><b>customers · new</b> → email: &lt;b&gt;{{ doc.name }}&lt;/b&gt;</li>") {
		t.Errorf("the start page does not list the notification:\n%s", body)
	}
}

func savedCustomer(t *testing.T, h *house) {
	id := h.notification(t, "new", "Ada", map[string]any{"html_message": "<p>{{ doc.name }}</p>"})
	to := somebody()
	event := h.save(t, map[string]any{"name": "Ada", "email": to})
	inbox, err := h.Inbox(waiting(t), to)
	must(t, err)
	if len(inbox) != 1 || inbox[0].Subject != "About Ada" || inbox[0].HTML != "<p>Ada</p>" || !strings.HasPrefix(inbox[0].Text, "Ada has number ") {
		t.Errorf("inbox %+v, want the one email", inbox)
	}
	for _, query := range []string{
		"SilqueEvents = '" + event.ID + "'", "SilqueNotifications = '" + id + "' AND SilqueOutcome = 'sent'",
		"SilqueModels = 'customers' AND WorkflowId = '" + event.WorkflowID + "'",
	} {
		must(t, apiclient.Until(waiting(t), func() (bool, error) {
			found, err := h.temporal.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
				Namespace: h.temporal.Namespace, Query: query,
			})
			return len(found.GetExecutions()) == 1 && found.Executions[0].Execution.WorkflowId == event.WorkflowID, err
		}))
	}
	if event.WorkflowID != workflows.WorkflowID(event.ID) {
		t.Errorf("the workflow is %s, want the event's own", event.WorkflowID)
	}
}

func deletedOrder(t *testing.T, h *house) {
	to := somebody()
	must(t, h.Call(waiting(t), http.MethodPost, "/api/v1/notifications", map[string]any{
		"title": "Order {{ old_doc.number }} is gone", "message": "It was {{ old_doc.status }} for {{ old_doc.amount }}",
		"channel": "email", "model": "orders", "trigger": "delete", "recipients": []map[string]any{{"address": to}},
	}, nil))
	key, err := h.Save(waiting(t), "orders", map[string]any{"number": "SO-77", "status": "NEW", "amount": 120.5})
	must(t, err)
	must(t, h.Call(waiting(t), http.MethodDelete, "/demo/api/orders/"+key, nil, nil))
	must(t, apiclient.Until(waiting(t), func() (bool, error) {
		inbox, err := h.Inbox(t.Context(), to)
		return len(inbox) == 1 && inbox[0].Subject == "Order SO-77 is gone" && strings.TrimSpace(inbox[0].Text) == "It was NEW for 120.50", err
	}))
}

func everyChannel(t *testing.T, h *house) {
	number := fmt.Sprintf("+1202555%04d", 200+people.Add(1))
	for _, channel := range []string{"sms", "whatsapp"} {
		h.notification(t, "update", "Grace", map[string]any{
			"channel": channel, "message": "changed " + channel, "recipients": []map[string]any{{"document_field": "phone"}},
		})
	}
	key, err := h.Save(waiting(t), "customers", map[string]any{"name": "Grace", "phone": number})
	must(t, err)
	must(t, h.Call(waiting(t), http.MethodPatch, "/demo/api/customers/"+key, map[string]any{"email": somebody()}, nil))
	must(t, apiclient.Until(waiting(t), func() (bool, error) {
		inbox, err := h.Inbox(t.Context(), strings.ReplaceAll(number, "+", "%2B"))
		texts := map[string]string{}
		for _, m := range inbox {
			texts[m.Channel] = m.Text
		}
		return texts["sms"] == "changed sms" && texts["whatsapp"] == "changed whatsapp", err
	}))
}

// delivery gives an event's only delivery, and the error log's rows for it.
func (h *house) delivery(t *testing.T, event apiclient.Event) (apiclient.Delivery, []apiclient.ErrorEntry) {
	t.Helper()
	deliveries, err := h.Deliveries(waiting(t), event.ID)
	must(t, err)
	if len(deliveries) != 1 {
		t.Fatalf("deliveries %+v, want one", deliveries)
	}
	var log apiclient.List[apiclient.ErrorEntry]
	must(t, h.Call(waiting(t), http.MethodGet, "/api/v1/errors?delivery_id="+deliveries[0].ID, nil, &log))
	return deliveries[0], log.Items
}

func thirdAttempt(t *testing.T, h *house) {
	h.notification(t, "new", "Third", nil)
	must(t, h.SetFault(waiting(t), "email", "temporary", 2))
	to := somebody()
	d, log := h.delivery(t, h.save(t, map[string]any{"name": "Third", "email": to}))
	inbox, err := h.Inbox(waiting(t), to)
	must(t, err)
	if d.Status != "sent" || d.Attempts != 3 || len(log) != 0 || len(inbox) != 1 {
		t.Errorf("%s after %d attempts, %d errors, %d emails; want sent at the third", d.Status, d.Attempts, len(log), len(inbox))
	}
}

func threeFailures(t *testing.T, h *house) {
	h.notification(t, "new", "Never", nil)
	must(t, h.SetFault(waiting(t), "email", "temporary", 3))
	d, log := h.delivery(t, h.save(t, map[string]any{"name": "Never", "email": somebody()}))
	if d.Status != "failed" || d.Attempts != 3 || len(log) != 1 || log[0].Code != "EMAIL_SEND_FAIL" {
		t.Errorf("%s after %d attempts, errors %+v; want one EMAIL_SEND_FAIL after three", d.Status, d.Attempts, log)
	}
}

func refusedNumber(t *testing.T, h *house) {
	good := fmt.Sprintf("+1202555%04d", 200+people.Add(1))
	h.notification(t, "new", "Both", map[string]any{
		"channel": "sms", "recipients": []map[string]any{{"address": "+15005550001"}, {"address": good}},
	})
	event := h.save(t, map[string]any{"name": "Both"})
	deliveries, err := h.Deliveries(waiting(t), event.ID)
	must(t, err)
	outcomes := map[string]string{}
	for _, d := range deliveries {
		outcomes[d.Address] = fmt.Sprint(strings.Replace(d.Status, "delivered", "sent", 1), d.Attempts, d.ErrorCode) // Twilio may have reported by now
	}
	if outcomes["+15005550001"] != "failed1twilio_21211" || outcomes[good] != "sent1" {
		t.Errorf("outcomes %v, want the refused one failed at once and the other sent", outcomes)
	}
}

func rateLimit(t *testing.T, h *house) {
	h.notification(t, "new", "Limit", map[string]any{"channel": "whatsapp", "recipients": []map[string]any{{"document_field": "phone"}}})
	must(t, h.SetFault(waiting(t), "whatsapp", "rate_limit", 1))
	began := time.Now()
	d, _ := h.delivery(t, h.save(t, map[string]any{"name": "Limit", "phone": "+12025550123"}))
	if d.Status != "sent" && d.Status != "delivered" || d.Attempts != 2 {
		t.Errorf("%s after %d attempts, want sent at the second", d.Status, d.Attempts)
	}
	if waited := time.Since(began); waited < 2*time.Second {
		t.Errorf("tried again after %s, although the provider asked for 2 s", waited)
	}
}

func lostAnswer(t *testing.T, h *house) {
	h.notification(t, "new", "Lost", nil)
	must(t, h.SetFault(waiting(t), "email", "drop", 1))
	to := somebody()
	d, _ := h.delivery(t, h.save(t, map[string]any{"name": "Lost", "email": to}))
	inbox, err := h.Inbox(waiting(t), to)
	must(t, err)
	if d.Status != "sent" || len(inbox) != 1 {
		t.Errorf("%s with %d emails, want sent", d.Status, len(inbox))
	}
}

func retryByHand(t *testing.T, h *house) {
	h.notification(t, "new", "Again", nil)
	must(t, h.SetFault(waiting(t), "email", "permanent", 1))
	to := somebody()
	failed, _ := h.delivery(t, h.save(t, map[string]any{"name": "Again", "email": to}))
	if failed.Status != "failed" || failed.Attempts != 1 {
		t.Fatalf("delivery %+v, want failed at once", failed)
	}
	var accepted struct {
		EventID string `json:"event_id"`
	}
	must(t, h.Call(waiting(t), http.MethodPost, "/api/v1/deliveries/"+failed.ID+"/retry", nil, &accepted))
	_, err := h.Settled(waiting(t), accepted.EventID)
	must(t, err)
	var again apiclient.Delivery
	must(t, h.Call(waiting(t), http.MethodGet, "/api/v1/deliveries/"+failed.ID, nil, &again))
	if again.Status != "sent" || again.WorkflowID == failed.WorkflowID {
		t.Errorf("delivery %+v, want it sent by a new workflow", again)
	}
}

func testMessage(t *testing.T, h *house) {
	to := somebody()
	var accepted struct {
		EventID string `json:"event_id"`
	}
	must(t, h.Call(waiting(t), http.MethodPost, "/api/v1/test", map[string]any{"channel": "email", "to": to}, &accepted))
	_, err := h.Settled(waiting(t), accepted.EventID)
	must(t, err)
	if inbox, err := h.Inbox(waiting(t), to); err != nil || len(inbox) != 1 {
		t.Errorf("inbox %+v (%v), want the test message", inbox, err)
	}
}

func foreignEvent(t *testing.T, h *house) {
	h.notification(t, "new", "Foreign", nil)
	to := somebody()
	event := map[string]any{
		"model": "customers", "action": "create", "key": "900001", "idempotency_key": "foreign-1",
		"doc": map[string]any{"id": 900001, "name": "Foreign", "email": to},
	}
	var first, second struct{ ID string }
	must(t, h.Call(waiting(t), http.MethodPost, "/api/v1/events", event, &first))
	must(t, h.Call(waiting(t), http.MethodPost, "/api/v1/events", event, &second))
	if first.ID != second.ID {
		t.Errorf("the same event is %s and %s", first.ID, second.ID)
	}
	_, err := h.Settled(waiting(t), first.ID)
	must(t, err)
	if inbox, err := h.Inbox(waiting(t), to); err != nil || len(inbox) != 1 {
		t.Errorf("inbox %+v (%v), want one email", inbox, err)
	}
}

func rolledBack(t *testing.T, h *house) {
	h.notification(t, "new", "Gone", nil)
	var before int64
	db := h.stack.Database()
	must(t, db.Raw("SELECT COUNT(*) FROM notify_events").Scan(&before).Error)
	tx := db.Begin()
	must(t, tx.Create(&shop.Customer{Name: "Gone", Email: somebody()}).Error)
	must(t, tx.Rollback().Error)
	var after int64
	must(t, db.Raw("SELECT COUNT(*) FROM notify_events").Scan(&after).Error)
	if before != after {
		t.Errorf("%d events before and %d after a rollback", before, after)
	}
}

// nothingPersonal reads every history and every search attribute of the stack.
func nothingPersonal(t *testing.T, h *house) {
	list, err := h.temporal.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: h.temporal.Namespace, PageSize: 1000,
	})
	must(t, err)
	if len(list.Executions) < 10 {
		t.Fatalf("%d workflows, want those of the parts before", len(list.Executions))
	}
	for _, execution := range list.Executions {
		all, err := protojson.Marshal(execution)
		must(t, err)
		events := h.temporal.GetWorkflowHistory(t.Context(), execution.Execution.WorkflowId, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for events.HasNext() {
			event, err := events.Next()
			must(t, err)
			raw, err := json.Marshal(event) // payloads as they are, not in base64's clothes only
			must(t, err)
			all = append(all, raw...)
			all = append(all, event.String()...)
		}
		for _, personal := range []string{"@example.com", "+1202", "+1500", "About ", "has number"} {
			if strings.Contains(string(all), personal) {
				t.Errorf("workflow %s holds %q", execution.Execution.WorkflowId, personal)
			}
		}
	}
}
