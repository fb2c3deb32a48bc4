package separate_test

import (
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/store"
)

// point is a moment at which something dies by SIGKILL.
type point struct {
	name string
	die  func(x *trial, t *testing.T)
}

const (
	inMigrationWeb    = "web in a migration"
	inMigrationWorker = "worker in a migration"
)

// points are all that is covered, in the order of the way of the data.
var points = []point{
	{"application in its transaction", func(x *trial, t *testing.T) { x.applicationDies(t, asShopOpen) }},
	{"application after its commit, before its nudge", func(x *trial, t *testing.T) { x.applicationDies(t, asShopCommitted) }},
	{"web after a claim, before the start", (*trial).beforeStart},
	{"web after a start, before it hears of it", (*trial).beforeAnswer},
	{"web while a batch is under way", (*trial).underWay},
	{"web in its graceful stop", (*trial).webStopping},
	{inMigrationWeb, func(x *trial, t *testing.T) { x.inMigration(t, "web") }},
	{"worker in the middle of a batch", (*trial).inBatch},
	{"worker before a hand-over that it has claimed", (*trial).beforeHandOver},
	{"worker before it hears the mail server's yes", func(x *trial, t *testing.T) { x.beforeYes(t, &x.mail.answers, queued) }},
	{"worker after the mail server's yes, before its row says so", func(x *trial, t *testing.T) { x.afterYes(t, &x.mail.answers, queued) }},
	{"worker before it hears Twilio's yes", func(x *trial, t *testing.T) { x.beforeYes(t, &x.twilio.answers, created) }},
	{"worker after Twilio's yes, before its row says so", func(x *trial, t *testing.T) { x.afterYes(t, &x.twilio.answers, created) }},
	{"worker in its graceful stop", (*trial).workerStopping},
	{inMigrationWorker, func(x *trial, t *testing.T) { x.inMigration(t, "worker") }},
	{"Temporal in the middle of its work", (*trial).temporalDies},
	{"everything at once", (*trial).everythingDies},
	{"any of them at any moment", (*trial).anyDies},
}

// applicationDies has the application save a customer and die of it.
func (x *trial) applicationDies(t *testing.T, how string) {
	n := x.books.number()
	r := launch(t, "shop", reborn(t, how, "DATABASE_URL="+x.databaseURL, asNumber+"="+strconv.Itoa(n)))
	_ = r.command.Wait()
	r.ended = true
	if status, ok := r.command.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
		t.Fatalf("the application ended by itself: %s", r.output)
	}
	x.kills["application"]++
	if how == asShopCommitted {
		x.books.owe(welcome, customer(n))
	} else {
		x.books.undone++
	}
}

// claimed counts events that this web app has claimed: all, those that no worker has resolved, and those that have not
// ended.
type claimed struct{ all, unresolved, open int }

func (x *trial) claimed(t *testing.T) claimed {
	t.Helper()
	return claimed{
		all:        x.count(t, new(outbox.Event), "claimed_at > ?", x.web.began),
		open:       x.count(t, new(outbox.Event), "claimed_at > ? AND status <> 'settled'", x.web.began),
		unresolved: x.count(t, new(outbox.Event), "claimed_at > ? AND resolved_at IS NULL", x.web.began),
	}
}

// holdStarts holds back what the web app says to Temporal, or hears from it. The states that are waited for then must be
// ones that come whatever was under way when the hold began: batches that are cut off fill the relay's places, and it claims
// no more.
func (x *trial) holdStarts(t *testing.T, h *hold, what string, state func(claimed) bool) {
	t.Helper()
	x.ready(t) // it has its connection to Temporal
	h.begin()
	x.more(t)
	until(t, what, func() (bool, error) { return h.caught.Load() && state(x.claimed(t)), nil })
}

func (x *trial) beforeStart(t *testing.T) {
	x.holdStarts(t, &x.starts.requests, "a start is on its way", func(c claimed) bool { return c.unresolved > 0 })
	x.kill(t, "web")
}

