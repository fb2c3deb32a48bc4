package faults_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/dev/temporalserver/servertest"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/rules"
)

// The clocks of the application, the web app and the worker are hours off the database's, and a relay of before had another
// one again. Nothing counts as too late to be of use, nothing is stuck, and Health says what is wrong.
func TestClocksThatAreHoursApartDelayAndSuppressNothing(t *testing.T) {
	t.Parallel()
	server := servertest.Start(t)
	for _, ahead := range []time.Duration{3 * time.Hour, -3 * time.Hour} {
		t.Run("the database's is "+ahead.String()+" ahead", func(t *testing.T) {
			t.Parallel()
			h := open(t, testdb.PostgresURLWithClock(t, ahead), server.Addr(), "NOTIFY_TASK_QUEUE=clock"+ahead.String())
			h.notification(t, "Of use for half an hour", func(n *rules.Notification) {
				n.ValidFor = 30
				n.Recipients = []rules.Recipient{{Address: "office@example.com"}}
			})
			h.saves(t, "early", 20)
			h.claimed(t, 5, 6*time.Hour)  // by a relay whose clock was far ahead, and that is gone
			h.claimed(t, 5, -6*time.Hour) // and one far behind
			h.run(t)
			h.saves(t, "late", 20)
			h.settled(t)
			if sent, all := h.count(t, new(store.Delivery), "status = ?", store.DeliverySent), h.count(t, new(store.Delivery), "1 = 1"); sent != 80 || all != 80 {
				t.Errorf("%d of %d deliveries were sent, want 80 of 80", sent, all)
			}
			mails := h.mails(t)
			if office := len(mails["office@example.com"]); office != 40 || len(mails) != 41 {
				t.Errorf("%d messages to the office, and messages to %d addresses; want 40 and 41", office, len(mails))
			}
			h.untilHealth(t, map[bool]string{true: "This machine's clock is 3h0m0s behind the database's.", false: "This machine's clock is 3h0m0s ahead of the database's."}[ahead > 0])
		})
	}
}

// The database's clock is set while messages flow under limits, which are kept by that clock.
func TestAClockThatIsSetUnderTrafficHoldsNothingUp(t *testing.T) {
	t.Parallel()
	url := testdb.PostgresURLWithClock(t, 0)
	h := open(t, url, servertest.Start(t).Addr(), "NOTIFY_EMAIL_PER_SECOND=100", "NOTIFY_EMAIL_CONCURRENCY=3")
	h.run(t)
	for i, ahead := range []time.Duration{0, 3 * time.Hour, -3 * time.Hour, 5 * 24 * time.Hour, 0} {
		h.saves(t, fmt.Sprintf("before%d-", i), 20)
		testdb.SetClock(t, url, ahead)
		h.saves(t, fmt.Sprintf("after%d-", i), 20)
	}
	h.toldOnce(t)
}

// claimed makes so many waiting events look as a relay left them that claimed them and died.
func (h *house) claimed(t testing.TB, count int, ahead time.Duration) {
	t.Helper()
	b, err := outbox.Claim(t.Context(), h.shop, count)
	must(t, err)
	must(t, h.shop.Model(&outbox.Event{}).Where("id IN ?", b.EventIDs()).Update("claimed_at", h.shop.NowFunc().Add(ahead)).Error)
}
