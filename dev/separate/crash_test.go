package separate_test

import (
	"testing"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/rules"
)

// connections is SMTP_CONNECTIONS' default: so many hand-overs are under way at once. chunk is the most deliveries of one
// chunk, and so of one commit.
const connections, chunk = 4, 50

func TestProcessesThatDieUnderABacklogLoseNothing(t *testing.T) {
	t.Parallel()
	t.Run("on SQLite", func(t *testing.T) {
		t.Parallel()
		dieUnderABacklog(t, testdb.SQLiteURL(t))
	})
	t.Run("on Postgres", func(t *testing.T) {
		t.Parallel()
		dieUnderABacklog(t, testdb.PostgresURL(t))
	})
}

// dying is a house whose programs are killed and started anew.
type dying struct {
	*house
	before      *stall // between the web app and Temporal
	web, worker *running
	kills       int // of the worker
	events      int
}

// more keeps a backlog however fast it is worked off: on a machine that is slow to start a program, what was there before
// may all have been told by then.
func (d *dying) more(t *testing.T) {
	t.Helper()
	const some = 100
	d.customersFrom(t, d.events, some)
	d.events += some
}

// dieUnderABacklog kills the worker in the middle of chunks, and the web app with its relay at each of the moments at
// which an event could be forgotten.
func dieUnderABacklog(t *testing.T, databaseURL string) {
	h := open(t, databaseURL, "NOTIFY_RETRY_INTERVAL=1s")
	h.notification(t, "customers", "Welcome", rules.Recipient{DocumentField: "doc.email"})
	events, rounds := 400, 1
	if long() {
		events, rounds = 6000, 5
	}
	h.customers(t, events)
	d := &dying{house: h, before: stallBefore(t, h.server.Addr()), events: events}
	d.web, d.worker = d.startWeb(t), h.start(t, "worker")
	for range rounds {
		d.killWorker(t)
		d.killWeb(t, "before the start of a batch that it has claimed", &d.before.requests, func(claimed batches) bool { return claimed.unresolved > 0 })
		d.killWorker(t)
		d.killWeb(t, "before it hears that a batch has started", &d.before.answers, func(claimed batches) bool { return claimed.all > 0 && claimed.unresolved == 0 })
		d.killWorker(t)
		d.killWeb(t, "before a batch has passed", nil, func(claimed batches) bool { return claimed.open > claimed.unresolved })
	}
	until(t, "every event is settled", func() (bool, error) {
		return h.count(t, new(outbox.Event), "status = 'settled'") == d.events, nil
	})
	d.eachOnce(t, d.events)
}

func (d *dying) startWeb(t *testing.T) *running {
	t.Helper()
	return d.start(t, "web", "TEMPORAL_ADDRESS="+d.before.addr())
}

// killWorker waits for progress, kills the worker in the middle of a chunk, and starts another.
func (d *dying) killWorker(t *testing.T) {
	t.Helper()
	goal := d.sent(t) + 30
	d.more(t)
	until(t, "the worker is in the middle of a chunk", func() (bool, error) {
		return d.sent(t) >= goal && d.count(t, new(store.Delivery), "status = 'sending'") > 0, nil
	})
	d.worker.kill()
	d.kills++
	t.Logf("The worker was killed: %d sent, %d in the middle", d.sent(t), d.count(t, new(store.Delivery), "status = 'sending'"))
	d.worker = d.start(t, "worker")
}

// batches counts events that this web app has claimed: all, those that no worker has resolved, and those that have not ended.
type batches struct{ all, unresolved, open int }

// killWeb holds something back between the web app and Temporal, kills the web app when that has been caught and its
// batches are in the state that follows from it, and starts another. The state must be one that comes whatever was under
// way when the hold began: batches that are cut off then fill the relay's places, and it claims no more.
func (d *dying) killWeb(t *testing.T, when string, held *hold, state func(claimed batches) bool) {
	t.Helper()
	d.ready(t) // it has its connection to Temporal
	if held != nil {
		held.begin()
	}
	d.more(t)
	until(t, "the web app can be killed "+when, func() (bool, error) {
		claimed := batches{
			all:        d.count(t, new(outbox.Event), "claimed_at > ?", d.web.began),
			open:       d.count(t, new(outbox.Event), "claimed_at > ? AND status <> 'settled'", d.web.began),
			unresolved: d.count(t, new(outbox.Event), "claimed_at > ? AND resolved_at IS NULL", d.web.began),
		}
		return (held == nil || held.caught.Load()) && state(claimed), nil
	})
	d.web.kill()
	d.before.flow()
	t.Logf("The web app was killed %s: %d sent", when, d.sent(t))
	d.web = d.startWeb(t)
}

// eachOnce looks at what became of everything. A message may have come twice only when its hand-over was under way, or
// not written down yet, while a worker was killed.
func (d *dying) eachOnce(t *testing.T, events int) {
	t.Helper()
	var deliveries []store.Delivery
	must(t, d.db.Find(&deliveries).Error)
	var attempts []store.Attempt
	must(t, d.db.Find(&attempts).Error)
	accepted, doubtful := map[string]int{}, map[string]bool{}
	for _, a := range attempts {
		if a.Outcome == "sent" {
			accepted[a.DeliveryID]++
		} else {
			doubtful[a.DeliveryID] = doubtful[a.DeliveryID] || a.Code == "worker_lost"
		}
	}
	byAddress := map[string]store.Delivery{}
	for _, delivery := range deliveries {
		byAddress[delivery.Address] = delivery
		if delivery.Status != store.DeliverySent || accepted[delivery.ID] != 1 {
			t.Errorf("a delivery is %s after %d attempts, with %d accepted", delivery.Status, delivery.Attempts, accepted[delivery.ID])
		}
	}
	if len(deliveries) != events || len(byAddress) != events {
		t.Errorf("%d deliveries to %d addresses, want %d", len(deliveries), len(byAddress), events)
	}
	messages := d.messages(t)
	came := map[string][]message{}
	for _, m := range messages {
		came[m.To] = append(came[m.To], m)
	}
	for i := range events {
		copies := came[customer(i)]
		delivery := byAddress[customer(i)]
		if len(copies) == 0 {
			t.Errorf("nothing came to customer %d", i)
		}
		if len(copies) > 1 && !doubtful[delivery.ID] {
			t.Errorf("%d messages came to customer %d, though no worker died over them", len(copies), i)
		}
		for _, m := range copies {
			if m.Headers["Message-Id"] != copies[0].Headers["Message-Id"] && m.Headers["Message-ID"] != copies[0].Headers["Message-ID"] {
				t.Errorf("customer %d has copies with different Message-IDs", i)
			}
		}
	}
	twice := len(messages) - events
	t.Logf("%d messages, %d of them twice after %d kills of the worker; %d deliveries were in doubt", len(messages), twice, d.kills, len(doubtful))
	if bound := d.kills * (connections + chunk); twice > bound {
		t.Errorf("%d came twice, want at most %d", twice, bound)
	}
}