func (x *trial) beforeAnswer(t *testing.T) {
	x.holdStarts(t, &x.starts.answers, "what was started is resolved", func(c claimed) bool { return c.all > 0 && c.unresolved == 0 })
	x.kill(t, "web")
}

func (x *trial) underWay(t *testing.T) {
	x.ready(t)
	x.more(t)
	until(t, "a batch is under way", func() (bool, error) { c := x.claimed(t); return c.open > c.unresolved, nil })
	x.kill(t, "web")
}

func (x *trial) webStopping(t *testing.T) {
	x.holdStarts(t, &x.starts.requests, "a start is on its way", func(c claimed) bool { return c.unresolved > 0 })
	must(t, x.web.command.Process.Signal(syscall.SIGTERM))
	x.anyMoment(20 * time.Millisecond)
	x.kill(t, "web")
}

// sending counts deliveries whose attempt is under way.
func (x *trial) sending(t *testing.T) int {
	t.Helper()
	return x.count(t, new(store.Delivery), "status = ? AND claimed_at > ?", store.DeliverySending, x.worker.began)
}

func (x *trial) inBatch(t *testing.T) {
	goal := x.sent(t) + 20
	x.more(t)
	until(t, "the worker is in the middle of a batch", func() (bool, error) { return x.sent(t) >= goal && x.sending(t) > 0, nil })
	x.kill(t, "worker")
}

func (x *trial) beforeHandOver(t *testing.T) {
	x.mail.requests.beginAt(func([]byte) bool { return true })
	x.more(t)
	until(t, "a hand-over is on its way", func() (bool, error) { return x.mail.requests.caught.Load() && x.sending(t) > 0, nil })
	x.kill(t, "worker")
}

// holdYes holds a provider's yes back from the worker.
func (x *trial) holdYes(t *testing.T, answers *hold, yes func([]byte) bool) {
	t.Helper()
	answers.beginAt(yes)
	x.more(t)
	until(t, "the provider has a message", func() (bool, error) { return answers.caught.Load(), nil })
}

func (x *trial) beforeYes(t *testing.T, answers *hold, yes func([]byte) bool) {
	x.holdYes(t, answers, yes)
	x.kill(t, "worker")
}

// afterYes lets the worker hear of it, and not write it down.
func (x *trial) afterYes(t *testing.T, answers *hold, yes func([]byte) bool) {
	x.holdYes(t, answers, yes)
	thaw := x.freeze(t)
	answers.end()
	if x.db.Name() == "postgres" {
		until(t, "the worker wants to write it down", func() (bool, error) {
			var waiting int
			err := x.db.Raw("SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND relation = 'notify_attempts'::regclass").Scan(&waiting).Error
			return waiting > 0, err
		})
	} else {
		x.anyMoment(50 * time.Millisecond) // it cannot be seen there
	}
	x.worker.kill()
	thaw()
	x.kill(t, "worker")
}

// workerStopping has a hand-over under way, for which the worker waits.
func (x *trial) workerStopping(t *testing.T) {
	x.holdYes(t, &x.mail.answers, queued)
	must(t, x.worker.command.Process.Signal(syscall.SIGTERM))
	x.anyMoment(300 * time.Millisecond)
	x.kill(t, "worker")
}

func (x *trial) temporalDies(t *testing.T) {
	x.more(t)
	until(t, "workflows are under way", func() (bool, error) { c := x.claimed(t); return c.open > c.unresolved, nil })
	x.kill(t, "Temporal")
}

func (x *trial) everythingDies(t *testing.T) {
	x.more(t)
	x.anyMoment(500 * time.Millisecond)
	for _, r := range []*running{x.web, x.worker, x.temporal.running} {
		must(t, r.command.Process.Kill())
	}
	for _, program := range []string{"Temporal", "web", "worker"} {
		x.kill(t, program)
	}
}

func (x *trial) anyDies(t *testing.T) {
	x.more(t)
	x.anyMoment(time.Second)
	x.kill(t, []string{"web", "worker", "Temporal"}[x.random.IntN(3)])
}
