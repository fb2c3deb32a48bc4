package ledger_test

import (
	"slices"
	"testing"

	"github.com/silquetech/silque-notifications/activities"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

func (b *book) suppress(address, notificationID string) {
	b.t.Helper()
	_, err := store.Suppressions{DB: b.db}.Add(b.t.Context(), &store.Suppression{
		Channel: rule.Email, Address: address, NotificationID: notificationID, Reason: store.SuppressedUnsubscribe,
	})
	b.must(err)
}

func TestADeliveryThatItsAddressDoesNotWantIsKeptAsSuppressedAndNotSent(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		b.suppress("ben@example.com", "")
		b.suppress("cat@example.com", "n")
		b.suppress("dan@example.com", "another")
		id := b.event()
		fresh, err := b.Keep(t.Context(), "w", resolution(id, "ann@example.com", "Ben@example.com", "cat@example.com", "dan@example.com"))
		b.must(err)
		if len(fresh) != 2 || !slices.Equal(idsOf(fresh), idsOf(b.unsent(id))) {
			t.Errorf("to send: %v, and unsent is %v", idsOf(fresh), idsOf(b.unsent(id)))
		}
		kept, err := store.Deliveries{DB: b.db}.OfEvents(t.Context(), []string{id})
		b.must(err)
		want := map[string]store.DeliveryStatus{
			"ann@example.com": store.DeliveryPending, "Ben@example.com": store.DeliverySuppressed,
			"cat@example.com": store.DeliverySuppressed, "dan@example.com": store.DeliveryPending,
		}
		for _, d := range kept {
			if d.Status != want[d.Address] || (d.Status == store.DeliverySuppressed) != (d.ErrorCode == "suppressed_unsubscribe") {
				t.Errorf("%s is %s with code %q, want %s", d.Address, d.Status, d.ErrorCode, want[d.Address])
			}
		}
		if len(kept) != len(want) {
			t.Errorf("%d deliveries are kept, want %d", len(kept), len(want))
		}
	})
}

func TestATestMessageToAnAddressThatDoesNotWantItIsNotSent(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		b.suppress("ann@example.com", "")
		id := b.event()
		fresh, err := b.Keep(t.Context(), "w", activities.Resolution{EventID: id, Deliveries: []activities.NewDelivery{
			{Channel: rule.Email, Address: "ann@example.com", Text: "t"},
		}})
		b.must(err)
		if len(fresh) != 0 || fresh == nil {
			t.Errorf("to send: %#v, want nothing without another look", fresh)
		}
		b.wantUnsent(id)
	})
}

func TestARetryOpensADeliveryWhoseSuppressionWasLifted(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *book) {
		b.suppress("ann@example.com", "")
		id := b.event()
		b.keep(t.Context(), "w", resolution(id, "ann@example.com"))
		kept, err := store.Deliveries{DB: b.db}.OfEvents(t.Context(), []string{id})
		b.must(err)
		d := kept[0].ID

		b.wantUnsent(b.retriedAndClaimed(d, 0))
		b.wantStatus(d, store.DeliverySuppressed)

		_, err = store.Suppressions{}.LiftTx(b.db, rule.Email, "ann@example.com", "ann", store.SuppressedUnsubscribe)
		b.must(err)
		b.retriedAndClaimed(d, 1)
		b.wantStatus(d, store.DeliverySending)
	})
}

// retriedAndClaimed opens a delivery again, which must come to the given attempt, and gives the retry's event.
func (b *book) retriedAndClaimed(deliveryID string, attempt int) string {
	b.t.Helper()
	retry := b.retried(deliveryID)
	b.wantStatus(deliveryID, store.DeliveryPending)
	b.claim(deliveryID, attempt)
	return retry
}
