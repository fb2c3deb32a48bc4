package workflows_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"github.com/silquetech/silque-notifications/activities"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// newBusyHouse is a house whose worker hands many deliveries over by one activity; ran lists the activities that ran.
func newBusyHouse(t *testing.T) (h *house, ran *[]string) {
	t.Helper()
	h, ran = newHouse(t), new([]string)
	h.activities.Chunk = 50
	var mutex sync.Mutex
	h.env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
		mutex.Lock()
		defer mutex.Unlock()
		*ran = append(*ran, info.ActivityType.Name)
	})
	return h, ran
}

// changes writes new orders of as many customers.
func (h *house) changes(count int) (ids []string) {
	h.t.Helper()
	for i := range count {
		ids = append(ids, h.event(rule.Create, fmt.Sprintf(`{"id":%d,"email":"%s","status":"NEW"}`, i, customer(i))))
	}
	return ids
}

func customer(i int) string { return fmt.Sprintf("customer%d@example.com", i) }

func counted(names []string, name string) (count int) {
	for _, n := range names {
		if n == name {
			count++
		}
	}
	return count
}

func TestABatchIsHandedOverByFewActivities(t *testing.T) {
	t.Parallel()
	h, ran := newBusyHouse(t)
	h.notify(nil)
	ids := h.changes(60)
	tally, took := h.run(ids...)
	if tally.Sent != 60 || tally.Failed != 0 || took > time.Second {
		t.Errorf("tally %+v after %s", tally, took)
	}
	if counted(*ran, "SendEmailChunk") != 2 || counted(*ran, "SendEmail") != 0 {
		t.Errorf("activities %v, want two chunks", *ran)
	}
	for i, id := range ids {
		h.wantSettled(id)
		if d := h.delivery(id); d.Status != store.DeliverySent || d.Attempts != 1 || d.Address != customer(i) || d.ProviderID == "" {
			t.Errorf("delivery %+v", d)
		}
	}
	if len(h.sender.taken) != 60 {
		t.Errorf("%d messages, want 60", len(h.sender.taken))
	}
}

func TestASingleChangeHasAnActivityForEachDelivery(t *testing.T) {
	t.Parallel()
	h, ran := newBusyHouse(t)
	h.notify(func(n *rule.Notification) {
		n.Recipients = []rule.Recipient{{Address: "a@example.com"}, {Address: "b@example.com"}, {Address: "c@example.com"}}
	})
	if tally, _ := h.run(h.changes(1)...); tally.Sent != 3 {
		t.Errorf("tally %+v", tally)
	}
	if counted(*ran, "SendEmail") != 3 || counted(*ran, "SendEmailChunk") != 0 {
		t.Errorf("activities %v, want three sends", *ran)
	}
}

func TestBatchingCanBeSwitchedOff(t *testing.T) {
	t.Parallel()
	h, ran := newBusyHouse(t)
	h.activities.Chunk = 0
	h.notify(nil)
	if tally, _ := h.run(h.changes(3)...); tally.Sent != 3 || counted(*ran, "SendEmail") != 3 {
		t.Errorf("tally %+v, activities %v", tally, *ran)
	}
}

func TestTroubleInABatchIsSeenOneByOneAndHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	h, ran := newBusyHouse(t)
	h.notify(nil)
	ids := h.changes(5)
	h.sender.answers[customer(1)] = []error{later, later}
	h.sender.answers[customer(2)] = []error{never}
	h.sender.answers[customer(3)] = []error{later, later, later}
	h.sender.answers[customer(4)] = []error{answer{class: activities.Temporary, code: "smtp_451", retryAfter: 5 * time.Minute}}
	var passed []time.Duration
	began := h.env.Now()
	h.activities.Passed = func(context.Context, string) { passed = append(passed, h.env.Now().Sub(began)) }
	h.env.RegisterDelayedCallback(func() {
		if e := h.wantSettled(ids[0]); e.PassedAt != nil {
			t.Error("the event without trouble counts as open")
		}
		for _, id := range []string{ids[1], ids[3], ids[4]} {
			e, err := store.Events{DB: h.db}.Get(t.Context(), id)
			if err != nil || e.Status != outbox.Started || e.PassedAt == nil {
				t.Errorf("an event with trouble is %+v, %v", e, err)
			}
		}
	}, 30*time.Second)
	tally, took := h.run(ids...)
	if tally.Sent != 3 || tally.Failed != 2 || took.Round(time.Second) != 5*time.Minute {
		t.Errorf("tally %+v after %s, want 3 sent and 2 failed after 5 minutes", tally, took)
	}
	if len(passed) == 0 || passed[0] > time.Second {
		t.Errorf("the relays heard of the first pass at %v", passed)
	}
	if counted(*ran, "SendEmailChunk") != 1 || counted(*ran, "RecordFailure") != 2 {
		t.Errorf("activities %v", *ran)
	}
	for i, want := range []struct {
		status   store.DeliveryStatus
		attempts int
	}{{store.DeliverySent, 1}, {store.DeliverySent, 3}, {store.DeliveryFailed, 1}, {store.DeliveryFailed, 3}, {store.DeliverySent, 2}} {
		h.wantSettled(ids[i])
		d := h.delivery(ids[i])
		tries, err := store.Deliveries{DB: h.db}.Attempts(t.Context(), d.ID)
		if d.Status != want.status || d.Attempts != want.attempts || len(tries) != want.attempts || err != nil {
			t.Errorf("delivery %d is %s after %d attempts (%d written down), want %+v", i, d.Status, d.Attempts, len(tries), want)
		}
	}
	if log := h.errorLog(); len(log) != 2 {
		t.Errorf("%d lines in the error log, want 2", len(log))
	}
}

