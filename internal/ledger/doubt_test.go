package ledger_test

import (
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/activities"
	"github.com/silquetech/silque-notifications/internal/doubt"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/receipt"
	"github.com/silquetech/silque-notifications/internal/retry"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

const (
	number = "+12025550123"
	first  = "SM00000000000000000000000000000001"
	second = "SM00000000000000000000000000000002"
)

// lost is a delivery by SMS that ended in doubt: the answer to its one attempt was lost.
func (b *book) lost() activities.Planned {
	b.t.Helper()
	id := b.event()
	b.keep(b.t.Context(), "w", activities.Resolution{EventID: id, Deliveries: []activities.NewDelivery{
		{NotificationID: "n", Channel: rule.SMS, Address: number, Text: "t"},
	}})
	p := b.unsent(id)[0]
	b.claim(p.ID, 1)
	b.unanswered(p.ID, 1)
	b.fail(p, activities.Unknown, "twilio_timeout")
	b.wantStatus(p.ID, store.DeliveryUnknown)
	return p
}

// unanswered ends an attempt whose answer was lost.
func (b *book) unanswered(deliveryID string, attempt int) {
	b.t.Helper()
	b.must(b.Finish(b.t.Context(), activities.Attempt{
		DeliveryID: deliveryID, Number: attempt, Outcome: string(activities.Unknown), Code: "twilio_timeout", StartedAt: now(), FinishedAt: now(),
	}))
}

func (b *book) says(deliveryID string, outcome doubt.Outcome) {
	b.t.Helper()
	_, err := doubt.Doubts{DB: b.db}.End(b.t.Context(), deliveryID, outcome, retry.By{Actor: "ann", Source: outbox.FromConsole})
	b.must(err)
}

func (b *book) reports(deliveryID, sid, status string) {
	b.t.Helper()
	_, err := receipt.Recorder{DB: b.db}.Record(b.t.Context(), receipt.Report{DeliveryID: deliveryID, SID: sid, To: number, Status: status, Code: "30003"})
	b.must(err)
}

// ends are the ways in which the doubt about a delivery ends before it is handed over again.
func (b *book) ends() map[string]func(deliveryID string) {
	return map[string]func(deliveryID string){
		"Twilio reports that it failed":        func(id string) { b.reports(id, first, "undelivered") },
		"a person says that it did not arrive": func(id string) { b.says(id, doubt.DidNotArrive) },
		"a person has it sent again":           func(id string) { b.says(id, doubt.Retry) },
	}
}

func TestADoubtThatHasEndedDoesNotComeBack(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		for name, end := range b.ends() {
			p := b.lost()
			end(p.ID)
			p.RetryEventID = b.retried(p.ID)
			if c := b.claim(p.ID, 2); c.DoubtfulSince != nil {
				t.Errorf("%s: it is in doubt since %v", name, c.DoubtfulSince)
			}
			b.finish(p.ID, 2, string(activities.Permanent), "twilio_21211")
			b.fail(p, activities.Permanent, "twilio_21211")
			if got := b.delivery(p.ID).Status; got != store.DeliveryFailed {
				t.Errorf("%s, and the retry is refused: it is %s", name, got)
			}
			if log := b.errorLog(store.ErrorFilter{DeliveryID: p.ID})[0]; !strings.HasPrefix(log.Message, "Refused for good at attempt 2") {
				t.Errorf("%s, and the retry is refused: the error log says %q", name, log.Message)
			}
		}
	})
}

// TestARetryOfOneInDoubtAmongManyAsksTheProviderFirst: nobody has said of it that it did not arrive.
func TestARetryOfOneInDoubtAmongManyAsksTheProviderFirst(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		p := b.lost()
		b.retried(p.ID)
		if c := b.claim(p.ID, 2); c.DoubtfulSince == nil {
			t.Error("it is handed over again without a look at the provider's list")
		}
	})
}

func TestARetryWhoseAnswerIsLostIsInDoubtByItself(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		for name, end := range b.ends() {
			p := b.lost()
			end(p.ID)
			b.retried(p.ID)
			b.claim(p.ID, 2)
			b.unanswered(p.ID, 2)
			attempts, err := store.Deliveries{DB: b.db}.Attempts(t.Context(), p.ID)
			b.must(err)
			if c := b.claim(p.ID, 3); c.DoubtfulSince == nil || !c.DoubtfulSince.Equal(attempts[1].StartedAt) {
				t.Errorf("%s: it is in doubt since %v, want %v", name, c.DoubtfulSince, attempts[1].StartedAt)
			}
		}
	})
}

func TestTheErrorLogNamesTheAttemptWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		p := b.planned()
		b.claim(p.ID, 1)
		b.finish(p.ID, 1, string(activities.Unknown), "smtp_timeout")
		b.claim(p.ID, 2)
		b.finish(p.ID, 2, string(activities.Permanent), "smtp_550_5.1.1")
		b.fail(p, activities.Permanent, "smtp_550_5.1.1")
		b.wantStatus(p.ID, store.DeliveryUnknown)
		want := "The answer to attempt 1 was lost (code smtp_timeout): it may have arrived. The last of 2 attempts ended with code smtp_550_5.1.1."
		if log := b.errorLog(store.ErrorFilter{DeliveryID: p.ID}); len(log) != 1 || !strings.HasPrefix(log[0].Message, want) {
			t.Errorf("logged %+v, want %q", log, want)
		}
	})
}

// TestAMessageOfBeforeIsNotTakenForAnother has a message that was reported as failed, and a delivery with the same words
// to the same number: Twilio's list holds it for both.
func TestAMessageOfBeforeIsNotTakenForAnother(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		other := b.lost()
		p := b.lost()
		b.reports(p.ID, first, "undelivered")
		b.retried(p.ID)
		b.claim(p.ID, 2)
		b.must(b.Finish(t.Context(), activities.Attempt{
			DeliveryID: p.ID, Number: 2, Outcome: activities.Accepted, ProviderID: second, StartedAt: now(), FinishedAt: now(),
		}))
		for _, test := range []struct {
			sid, delivery string
			want          bool
		}{
			{first, p.ID, true}, {second, p.ID, false}, {first, other.ID, true}, {second, other.ID, true}, {"", p.ID, false}, {"SM3", p.ID, false},
		} {
			if got, err := b.Recorded(t.Context(), test.sid, test.delivery); err != nil || got != test.want {
				t.Errorf("%s, for delivery %s: accounted for: %v, want %v; %v", test.sid, test.delivery, got, test.want, err)
			}
		}
	})
}
