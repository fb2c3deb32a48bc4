package separate_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/dev/shop"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/rules"
)

// due is what one event comes to: the notification of a title, told to one address.
type due struct{ title, address string }

// books are what a business application has done, and what must come of it: every event has exactly one delivery.
type books struct {
	*house
	titles    map[string]string // of notifications, by ID
	due       map[due]bool
	customers int
	undone    int // changes that were rolled back
}

// The notifications of the books.
const (
	welcome, changed, goodbye = "Welcome", "Changed", "Goodbye"
	texted                    = "Text"
)

// openBooks adds the notifications.
func openBooks(t testing.TB, h *house) *books {
	t.Helper()
	b := &books{house: h, titles: map[string]string{}, due: map[due]bool{}}
	for _, n := range []*rules.Notification{
		{Title: welcome, Model: "customers", Trigger: rules.OnNew, Channel: rules.Email, Recipients: []rules.Recipient{{DocumentField: "doc.email"}}},
		{Title: changed, Model: "customers", Trigger: rules.OnUpdate, Channel: rules.Email, Recipients: []rules.Recipient{{DocumentField: "doc.email"}}},
		{Title: goodbye, Model: "customers", Trigger: rules.OnDelete, Channel: rules.Email, Recipients: []rules.Recipient{{DocumentField: "old_doc.email"}}},
		{Title: texted, Model: "suppliers", Trigger: rules.OnNew, Channel: rules.SMS, Recipients: []rules.Recipient{{DocumentField: "doc.mobile_number"}}},
	} {
		n.Message, n.Active = "It is {{ doc.name }}.", true
		if n.Trigger == rules.OnDelete {
			n.Message = "It was {{ old_doc.name }}."
		}
		must(t, rules.New(h.db, rules.Options{}).Create(t.Context(), n, "test"))
		b.titles[n.ID] = n.Title
	}
	must(t, h.plugin.Refresh(t.Context()))
	return b
}

// number gives the next customer's.
func (b *books) number() int { b.customers++; return b.customers - 1 }

func (b *books) owe(title, address string) { b.due[due{title, address}] = true }

// undone is the address of a customer whom a rollback undid.
func undone(i int) string { return fmt.Sprintf("undone%d@example.com", i) }

func phone(i int) string { return fmt.Sprintf("+1202%07d", 2_000_000+i) }

var errUndone = errors.New("the application rolls back")

// save lets the application save so many new customers in a few transactions, change and delete some of them, and add
// suppliers; and undo some of each.
func (b *books) save(t testing.TB, count int) {
	t.Helper()
	db := b.db.WithContext(t.Context())
	rows, numbers := make([]*shop.Customer, count), make([]int, count)
	for i := range rows {
		numbers[i] = b.number()
		rows[i] = &shop.Customer{Name: fmt.Sprintf("Customer %d", numbers[i]), Email: customer(numbers[i])}
		b.owe(welcome, rows[i].Email)
	}
	must(t, db.CreateInBatches(rows, 25).Error)
	for i, n := range numbers {
		switch n % 10 {
		case 1:
			must(t, db.Model(rows[i]).Update("name", "Changed").Error)
			b.owe(changed, rows[i].Email)
		case 2:
			must(t, db.Delete(rows[i]).Error)
			b.owe(goodbye, rows[i].Email)
		case 3:
			b.undo(t, func(tx *gorm.DB) error { return tx.Create(&shop.Customer{Name: "Undone", Email: undone(n)}).Error })
		case 4:
			b.undo(t, func(tx *gorm.DB) error { return tx.Model(rows[i]).Update("email", undone(n)).Error })
		case 5:
			b.undo(t, func(tx *gorm.DB) error { return tx.Delete(&shop.Customer{ID: rows[i].ID}).Error })
		case 6, 7, 8:
			must(t, db.Create(&shop.Supplier{Name: fmt.Sprintf("Supplier %d", n), MobileNumber: phone(n)}).Error)
			b.owe(texted, phone(n))
		}
	}
}

