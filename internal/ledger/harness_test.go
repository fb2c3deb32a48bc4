package ledger_test

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/activities"
	"github.com/silquetech/silque-notifications/internal/ledger"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

// book is a ledger on a database of its own, with what a test reads from it.
type book struct {
	*ledger.Ledger
	t  *testing.T
	db *gorm.DB
}

func each(t *testing.T, test func(t *testing.T, b *book)) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) { test(t, &book{Ledger: ledger.New(db), t: t, db: db}) })
}

// keep keeps resolutions.
func (b *book) keep(ctx context.Context, workflowID string, r ...activities.Resolution) {
	b.t.Helper()
	_, err := b.Keep(ctx, workflowID, r...)
	b.must(err)
}

func (b *book) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// event writes one event, and gives its ID.
func (b *book) event() string {
	b.t.Helper()
	e := &outbox.Event{Model: "orders", Key: "7", Action: rule.Create, Doc: outbox.Snapshot(`{"id":7}`), Revision: 3, Source: outbox.FromPlugin}
	b.must(outbox.Append(b.db, e))
	return e.ID
}

// resolution is one delivery for each address, a decision and an error.
func resolution(eventID string, addresses ...string) activities.Resolution {
	r := activities.Resolution{
		EventID:   eventID,
		Decisions: []activities.Decision{{NotificationID: "n", Version: 2, Outcome: rule.Sends, Deliveries: len(addresses)}},
		Errors: []activities.ErrorEntry{{
			Code: rule.EmailRecipientError, Message: "recipient direct gives no valid address", NotificationID: "n", Key: "recipient direct",
		}},
	}
	for _, a := range addresses {
		r.Deliveries = append(r.Deliveries, activities.NewDelivery{
			NotificationID: "n", NotificationVersion: 2, Channel: rule.Email, Address: a, Subject: "s", Text: "t", HTML: "h",
		})
	}
	return r
}

// planned keeps an event with one delivery, and gives that.
func (b *book) planned() activities.Planned {
	b.t.Helper()
	id := b.event()
	b.keep(b.t.Context(), "w", resolution(id, "ann@example.com"))
	return b.unsent(id)[0]
}

func (b *book) unsent(eventIDs ...string) []activities.Planned {
	b.t.Helper()
	found, err := b.Unsent(b.t.Context(), eventIDs, "", 100)
	b.must(err)
	return found
}

// retried keeps a retry event of the delivery, and gives its ID.
func (b *book) retried(deliveryID string) string {
	b.t.Helper()
	id := b.event()
	b.keep(b.t.Context(), "w-"+id, activities.Resolution{EventID: id, Reopen: deliveryID})
	return id
}

func (b *book) delivery(id string) *store.Delivery {
	b.t.Helper()
	d, err := store.Deliveries{DB: b.db}.Get(b.t.Context(), id)
	b.must(err)
	return d
}

func (b *book) eventOf(id string) *outbox.Event {
	b.t.Helper()
	e, err := store.Events{DB: b.db}.Get(b.t.Context(), id)
	b.must(err)
	return e
}

func (b *book) errorLog(f store.ErrorFilter) []*store.ErrorEntry {
	b.t.Helper()
	page, err := store.Errors{DB: b.db}.List(b.t.Context(), f, store.Paging{})
	b.must(err)
	return page.Items
}

// claim begins an attempt, which must be the given one.
func (b *book) claim(id string, number int) activities.Claim {
	b.t.Helper()
	c, err := b.Claim(b.t.Context(), id, b.delivery(id).RetryEventID, now())
	b.must(err)
	if c.Attempt != number {
		b.t.Fatalf("claimed attempt %d, want %d", c.Attempt, number)
	}
	return c
}

func (b *book) finish(id string, number int, outcome, code string) {
	b.t.Helper()
	b.must(b.Finish(b.t.Context(), activities.Attempt{
		DeliveryID: id, Number: number, Outcome: outcome, Code: code, Detail: "answer " + code, ProviderID: "provider-" + id,
		StartedAt: now(), FinishedAt: now(),
	}))
}

func (b *book) fail(p activities.Planned, class activities.Class, code string) {
	b.t.Helper()
	b.must(b.Fail(b.t.Context(), failure(p, class, code), now()))
}

func failure(p activities.Planned, class activities.Class, code string) activities.Failure {
	return activities.Failure{
		DeliveryID: p.ID, EventID: p.EventID, NotificationID: p.NotificationID, Channel: p.Channel, Class: class, Code: code,
		RetryEventID: p.RetryEventID,
	}
}

func idsOf(planned []activities.Planned) []string {
	ids := make([]string, len(planned))
	for i, p := range planned {
		ids[i] = p.ID
	}
	return ids
}

func (b *book) wantStatus(id string, want store.DeliveryStatus) {
	b.t.Helper()
	if d := b.delivery(id); d.Status != want {
		b.t.Errorf("the delivery is %s, want %s", d.Status, want)
	}
}

func (b *book) wantUnsent(eventID string, want ...string) {
	b.t.Helper()
	if got := idsOf(b.unsent(eventID)); !slices.Equal(got, want) {
		b.t.Errorf("event %s has %v to send, want %v", eventID, got, want)
	}
}
