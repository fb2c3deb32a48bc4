package separate_test

import (
	"testing"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/rules"
)

func TestTwoWorkersAndTwoRelaysSendNothingTwice(t *testing.T) {
	t.Parallel()
	h := open(t, testdb.PostgresURL(t))
	h.notification(t, "customers", "Welcome", rules.Recipient{DocumentField: "doc.email"})
	const events = 500
	h.customers(t, events)
	for range 2 {
		h.start(t, "worker")
		h.start(t, "web", "NOTIFY_ADDR="+free(t))
	}
	until(t, "every event is settled", func() (bool, error) {
		return h.count(t, new(outbox.Event), "status = 'settled'") == events, nil
	})
	came := map[string]int{}
	for _, m := range h.messages(t) {
		came[m.To]++
	}
	for i := range events {
		if n := came[customer(i)]; n != 1 {
			t.Errorf("%d messages came to customer %d", n, i)
		}
	}
	if n := h.count(t, new(store.Delivery), "status = 'sent' AND attempts = 1"); n != events || len(came) != events {
		t.Errorf("%d deliveries sent at the first attempt, %d people written to; want %d", n, len(came), events)
	}
	var batches []string
	must(t, h.db.Model(new(outbox.Event)).Distinct().Pluck("batch_id", &batches).Error)
	t.Logf("%d events travelled in %d workflows", events, len(batches))
}
