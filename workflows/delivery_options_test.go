package workflows_test

import (
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/activities"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/workflows"
)

func TestANotificationsOwnRetryProfileReplacesTheSettings(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.notify(func(n *rule.Notification) { n.RetryAttempts, n.RetryInterval, n.Priority = 2, 10, 1 })
	h.sender.answers["ann@example.com"] = []error{later, later, later}
	event := h.event(rule.Create, `{"id":7,"status":"NEW","email":"ann@example.com"}`)
	tally, took := h.run(event)
	if d := h.delivery(event); d.Status != store.DeliveryFailed || d.Attempts != 2 || tally.Failed != 1 || took != 10*time.Second {
		t.Errorf("%s after %d attempts in %s, tally %+v; want failed after 2 attempts, 10 s apart", d.Status, d.Attempts, took, tally)
	}
}

func TestAMessageIsNotSentOnceItIsOfNoUse(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.activities.Now = func() time.Time { return time.Now().UTC().Add(90 * time.Second) }
	h.notify(func(n *rule.Notification) { n.ValidFor = 1 })
	event := h.event(rule.Create, `{"id":7,"status":"NEW","email":"ann@example.com"}`)
	tally, _ := h.run(event)
	d := h.delivery(event)
	if d.Status != store.DeliverySuppressed || d.ErrorCode != store.ExpiredCode || len(h.sender.taken) > 0 {
		t.Errorf("%s with code %q, %d handed over; want suppressed as expired", d.Status, d.ErrorCode, len(h.sender.taken))
	}
	if tally != (workflows.Tally{Suppressed: 1}) || tally.Outcome() != workflows.OutcomeSuppressed {
		t.Errorf("tally %+v (%s)", tally, tally.Outcome())
	}
	h.wantSettled(event)
}

func TestARuleThatIsDeactivatedOrDeletedAfterTheChangeStillSendsAsItWas(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(s store.Notifications, id string) error{
		"deactivated": func(s store.Notifications, id string) error {
			_, err := s.SetActive(t.Context(), []string{id}, false, "test")
			return err
		},
		"deleted": func(s store.Notifications, id string) error { return s.Delete(t.Context(), id, "test") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			n := h.notify(nil)
			event := h.event(rule.Create, `{"id":7,"status":"NEW","email":"ann@example.com"}`)
			if err := change(store.Notifications{DB: h.db}, n.ID); err != nil {
				t.Fatal(err)
			}
			later := h.event(rule.Create, `{"id":8,"status":"NEW","email":"ann@example.com"}`)
			if tally, _ := h.run(event, later); tally.Sent != 1 || len(h.deliveries(later)) > 0 {
				t.Errorf("tally %+v, want the change before it to send, and the change after it not", tally)
			}
		})
	}
}

func TestAProfileFillsWhatIsLeftOpen(t *testing.T) {
	t.Parallel()
	setting := activities.RetryProfile{Attempts: 3, Interval: time.Minute}
	if got := (activities.RetryProfile{Attempts: 5}).Or(setting); got != (activities.RetryProfile{Attempts: 5, Interval: time.Minute}) {
		t.Errorf("got %+v", got)
	}
}
