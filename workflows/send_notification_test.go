package workflows_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/activities"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/workflows"
)

const newOrder = `{"id":7,"email":"ann@example.com","phone":"+12025550123","status":"NEW"}`

func TestANewRowBecomesAMessageThatIsSent(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.notify(nil)
	event := h.event(rule.Create, newOrder)
	tally, _ := h.run(event)
	if tally.Sent != 1 || tally.Failed != 0 {
		t.Errorf("tally %+v, want one sent", tally)
	}
	d := h.delivery(event)
	if d.Status != store.DeliverySent || d.Attempts != 1 || d.ProviderID != "provider-1" || d.SentAt == nil {
		t.Errorf("delivery %+v, want sent at the first attempt", d)
	}
	want := activities.Message{
		DeliveryID: d.ID, Channel: rule.Email, To: "ann@example.com", Subject: "Order 7", Text: "Order 7 is NEW",
	}
	if len(h.sender.taken) != 1 || !reflect.DeepEqual(h.sender.taken[0], want) {
		t.Errorf("handed over %+v, want %+v", h.sender.taken, want)
	}
	h.wantSettled(event)
}

func TestRefusalsForNowAreTriedThreeTimesAMinuteApart(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		answers   []error
		status    store.DeliveryStatus
		attempts  int
		took      time.Duration
		inTheLog  int
		errorCode string
	}{
		{"two refusals and the third attempt is sent", []error{later, later}, store.DeliverySent, 3, 2 * time.Minute, 0, ""},
		{"three refusals fail", []error{later, later, later}, store.DeliveryFailed, 3, 2 * time.Minute, 1, "smtp_451"},
		{"a refusal for good fails at once", []error{never}, store.DeliveryFailed, 1, 0, 1, "smtp_550_5.1.1"},
		{"a wait that the provider asks for is kept", []error{answer{class: activities.Temporary, code: "http_429", retryAfter: 7 * time.Minute}},
			store.DeliverySent, 2, 7 * time.Minute, 0, ""},
		{"an answer that is lost three times is unknown", []error{perhaps, perhaps, perhaps}, store.DeliveryUnknown, 3, 2 * time.Minute, 1, "smtp_connection_lost"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			h.notify(nil)
			h.sender.answers["ann@example.com"] = test.answers
			event := h.event(rule.Create, newOrder)
			_, took := h.run(event)
			d := h.delivery(event)
			if d.Status != test.status || d.Attempts != test.attempts || d.ErrorCode != test.errorCode {
				t.Errorf("%s after %d attempts with code %q, want %s after %d with %q",
					d.Status, d.Attempts, d.ErrorCode, test.status, test.attempts, test.errorCode)
			}
			if took.Round(time.Second) != test.took {
				t.Errorf("took %s of virtual time, want %s", took, test.took)
			}
			log := h.errorLog()
			if len(log) != test.inTheLog {
				t.Fatalf("%d rows in the error log, want %d", len(log), test.inTheLog)
			}
			if len(log) == 1 && (log[0].Code != "EMAIL_SEND_FAIL" || log[0].DeliveryID != d.ID || log[0].EventID != event || log[0].Attempt != test.attempts) {
				t.Errorf("error log has %+v", log[0])
			}
			attempts, err := store.Deliveries{DB: h.db}.Attempts(t.Context(), d.ID)
			if err != nil || len(attempts) != test.attempts {
				t.Errorf("%d attempts are written down, want %d (%v)", len(attempts), test.attempts, err)
			}
			h.wantSettled(event)
		})
	}
}

func TestEachChannelHasItsOwnErrorCode(t *testing.T) {
	t.Parallel()
	for channel, code := range map[rule.Channel]string{
		rule.Email: "EMAIL_SEND_FAIL", rule.SMS: "SMS_SEND_FAIL", rule.WhatsApp: "WHATSAPP_SEND_FAIL",
	} {
		t.Run(string(channel), func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			field := "doc.phone"
			if channel == rule.Email {
				field = "doc.email"
			}
			h.notify(func(n *rule.Notification) {
				n.Channel, n.Recipients = channel, []rule.Recipient{{DocumentField: field}}
			})
			h.sender.answers["ann@example.com"], h.sender.answers["+12025550123"] = []error{never}, []error{never}
			h.run(h.event(rule.Create, newOrder))
			if log := h.errorLog(); len(log) != 1 || log[0].Code != code {
				t.Errorf("error log %+v, want one %s", log, code)
			}
		})
	}
}

