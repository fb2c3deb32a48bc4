package ledger_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/activities"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/store"
)

func TestAnAttemptGoesFromClaimToSent(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		p := b.planned()
		c := b.claim(p.ID, 1)
		want := activities.Message{DeliveryID: p.ID, Channel: "email", To: "ann@example.com", Subject: "s", Text: "t", HTML: "h"}
		if !reflect.DeepEqual(c.Message, want) || c.DoubtfulSince != nil {
			t.Errorf("claimed %+v in doubt since %v, want %+v", c.Message, c.DoubtfulSince, want)
		}
		b.wantStatus(p.ID, store.DeliverySending)
		b.finish(p.ID, 1, activities.Accepted, "")
		b.wantStatus(p.ID, store.DeliverySent)
		b.claim(p.ID, 0)
		b.wantStatus(p.ID, store.DeliverySent)
		if _, err := b.Claim(t.Context(), outbox.NewID(), "", now()); err == nil {
			t.Error("a delivery that is not there was claimed")
		}
	})
}

func TestARefusedAttemptLeavesNoDoubt(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		p := b.planned()
		b.claim(p.ID, 1)
		b.finish(p.ID, 1, string(activities.Temporary), "smtp_451")
		b.wantStatus(p.ID, store.DeliveryPending)
		if c := b.claim(p.ID, 2); c.DoubtfulSince != nil {
			t.Errorf("in doubt since %v", c.DoubtfulSince)
		}
	})
}

func TestAnAttemptWhoseAnswerWasLostStaysInDoubtThroughLaterRefusals(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		p := b.planned()
		b.claim(p.ID, 1)
		b.finish(p.ID, 1, string(activities.Unknown), "timeout")
		b.claim(p.ID, 2)
		b.finish(p.ID, 2, string(activities.Temporary), "smtp_451")
		attempts, err := store.Deliveries{DB: b.db}.Attempts(t.Context(), p.ID)
		b.must(err)
		if c := b.claim(p.ID, 3); c.DoubtfulSince == nil || !c.DoubtfulSince.Equal(attempts[0].StartedAt) {
			t.Errorf("in doubt since %v, want %v", c.DoubtfulSince, attempts[0].StartedAt)
		}
	})
}

func TestAnAttemptThatADeadProcessLeftStaysInDoubtUntilItsAnswerComes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		p, began := b.planned(), now().Add(-time.Hour)
		if c, err := b.Claim(t.Context(), p.ID, p.RetryEventID, began); err != nil || c.Attempt != 1 {
			t.Fatalf("claimed attempt %d, error %v", c.Attempt, err)
		}
		doubtful := func(number int) {
			t.Helper()
			if c := b.claim(p.ID, number); c.DoubtfulSince == nil || !c.DoubtfulSince.Equal(began) {
				t.Errorf("attempt %d is in doubt since %v, want %v", number, c.DoubtfulSince, began)
			}
		}
		doubtful(2)
		// The second could not ask the provider either, so the third must.
		b.finish(p.ID, 2, string(activities.Temporary), "http_503")
		doubtful(3)
		attempts, err := store.Deliveries{DB: b.db}.Attempts(t.Context(), p.ID)
		b.must(err)
		if len(attempts) != 2 || attempts[0].Number != 1 || attempts[0].Outcome != "unknown" || attempts[0].Code != "worker_lost" {
			t.Errorf("attempts %+v, want the lost one and the refused one", attempts)
		}
		// It was alive after all, and had been refused.
		b.finish(p.ID, 1, string(activities.Temporary), "smtp_451")
		b.finish(p.ID, 3, string(activities.Temporary), "smtp_451")
		if c := b.claim(p.ID, 4); c.DoubtfulSince != nil {
			t.Errorf("in doubt since %v although every answer is known", c.DoubtfulSince)
		}
	})
}

func TestAFailureSaysWhatItsCodeMeansAndWhatToDo(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		for code, want := range map[string]string{
			"smtp_tls": "Not taken in 1 attempts; the last answer was code smtp_tls. The mail server cannot be spoken to encrypted. " +
				"Look at SMTP_TLS, and whether the server's certificate is valid for SMTP_HOST. Retry when the provider is back.",
			"smtp_451": "Not taken in 1 attempts; the last answer was code smtp_451. Retry when the provider is back.",
		} {
			p := b.planned()
			b.claim(p.ID, 1)
			b.finish(p.ID, 1, string(activities.Temporary), code)
			b.fail(p, activities.Temporary, code)
			if log := b.errorLog(store.ErrorFilter{DeliveryID: p.ID}); len(log) != 1 || log[0].Message != want {
				t.Errorf("logged %+v, want %q", log, want)
			}
		}
	})
}

