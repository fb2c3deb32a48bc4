package workflows_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/datealert"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/rules"
	"github.com/silquetech/silque-notifications/workflows"
)

// invoices have a due date; due is text, as SQLite keeps it.
var invoices = &rule.Model{
	Name: "invoices", Label: "Invoices", PrimaryKey: []string{"id"},
	Fields: []rule.Field{
		{Name: "id", Label: "ID", Type: rule.Integer}, {Name: "email", Label: "Email", Type: rule.String},
		{Name: "due", Label: "Due", Type: rule.Date}, {Name: "paid", Label: "Paid", Type: rule.Boolean},
	},
}

// dueHouse is a house with invoices that are due on the 2nd, the 3rd and the 4th of April, the first one paid.
func dueHouse(t *testing.T) *house {
	t.Helper()
	h := newHouse(t)
	if err := catalog.Save(t.Context(), h.db, invoices); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"CREATE TABLE invoices (id INTEGER PRIMARY KEY, email TEXT, due DATE, paid BOOLEAN)",
		"INSERT INTO invoices VALUES (1, 'a@example.com', '2026-04-02 00:00:00+00:00', 1), (2, 'b@example.com', '2026-04-03', 0), (3, 'c@example.com', '2026-04-04T00:00:00Z', 0)",
	} {
		if err := h.db.Exec(statement).Error; err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// alertOn runs the schedule's workflow at a moment of virtual time, and then the workflows of the events that it made. It
// gives the number of events, and who has been told so far.
func (h *house) alertOn(notificationID string, now time.Time) (events int, told []string) {
	h.t.Helper()
	h.env = h.freshEnvironment()
	h.env.RegisterWorkflow(workflows.AlertOnDates)
	h.env.SetStartTime(now)
	h.activities.Now = h.env.Now
	h.activities.Dates = datealert.Scanner{DB: h.db, Book: rules.New(h.db, rules.Options{})}
	h.env.ExecuteWorkflow(workflows.AlertOnDates, workflows.AlertOnDatesInput{NotificationID: notificationID, Scan: now.String()})
	if err := h.env.GetWorkflowError(); err != nil {
		h.t.Fatalf("the scan failed: %v", err)
	}
	if err := h.env.GetWorkflowResult(&events); err != nil {
		h.t.Fatal(err)
	}
	var waiting []outbox.Event
	if err := h.db.Where("status = ?", outbox.Pending).Order("id").Find(&waiting).Error; err != nil {
		h.t.Fatal(err)
	}
	for _, e := range waiting {
		h.env = h.freshEnvironment()
		h.run(e.ID)
	}
	for _, m := range h.sender.taken {
		told = append(told, m.To)
	}
	slices.Sort(told)
	return events, told
}

func TestDateAlertsGoOutDayByDayAndOnce(t *testing.T) {
	t.Parallel()
	h := dueHouse(t)
	days := 3
	n := h.notify(func(n *rule.Notification) {
		n.Model, n.Trigger, n.DateField, n.AlertDays, n.AlertTime, n.TimeZone = "invoices", rule.DaysBefore, "due", &days, "09:00", "Europe/Berlin"
		n.Conditions, n.Message = "not doc.paid", "Invoice {{ doc.id }} is due on {{ doc.due }}"
	})
	if err := h.db.Exec("UPDATE notify_notifications SET definition = json_set(definition, '$.active_since', '2026-01-01T00:00:00Z')").Error; err != nil {
		t.Fatal(err)
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, day := range []struct {
		date   int // of March and April 2026; the clocks change on the 29th of March
		events int
		told   []string
	}{
		{29, 0, nil}, {30, 1, nil}, {31, 1, []string{"b@example.com"}}, {32, 1, []string{"b@example.com", "c@example.com"}},
		{33, 0, []string{"b@example.com", "c@example.com"}},
	} {
		for _, minute := range []int{0, 5} { // looked at twice a day
			now := time.Date(2026, 3, day.date, 9, minute, 0, 0, berlin)
			events, told := h.alertOn(n.ID, now)
			wanted := day.events
			if minute > 0 {
				wanted = 0
			}
			if events != wanted || !slices.Equal(told, day.told) {
				t.Errorf("%s: %d events, told %v; want %d, %v", now, events, told, wanted, day.told)
			}
		}
	}
	page, err := store.Events{DB: h.db}.List(t.Context(), store.EventFilter{Model: "invoices"}, store.Paging{})
	if err != nil || len(page.Items) != 3 || fmt.Sprint(page.Items[2].Reason) != "condition false at line 1" {
		t.Errorf("events %+v, %v", page.Items, err)
	}
}

func TestAnAlertConcernsItsOwnNotificationOnly(t *testing.T) {
	t.Parallel()
	h := dueHouse(t)
	due := func(days int) *rule.Notification {
		return h.notify(func(n *rule.Notification) {
			n.Model, n.Trigger, n.DateField, n.AlertDays = "invoices", rule.DaysAfter, "due", &days
		})
	}
	first := due(0)
	due(1)
	if err := h.db.Exec("UPDATE notify_notifications SET definition = json_set(definition, '$.active_since', '2026-01-01T00:00:00Z')").Error; err != nil {
		t.Fatal(err)
	}
	if events, told := h.alertOn(first.ID, time.Date(2026, 4, 2, 0, 0, 0, 0, time.UTC)); events != 1 || !slices.Equal(told, []string{"a@example.com"}) {
		t.Errorf("%d events, told %v", events, told)
	}
}

func TestAScanWaitsForADatabaseThatIsAway(t *testing.T) {
	t.Parallel()
	h := dueHouse(t)
	h.env = h.freshEnvironment()
	h.env.RegisterWorkflow(workflows.AlertOnDates)
	dates := &awayDates{fails: 8} // the test environment gives up after ten
	h.activities.Dates = dates
	began := h.env.Now()
	h.env.ExecuteWorkflow(workflows.AlertOnDates, workflows.AlertOnDatesInput{NotificationID: "n"})
	if err := h.env.GetWorkflowError(); err != nil {
		t.Fatal(err)
	}
	if took := h.env.Now().Sub(began); took < 3*time.Minute || dates.calls != 10 {
		t.Errorf("%d calls in %s; want it to try until the database is there, and to go on page by page", dates.calls, took)
	}
}