func TestOneRecipientsFailureTouchesNoOther(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.notify(func(n *rule.Notification) {
		n.Recipients = []rule.Recipient{
			{Address: "first@example.com"}, {Address: "broken@example.com"}, {Address: "last@example.com", DocumentField: "email"},
			{Address: "first@EXAMPLE.com"}, // the same person again
		}
	})
	h.sender.answers["broken@example.com"] = []error{never}
	h.sender.panics["last@example.com"] = true
	event := h.event(rule.Create, newOrder)
	tally, _ := h.run(event)
	statuses := map[string]store.DeliveryStatus{}
	for _, d := range h.deliveries(event) {
		statuses[d.Address] = d.Status
	}
	want := map[string]store.DeliveryStatus{
		"first@example.com": store.DeliverySent, "broken@example.com": store.DeliveryFailed,
		"last@example.com": store.DeliveryUnknown, "ann@example.com": store.DeliverySent,
	}
	if fmt.Sprint(statuses) != fmt.Sprint(want) {
		t.Errorf("statuses %v, want %v", statuses, want)
	}
	if tally.Sent != 2 || tally.Failed != 2 || tally.Outcome() != workflows.OutcomePartlyFailed {
		t.Errorf("tally %+v %s, want two sent and two failed", tally, tally.Outcome())
	}
	if len(h.errorLog()) != 2 {
		t.Errorf("%d rows in the error log, want 2", len(h.errorLog()))
	}
}

func TestAnErrorLogThatIsAwayGetsItsRowLater(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.notify(nil)
	h.sender.answers["ann@example.com"] = []error{never}
	h.ledger.failFails = 8 // the test environment ends an unlimited policy at 10
	event := h.event(rule.Create, newOrder)
	_, took := h.run(event)
	if log := h.errorLog(); len(log) != 1 {
		t.Errorf("%d rows in the error log, want 1", len(log))
	}
	if took < 2*time.Minute {
		t.Errorf("eight failures of the error log took %s, want a patient retry", took)
	}
	if d := h.delivery(event); d.Status != store.DeliveryFailed {
		t.Errorf("the delivery is %s, want failed", d.Status)
	}
}

func TestADatabaseThatIsAwayCostsNoAttempt(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.notify(nil)
	h.ledger.failKeeps, h.ledger.failClaims, h.ledger.failSettles = 3, 5, 3
	h.sender.answers["ann@example.com"] = []error{later, later}
	event := h.event(rule.Create, newOrder)
	h.run(event)
	if d := h.delivery(event); d.Status != store.DeliverySent || d.Attempts != 3 {
		t.Errorf("%s after %d attempts, want sent at the third", d.Status, d.Attempts)
	}
	h.wantSettled(event)
}

func TestAHandOverThatWasTakenIsWrittenDownAndNotRepeated(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.notify(nil)
	h.ledger.failFinishes = 2
	event := h.event(rule.Create, newOrder)
	h.run(event)
	if len(h.sender.taken) != 1 {
		t.Errorf("handed over %d times, want once", len(h.sender.taken))
	}
	if d := h.delivery(event); d.Status != store.DeliverySent {
		t.Errorf("the delivery is %s, want sent", d.Status)
	}
}

func TestADoubtfulHandOverIsAskedForBeforeAnother(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.notify(nil)
	h.sender.answers["ann@example.com"] = []error{perhaps}
	h.sender.has["ann@example.com"] = []string{"provider-found"}
	event := h.event(rule.Create, newOrder)
	h.run(event)
	d := h.delivery(event)
	if d.Status != store.DeliverySent || d.ProviderID != "provider-found" {
		t.Errorf("%s as %q, want what the provider had already", d.Status, d.ProviderID)
	}
	if len(h.sender.taken) != 0 || h.sender.asked != 1 {
		t.Errorf("handed over %d times and asked %d times, want 0 and 1", len(h.sender.taken), h.sender.asked)
	}
}