func (b *books) undo(t testing.TB, change func(tx *gorm.DB) error) {
	t.Helper()
	err := b.db.WithContext(t.Context()).Transaction(func(tx *gorm.DB) error { return errors.Join(change(tx), errUndone) })
	if !errors.Is(err, errUndone) || err.Error() != errUndone.Error() {
		t.Fatalf("a rollback: %v", err)
	}
	b.undone++
}

// open counts the events that have not ended.
func (b *books) open(t testing.TB) int {
	t.Helper()
	return b.count(t, new(outbox.Event), "status <> 'settled'")
}

// tally is what came of everything.
type tally struct {
	events, deliveries, undone, lost, strange int
	twice                                     map[string]int // by channel
}

// settle waits until all has come to its end, and compares it with what must come of it.
func (b *books) settle(t testing.TB, within time.Duration) tally {
	t.Helper()
	untilWithin(t, within, "every event is settled", func() (bool, error) { return b.open(t) == 0, nil })
	sum := tally{undone: b.undone, events: b.count(t, new(outbox.Event), "1 = 1"), twice: map[string]int{}}
	if sum.events != len(b.due) {
		t.Errorf("%d events are there, and %d were committed", sum.events, len(b.due))
	}
	doubtful := b.deliveries(t, &sum)
	b.inboxes(t, &sum, doubtful)
	return sum
}

// deliveries finds one delivery for each event, sent by one attempt. It gives those over which a worker died.
func (b *books) deliveries(t testing.TB, sum *tally) (doubtful map[due]bool) {
	t.Helper()
	var attempts []store.Attempt
	must(t, b.db.Find(&attempts).Error)
	accepted, lost := map[string]int{}, map[string]bool{}
	for _, a := range attempts {
		if a.Outcome == "sent" {
			accepted[a.DeliveryID]++
		}
		lost[a.DeliveryID] = lost[a.DeliveryID] || a.Code == "worker_lost"
	}
	var deliveries []store.Delivery
	must(t, b.db.Find(&deliveries).Error)
	sum.deliveries = len(deliveries)
	known := map[due]bool{}
	doubtful = map[due]bool{}
	for _, d := range deliveries {
		what := due{b.titles[d.NotificationID], d.Address}
		if known[what] || !b.due[what] {
			sum.strange++
			t.Errorf("a delivery of %q that nothing asked for, or a second one", what.title)
		}
		known[what] = true
		doubtful[what] = lost[d.ID]
		if d.Status != store.DeliverySent || accepted[d.ID] != 1 {
			t.Errorf("a delivery of %q is %s (%s) after %d attempts, with %d accepted", what.title, d.Status, d.ErrorCode, d.Attempts, accepted[d.ID])
		}
	}
	for what := range b.due {
		if !known[what] {
			t.Errorf("no delivery of %q to %s", what.title, what.address)
		}
	}
	return doubtful
}

// inboxes finds a message for each event. A second one may have come only where a worker died over it, by email alone, and
// looks like the first.
func (b *books) inboxes(t testing.TB, sum *tally, doubtful map[due]bool) {
	t.Helper()
	came := map[due][]message{}
	for _, m := range b.messages(t) {
		what := due{m.Subject, m.To}
		if m.Channel != string(rules.Email) {
			what.title = texted
		}
		came[what] = append(came[what], m)
		if !b.due[what] {
			sum.strange++
			t.Errorf("a message of %q came to %s, and nothing asked for it", what.title, what.address)
		}
	}
	for what := range b.due {
		copies := came[what]
		if len(copies) == 0 {
			sum.lost++
			t.Errorf("nothing of %q came to %s", what.title, what.address)
			continue
		}
		if len(copies) == 1 {
			continue
		}
		channel := copies[0].Channel
		sum.twice[channel] += len(copies) - 1
		if !doubtful[what] || channel != string(rules.Email) {
			t.Errorf("%d messages of %q came to %s by %s, in doubt: %t", len(copies), what.title, what.address, channel, doubtful[what])
		}
		for _, m := range copies {
			if m.Headers["Message-ID"] == "" || m.Headers["Message-ID"] != copies[0].Headers["Message-ID"] {
				t.Errorf("copies of %q have the Message-IDs %q and %q", what.title, m.Headers["Message-ID"], copies[0].Headers["Message-ID"])
			}
		}
	}
}