func TestEveryRetryIsUsedUpWhenOneAttemptIsAllThereIs(t *testing.T) {
	t.Parallel()
	h, _ := newBusyHouse(t)
	h.activities.Retry.Attempts = 1
	h.notify(nil)
	ids := h.changes(2)
	h.sender.answers[customer(0)] = []error{later}
	if tally, took := h.run(ids...); tally.Sent != 1 || tally.Failed != 1 || took > time.Second {
		t.Errorf("tally %+v after %s", tally, took)
	}
	if d := h.delivery(ids[0]); d.Status != store.DeliveryFailed || d.Attempts != 1 {
		t.Errorf("delivery %+v", d)
	}
}

func TestADatabaseThatIsAwayCostsABatchNoAttempt(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]func(l *faultyLedger){
		"before the hand-overs":              func(l *faultyLedger) { l.failClaims = 3 },
		"before them again and again":        func(l *faultyLedger) { l.failClaims = 8 },
		"after them, while it is remembered": func(l *faultyLedger) { l.failFinishes = 3 },
		"at the end":                         func(l *faultyLedger) { l.failSettles = 2 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, _ := newBusyHouse(t)
			h.notify(nil)
			away(h.ledger)
			ids := h.changes(4)
			if tally, _ := h.run(ids...); tally.Sent != 4 {
				t.Errorf("tally %+v", tally)
			}
			for _, id := range ids {
				if d := h.delivery(id); d.Status != store.DeliverySent || d.Attempts != 1 {
					t.Errorf("delivery %+v", d)
				}
			}
			if len(h.sender.taken) != 4 {
				t.Errorf("%d messages, want 4", len(h.sender.taken))
			}
		})
	}
}

func TestWhatADeadWorkerHadClaimedIsInDoubtAndAskedFor(t *testing.T) {
	t.Parallel()
	h, _ := newBusyHouse(t)
	h.notify(nil)
	ids := h.changes(3)
	// The first chunk's worker dies after the claim: what it claimed may have arrived. The provider knows the first only.
	h.sender.has[customer(0)] = []string{"from-before"}
	h.ledger.dieAfterClaims = 1
	if tally, _ := h.run(ids...); tally.Sent != 3 {
		t.Errorf("tally %+v", tally)
	}
	if len(h.sender.taken) != 2 || h.sender.asked != 3 {
		t.Errorf("%d handed over after %d questions, want 2 after 3", len(h.sender.taken), h.sender.asked)
	}
	if d := h.delivery(ids[0]); d.ProviderID != "from-before" || d.Attempts != 2 {
		t.Errorf("delivery %+v", d)
	}
}

// narrowGate admits as the test says.
type narrowGate struct {
	mutex    sync.Mutex
	refusals int
	admitted int
	most     int
	slowed   []string
	released int
	// wait is what a refusal asks for; 3 s when zero.
	wait time.Duration
}

func (g *narrowGate) Admit(_ context.Context, _ rule.Channel, want int, _ time.Duration) (int, time.Duration, func(context.Context, int), error) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	none := func(context.Context, int) {}
	if g.refusals > 0 {
		g.refusals--
		return 0, cmp.Or(g.wait, 3*time.Second), none, nil
	}
	granted := min(want, g.most)
	g.admitted += granted
	return granted, 0, func(_ context.Context, unused int) {
		g.mutex.Lock()
		defer g.mutex.Unlock()
		g.released += granted - unused
	}, nil
}

func (g *narrowGate) Slow(_ context.Context, _ rule.Channel, code string, _ time.Duration) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.slowed = append(g.slowed, code)
}