func TestSilenceIsExplained(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(n *rule.Notification)
		doc    string
		reason string
		codes  []string
	}{
		{"no notification for the trigger", func(n *rule.Notification) { n.Trigger = rule.OnDelete }, newOrder, "no notification was active", nil},
		{"an inactive notification", func(n *rule.Notification) { n.Active = false }, newOrder, "no notification was active", nil},
		{"a condition that is false", func(n *rule.Notification) { n.Conditions = `doc.status == "APPROVED"` }, newOrder, "line 1", nil},
		{"an empty recipient", nil, `{"id":7,"email":"","status":"NEW"}`, "no recipient", []string{"EMAIL_RECIPIENT_RESOLVE_FAIL"}},
		{"a null recipient", nil, `{"id":7,"email":null,"status":"NEW"}`, "no recipient", []string{"EMAIL_RECIPIENT_RESOLVE_FAIL"}},
		{"an invalid recipient", nil, `{"id":7,"email":"not an address","status":"NEW"}`, "no recipient", []string{"EMAIL_RECIPIENT_RESOLVE_FAIL"}},
		{"an invalid number", func(n *rule.Notification) {
			n.Channel, n.Recipients = rule.SMS, []rule.Recipient{{DocumentField: "phone"}}
		}, `{"id":7,"phone":"12","status":"NEW"}`, "no recipient", []string{"NUMBER_RECIPIENT_RESOLVE_FAIL"}},
		{"a snapshot that does not fit", nil, `{"id":"seven","email":"a@example.com"}`, "id", []string{"EVENT_DECODE_FAIL"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			h.notify(test.change)
			event := h.event(rule.Create, test.doc)
			tally, _ := h.run(event)
			if tally.Outcome() != workflows.OutcomeNothing {
				t.Errorf("outcome %s, want nothing to send", tally.Outcome())
			}
			if e := h.wantSettled(event); !strings.Contains(e.Reason, test.reason) {
				t.Errorf("the reason is %q, want it to say %q", e.Reason, test.reason)
			}
			var codes []string
			for _, entry := range h.errorLog() {
				codes = append(codes, entry.Code)
			}
			if fmt.Sprint(codes) != fmt.Sprint(test.codes) {
				t.Errorf("error log has %v, want %v", codes, test.codes)
			}
		})
	}
}

func TestAnInvalidRecipientIsLoggedAndTheOthersAreServed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.notify(func(n *rule.Notification) {
		n.Recipients = append(n.Recipients, rule.Recipient{Address: "boss@example.com"})
	})
	event := h.event(rule.Create, `{"id":7,"email":"oops","status":"NEW"}`)
	h.run(event)
	if d := h.delivery(event); d.Address != "boss@example.com" || d.Status != store.DeliverySent {
		t.Errorf("delivery %+v, want the valid recipient served", d)
	}
	log := h.errorLog()
	if len(log) != 1 || log[0].Code != "EMAIL_RECIPIENT_RESOLVE_FAIL" || strings.Contains(log[0].Message, "oops") {
		t.Errorf("error log %+v, want one row that does not repeat the value", log)
	}
}

func TestADeleteNotificationUsesTheRowThatIsGone(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.notify(func(n *rule.Notification) {
		n.Trigger, n.Message = rule.OnDelete, "Order {{ old_doc.id }} ({{ old_doc.status }}) is gone"
		n.Recipients = []rule.Recipient{{DocumentField: "old_doc.email"}}
	})
	event := h.event(rule.Delete, newOrder)
	h.run(event)
	if len(h.sender.taken) != 1 || h.sender.taken[0].Text != "Order 7 (NEW) is gone" {
		t.Errorf("handed over %+v", h.sender.taken)
	}
}

func TestAnEventIsJudgedByTheRulesThatWereInForce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	n := h.notify(nil)
	event := h.event(rule.Create, newOrder)
	notifications := store.Notifications{DB: h.db}
	n.Message, n.Active = "changed since", false
	if err := notifications.Update(t.Context(), n, "test"); err != nil {
		t.Fatal(err)
	}
	h.run(event)
	if len(h.sender.taken) != 1 || h.sender.taken[0].Text != "Order 7 is NEW" {
		t.Errorf("handed over %+v, want the text as it was when the row changed", h.sender.taken)
	}
}