func TestAFailureEndsTheDeliveryAndIsLoggedOnce(t *testing.T) {
	t.Parallel()
	tests := []struct {
		class   activities.Class
		status  store.DeliveryStatus
		message string
	}{
		{activities.Temporary, store.DeliveryFailed, "Not taken in 1 attempts"},
		{activities.Permanent, store.DeliveryFailed, "Refused for good at attempt 1"},
		{activities.Unknown, store.DeliveryUnknown, "it may have arrived"},
	}
	each(t, func(t *testing.T, b *book) {
		for _, test := range tests {
			p := b.planned()
			b.claim(p.ID, 1)
			b.finish(p.ID, 1, string(test.class), "code_1")
			for range 2 {
				b.fail(p, test.class, "code_1")
			}
			b.wantStatus(p.ID, test.status)
			b.claim(p.ID, 0)
			log := b.errorLog(store.ErrorFilter{DeliveryID: p.ID})
			if len(log) != 1 {
				t.Fatalf("%s: %d errors, want 1", test.class, len(log))
			}
			e := log[0]
			if e.Code != "EMAIL_SEND_FAIL" || e.Source != "send" || e.EventID != p.EventID || e.NotificationID != "n" || e.Attempt != 1 ||
				!strings.Contains(e.Message, test.message) || strings.Contains(e.Message, "answer code_1") {
				t.Errorf("%s: logged %+v", test.class, e)
			}
			var more map[string]string
			if err := json.Unmarshal(e.Context, &more); err != nil || more["provider_code"] != "code_1" ||
				more["provider_answer"] != "answer code_1" || more["class"] != string(test.class) || more["channel"] != "email" {
				t.Errorf("%s: context %s, error %v", test.class, e.Context, err)
			}
		}
		if err := b.Fail(t.Context(), failure(activities.Planned{ID: outbox.NewID()}, activities.Permanent, "c"), now()); err == nil {
			t.Error("a delivery that is not there failed")
		}
	})
}

func TestAFailureAfterALateSuccessIsLeftAlone(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		p := b.planned()
		b.claim(p.ID, 1)
		b.finish(p.ID, 1, activities.Accepted, "")
		b.fail(p, activities.Unknown, "worker_lost")
		b.wantStatus(p.ID, store.DeliverySent)
		if log := b.errorLog(store.ErrorFilter{DeliveryID: p.ID}); len(log) != 0 {
			t.Errorf("logged %+v", log[0])
		}
	})
}

func TestASuccessAfterTheFailureCounts(t *testing.T) {
	t.Parallel()
	each(t, func(_ *testing.T, b *book) {
		p := b.planned()
		b.claim(p.ID, 1)
		b.fail(p, activities.Unknown, "worker_lost")
		b.finish(p.ID, 1, string(activities.Temporary), "smtp_451")
		b.wantStatus(p.ID, store.DeliveryUnknown)
		b.finish(p.ID, 1, activities.Accepted, "")
		b.wantStatus(p.ID, store.DeliverySent)
	})
}

func TestARetryThatFailsBeforeItsFirstAttemptIsLoggedToo(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		p := b.planned()
		b.fail(p, activities.Unknown, "database_unavailable")
		retried := p
		retried.RetryEventID = b.retried(p.ID)
		b.fail(p, activities.Unknown, "database_unavailable") // a late repeat of the first failure
		b.wantStatus(p.ID, store.DeliveryPending)
		b.fail(retried, activities.Temporary, "canceled")
		b.wantStatus(p.ID, store.DeliveryFailed)
		if log := b.errorLog(store.ErrorFilter{DeliveryID: p.ID}); len(log) != 2 {
			t.Errorf("%d errors, want one for each failure", len(log))
		}
	})
}

func TestAProvidersNameForAMessageIsKnownToBelongToAnother(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		mine, other := b.planned(), b.planned()
		for _, p := range []activities.Planned{mine, other} {
			b.claim(p.ID, 1)
			b.finish(p.ID, 1, activities.Accepted, "")
		}
		for id, want := range map[string]bool{"provider-" + mine.ID: false, "provider-" + other.ID: true, "": false, "nobody": false} {
			if got, err := b.Recorded(t.Context(), id, mine.ID); err != nil || got != want {
				t.Errorf("%q belongs to another: %v, want %v, error %v", id, got, want, err)
			}
		}
	})
}
