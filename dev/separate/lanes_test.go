package separate_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/dev/shop"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/rules"
)

// Not parallel: its times are printed.
func TestABacklogOfOneModelDoesNotKeepAnotherWaiting(t *testing.T) {
	eachWhenLong(t, "on SQLite", func(t *testing.T, url string) { besideABacklog(t, open(t, url)) })
}

func besideABacklog(t *testing.T, h *house) {
	h.notification(t, "customers", "Welcome", rules.Recipient{DocumentField: "doc.email"})
	h.notification(t, "suppliers", "Our supplier", rules.Recipient{DocumentField: "doc.email_address"})
	events := 2000
	if long() {
		events = 20_000
	}
	h.backlog(t, events)
	h.start(t, "worker")
	h.start(t, "web")
	until(t, "the backlog flows", func() (bool, error) { return h.sent(t) > 0, nil })
	for i := range 5 {
		to := fmt.Sprintf("supplier%d@example.com", i)
		saved := time.Now()
		must(t, h.db.Create(&shop.Supplier{Name: "Supplier", EmailAddress: to}).Error)
		took := h.arrival(t, to).ReceivedAt.Sub(saved)
		left := events - h.told(t, "customers")
		t.Logf("A change beside a backlog arrived after %s, with %d of %d messages of the backlog to come", took.Round(time.Millisecond), left, events)
		if left == 0 {
			if i == 0 {
				t.Error("a change beside a backlog arrived when the backlog was over")
			}
			return // it said enough
		}
	}
}

// told counts the messages about a model's rows that have gone out.
func (h *house) told(t *testing.T, model string) int {
	t.Helper()
	return h.count(t, new(store.Delivery), "status = ? AND event_id IN (SELECT id FROM notify_events WHERE model = ?)", store.DeliverySent, model)
}

// backlog appends events of customers that are there already, straight to the outbox.
func (h *house) backlog(t *testing.T, count int) {
	t.Helper()
	revision, err := store.Notifications{DB: h.db}.Revision(t.Context())
	must(t, err)
	events := make([]*outbox.Event, count)
	for i := range events {
		doc, err := json.Marshal(map[string]any{
			"id": i, "name": "Customer", "email": customer(i), "phone": "",
			"created_at": time.Now().UTC().Format(time.RFC3339Nano), "updated_at": time.Now().UTC().Format(time.RFC3339Nano),
		})
		must(t, err)
		events[i] = &outbox.Event{
			Model: "customers", Key: fmt.Sprint(i), Action: rule.Create, Doc: doc, Revision: revision, Source: outbox.FromPlugin,
		}
	}
	must(t, outbox.Append(h.db.WithContext(t.Context()), events...))
}