func TestAChannelThatIsToBeSlowIsWaitedForAtNoAttemptsCost(t *testing.T) {
	t.Parallel()
	for _, events := range []int{1, 20} {
		t.Run(fmt.Sprintf("with %d events", events), func(t *testing.T) {
			t.Parallel()
			h, _ := newBusyHouse(t)
			gate := &narrowGate{refusals: 2, most: 3}
			h.activities.Gate = gate
			h.activities.Turns = map[rule.Channel]*activities.Turns{rule.Email: activities.NewTurns(4)}
			h.notify(nil)
			ids := h.changes(events)
			h.sender.answers[customer(0)] = []error{answer{class: activities.Temporary, code: "smtp_421"}}
			tally, took := h.run(ids...)
			if tally.Sent != events || took < 6*time.Second {
				t.Errorf("tally %+v after %s, want all sent after two waits of 3 s", tally, took)
			}
			for i, id := range ids {
				d := h.delivery(id)
				want := 1
				if i == 0 {
					want = 2
				}
				if d.Attempts != want {
					t.Errorf("delivery %d had %d attempts, want %d", i, d.Attempts, want)
				}
			}
			if !slices.Equal(gate.slowed, []string{"smtp_421"}) {
				t.Errorf("the gate heard of %v", gate.slowed)
			}
			if gate.admitted != events+1 || gate.released != events+1 {
				t.Errorf("%d admitted and %d released, want %d", gate.admitted, gate.released, events+1)
			}
		})
	}
}

func TestAShortWaitForAChannelTakesNoTimer(t *testing.T) {
	t.Parallel()
	for _, events := range []int{1, 20} {
		h, _ := newBusyHouse(t)
		h.activities.Gate = &narrowGate{refusals: 1, most: 50, wait: 200 * time.Millisecond}
		h.notify(nil)
		h.env.SetOnTimerScheduledListener(func(string, time.Duration) {
			t.Error("a timer runs, which can be a second late")
		})
		if tally, _ := h.run(h.changes(events)...); tally.Sent != events {
			t.Errorf("tally %+v", tally)
		}
	}
}

func TestThousandsOfRecipientsGoOutInChunksAndOneBadAddressWaitsAlone(t *testing.T) {
	t.Parallel()
	h, ran := newBusyHouse(t)
	const recipients = 1100
	h.notify(func(n *rule.Notification) {
		n.Recipients = nil
		for i := range recipients {
			n.Recipients = append(n.Recipients, rule.Recipient{Address: customer(i)})
		}
	})
	h.sender.answers[customer(7)] = []error{later}
	sent := 0
	h.env.RegisterDelayedCallback(func() { sent = len(h.sender.taken) }, 30*time.Second)
	id := h.changes(1)[0]
	tally, _ := h.run(id)
	if tally.Sent != recipients || sent != recipients-1 {
		t.Errorf("tally %+v, and %d sent before the retry", tally, sent)
	}
	// A chunk that takes longer than its time, as on a slow machine, is followed by one with the rest.
	if chunks := counted(*ran, "SendEmailChunk"); chunks < 22 || chunks > 60 || counted(*ran, "SendEmail") != 1 {
		t.Errorf("%d chunks and %d single sends, want about 22 and 1", chunks, counted(*ran, "SendEmail"))
	}
	h.wantSettled(id)
}

func TestChannelsOfABatchGoSideBySide(t *testing.T) {
	t.Parallel()
	h, ran := newBusyHouse(t)
	for _, channel := range []rule.Channel{rule.SMS, rule.WhatsApp} {
		h.notify(func(n *rule.Notification) {
			n.Channel, n.Recipients = channel, []rule.Recipient{{Address: "+12025550123"}}
		})
	}
	if tally, _ := h.run(h.changes(3)...); tally.Sent != 6 {
		t.Errorf("tally %+v", tally)
	}
	if counted(*ran, "SendSMSChunk") != 1 || counted(*ran, "SendWhatsAppChunk") != 1 {
		t.Errorf("activities %v", *ran)
	}
}

func TestACancelledBatchEndsWhatWaitsAsFailed(t *testing.T) {
	t.Parallel()
	h, _ := newBusyHouse(t)
	h.notify(nil)
	ids := h.changes(3)
	h.sender.answers[customer(1)] = []error{later, later, later}
	h.env.RegisterDelayedCallback(h.env.CancelWorkflow, 10*time.Second)
	tally, took := h.run(ids...)
	if tally.Sent != 2 || tally.Failed != 1 || took > time.Minute {
		t.Errorf("tally %+v after %s", tally, took)
	}
	if d := h.delivery(ids[1]); d.Status != store.DeliveryFailed || d.ErrorCode != "canceled" {
		t.Errorf("delivery %+v", d)
	}
	for _, id := range ids {
		h.wantSettled(id)
	}
}
