package ledger_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/silquetech/silque-notifications/activities"
	"github.com/silquetech/silque-notifications/internal/store"
)

// foreign are words as providers write them, and how they are kept.
var foreign = map[string]struct{ said, kept string }{
	"Latin-1": {"250 2.0.0 angenommen f\xfcr Zustellung", "250 2.0.0 angenommen f\uFFFDr Zustellung"},
	"KOI8-R":  {"550 \xd3\xca\xcf\xe4 no", "550 \uFFFD no"},
	"a NUL":   {"250 ok\x00 queued", "250 ok  queued"},
	"UTF-8":   {"250 für\nSie", "250 für\nSie"},
}

func TestAnAnswerInAnyEncodingIsWrittenDownWithItsNeighbours(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		for name, words := range foreign {
			for _, outcome := range []string{activities.Accepted, string(activities.Permanent)} {
				good, odd := b.planned(), b.planned()
				b.claim(good.ID, 1)
				b.claim(odd.ID, 1)
				_, err := b.Advance(t.Context(), []activities.Attempt{
					{DeliveryID: good.ID, Number: 1, Outcome: activities.Accepted, ProviderID: "p", StartedAt: now(), FinishedAt: now()},
					{DeliveryID: odd.ID, Number: 1, Outcome: outcome, Code: words.said, Detail: words.said, ProviderID: words.said, StartedAt: now(), FinishedAt: now()},
				}, nil, now())
				b.must(err)
				b.wantStatus(good.ID, store.DeliverySent)
				want := store.DeliveryPending
				if outcome == activities.Accepted {
					want = store.DeliverySent
				}
				b.wantStatus(odd.ID, want)
				attempts, err := store.Deliveries{DB: b.db}.Attempts(t.Context(), odd.ID)
				b.must(err)
				if len(attempts) != 1 || attempts[0].Detail != words.kept || attempts[0].Code != words.kept || attempts[0].ProviderID != words.kept {
					t.Errorf("%s, %s: kept is %+v, want %q", name, outcome, attempts, words.kept)
				}
				if d := b.delivery(odd.ID); d.ErrorCode != words.kept || outcome == activities.Accepted && d.ProviderID != words.kept {
					t.Errorf("%s, %s: the delivery has the code %q and the name %q", name, outcome, d.ErrorCode, d.ProviderID)
				}
			}
		}
	})
}

func TestAFailureInAnyEncodingReachesTheErrorLog(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		for name, words := range foreign {
			p := b.planned()
			b.claim(p.ID, 1)
			b.must(b.Finish(t.Context(), activities.Attempt{
				DeliveryID: p.ID, Number: 1, Outcome: string(activities.Permanent), Code: words.said, Detail: words.said, StartedAt: now(), FinishedAt: now(),
			}))
			b.fail(p, activities.Permanent, words.said)
			b.wantStatus(p.ID, store.DeliveryFailed)
			entries := b.errorLog(store.ErrorFilter{DeliveryID: p.ID})
			if len(entries) != 1 || !strings.Contains(entries[0].Message, words.kept) {
				t.Fatalf("%s: the error log has %+v", name, entries)
			}
			var extra map[string]string
			b.must(json.Unmarshal(entries[0].Context, &extra))
			if extra["provider_answer"] != words.kept {
				t.Errorf("%s: the error log quotes %q, want %q", name, extra["provider_answer"], words.kept)
			}
		}
	})
}

func TestOfAnAnswerWithoutEndTheBeginningIsKept(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		p, endless := b.planned(), strings.Repeat("ü", 1<<20)
		b.claim(p.ID, 1)
		b.must(b.Finish(t.Context(), activities.Attempt{
			DeliveryID: p.ID, Number: 1, Outcome: activities.Accepted, Code: endless, Detail: endless, ProviderID: endless, StartedAt: now(), FinishedAt: now(),
		}))
		attempts, err := store.Deliveries{DB: b.db}.Attempts(t.Context(), p.ID)
		b.must(err)
		for what, tc := range map[string]struct {
			kept string
			most int
		}{"detail": {attempts[0].Detail, 2000}, "code": {attempts[0].Code, 200}, "name": {attempts[0].ProviderID, 200}} {
			if count := utf8.RuneCountInString(tc.kept); count != tc.most || !strings.HasSuffix(tc.kept, "ü…") {
				t.Errorf("of the %s %d characters are kept, want %d", what, count, tc.most)
			}
		}
	})
}

func TestAReasonTypedByHandEndsTheEventsWhateverItHolds(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		p := b.planned()
		b.must(b.Abandon(t.Context(), []string{p.EventID}, "stopped f\xfcr\x00 now"))
		b.wantStatus(p.ID, store.DeliveryFailed)
		if reason := b.eventOf(p.EventID).Reason; reason != "stopped f\uFFFDr  now" {
			t.Errorf("the reason is %q", reason)
		}
	})
}
