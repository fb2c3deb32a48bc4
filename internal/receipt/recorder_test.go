package receipt_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/receipt"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

const number = "+12025550123"

// sid gives a message's name.
func sid(n int) string { return "SM" + fmt.Sprintf("%032x", n) }

// started is a delivery by SMS whose first attempt is under way.
func started(t *testing.T, db *gorm.DB) *store.Delivery {
	t.Helper()
	now := time.Now().UTC()
	d := &store.Delivery{
		ID: outbox.NewID(), EventID: outbox.NewID(), NotificationID: "n", Channel: rule.SMS, Address: number, BodyText: "t",
		Status: store.DeliveryPending, CreatedAt: now, UpdatedAt: now,
	}
	if _, err := (store.Deliveries{}).InsertTx(db, []*store.Delivery{d}); err != nil {
		t.Fatal(err)
	}
	claim(t, db, d)
	return d
}

func claim(t *testing.T, db *gorm.DB, d *store.Delivery) (attempt int) {
	t.Helper()
	_, attempt, err := store.Deliveries{DB: db}.Claim(t.Context(), d.ID, read(t, db, d).RetryEventID, time.Now().UTC())
	if err != nil {
		t.Fatal(err)
	}
	return attempt
}

// answered writes down how the last attempt ended.
func answered(t *testing.T, db *gorm.DB, d *store.Delivery, outcome, name string) {
	t.Helper()
	now := time.Now().UTC()
	status := store.DeliveryPending
	if outcome == "sent" {
		status = store.DeliverySent
	}
	a := store.Attempt{DeliveryID: d.ID, Number: read(t, db, d).Attempts, Outcome: outcome, StartedAt: now, FinishedAt: now}
	if err := (store.Deliveries{DB: db}).Finish(t.Context(), a, status, name); err != nil {
		t.Fatal(err)
	}
}

// reopened opens a failed delivery again, as a retry by hand does.
func reopened(t *testing.T, db *gorm.DB, d *store.Delivery) {
	t.Helper()
	err := db.Model(&store.Delivery{}).Where("id = ?", d.ID).
		Updates(map[string]any{"status": store.DeliveryPending, "retry_event_id": outbox.NewID()}).Error
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, db *gorm.DB, d *store.Delivery) *store.Delivery {
	t.Helper()
	now, err := store.Deliveries{DB: db}.Get(t.Context(), d.ID)
	if err != nil {
		t.Fatal(err)
	}
	return now
}

func told(t *testing.T, db *gorm.DB, d *store.Delivery, n int, status, code string) receipt.Outcome {
	t.Helper()
	outcome, err := receipt.Recorder{DB: db}.Record(t.Context(), receipt.Report{DeliveryID: d.ID, SID: sid(n), To: number, Status: status, Code: code})
	if err != nil {
		t.Fatal(err)
	}
	return outcome
}

func openErrors(t *testing.T, db *gorm.DB, d *store.Delivery) []*store.ErrorEntry {
	t.Helper()
	page, err := store.Errors{DB: db}.List(t.Context(), store.ErrorFilter{DeliveryID: d.ID, Resolved: new(bool)}, store.Paging{})
	if err != nil {
		t.Fatal(err)
	}
	return page.Items
}

// TestReportsInAnyOrderLeaveTheSame has every order of what Twilio may say of a message, each word twice.
func TestReportsInAnyOrderLeaveTheSame(t *testing.T) {
	t.Parallel()
	orders := func(words ...string) (all []string) {
		var add func(done, left []string)
		add = func(done, left []string) {
			if len(left) == 0 {
				all = append(all, strings.Join(done, " "))
			}
			for i, w := range left {
				rest := append(append([]string{}, left[:i]...), left[i+1:]...)
				add(append(append([]string{}, done...), w, w), rest)
			}
		}
		add(nil, words)
		return all
	}
	tests := []struct {
		orders []string
		want   store.DeliveryStatus
		errors int
	}{
		{orders("queued", "sent"), store.DeliverySent, 0},
		{orders("queued", "sent", "delivered"), store.DeliveryDelivered, 0},
		{orders("sent", "delivered", "read"), store.DeliveryDelivered, 0},
		{orders("sent", "undelivered"), store.DeliveryFailed, 1},
		{orders("sent", "failed", "delivered"), store.DeliveryDelivered, 0},
		{[]string{"canceled"}, store.DeliveryFailed, 1},
		{[]string{"no-such-word"}, store.DeliverySent, 0},
	}
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		for _, test := range tests {
			for _, order := range test.orders {
				d := started(t, db)
				answered(t, db, d, "sent", sid(1))
				// A message's name is one delivery's alone; each order has a delivery of its own.
				for table, id := range map[string]string{"notify_deliveries": "id", "notify_attempts": "delivery_id"} {
					if err := db.Exec("UPDATE "+table+" SET provider_id = '' WHERE "+id+" <> ?", d.ID).Error; err != nil {
						t.Fatal(err)
					}
				}
				for word := range strings.FieldsSeq(order) {
					told(t, db, d, 1, word, "")
				}
				got := read(t, db, d)
				if got.Status != test.want || len(openErrors(t, db, d)) != test.errors || (got.DeliveredAt != nil) != (test.want == store.DeliveryDelivered) {
					t.Errorf("%s: it is %s with %d open errors, delivered at %v; want %s with %d", order, got.Status, len(openErrors(t, db, d)),
						got.DeliveredAt, test.want, test.errors)
				}
			}
		}
	})
}

func TestAReportSettlesADeliveryThatIsUnderWayOrInDoubt(t *testing.T) {
	t.Parallel()
	states := map[string]func(t *testing.T, db *gorm.DB, d *store.Delivery){
		"an attempt is under way":                   func(*testing.T, *gorm.DB, *store.Delivery) {},
		"the answer was lost, and it waits":         func(t *testing.T, db *gorm.DB, d *store.Delivery) { answered(t, db, d, "unknown", "") },
		"the answer was lost, and it is tried anew": func(t *testing.T, db *gorm.DB, d *store.Delivery) { answered(t, db, d, "unknown", ""); claim(t, db, d) },
		"its worker died, and it is tried anew":     func(t *testing.T, db *gorm.DB, d *store.Delivery) { claim(t, db, d) },
		"it ended in doubt": func(t *testing.T, db *gorm.DB, d *store.Delivery) {
			answered(t, db, d, "unknown", "")
			if err := (store.Deliveries{}).FailTx(db, d.ID, store.DeliveryUnknown, "twilio_timeout", time.Now()); err != nil {
				t.Fatal(err)
			}
			if err := (store.Errors{}).RecordTx(db, &store.ErrorEntry{Code: "SMS_SEND_FAIL", DeliveryID: d.ID}); err != nil {
				t.Fatal(err)
			}
		},
	}
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		n := 0
		for state, reach := range states {
			for word, want := range map[string]store.DeliveryStatus{
				"queued": store.DeliverySent, "delivered": store.DeliveryDelivered, "undelivered": store.DeliveryFailed,
			} {
				n++
				d := started(t, db)
				reach(t, db, d)
				told(t, db, d, n, word, "30003")
				got := read(t, db, d)
				if got.Status != want || got.ProviderID != sid(n) || got.SentAt == nil {
					t.Errorf("%s, %s: it is %s as %s, want %s", state, word, got.Status, got.ProviderID, want)
				}
				if again := claim(t, db, d); again != 0 {
					t.Errorf("%s, %s: it is handed over again, attempt %d", state, word, again)
				}
				tries, err := store.Deliveries{DB: db}.Attempts(t.Context(), d.ID)
				if err != nil || tries[0].ProviderID != sid(n) {
					t.Errorf("%s, %s: the attempts are %+v, %v", state, word, tries, err)
				}
				if open := len(openErrors(t, db, d)); (open == 0) != (want != store.DeliveryFailed) {
					t.Errorf("%s, %s: %d errors are open", state, word, open)
				}
			}
		}
	})
}

func TestTheAnswerToTheHandOverMayComeAfterTheReport(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		for i, word := range []string{"queued", "delivered", "undelivered"} {
			for j, answer := range []string{"sent", "unknown", "temporary"} {
				n := 10*i + j + 1
				d := started(t, db)
				told(t, db, d, n, word, "30005")
				before := read(t, db, d)
				name := ""
				if answer == "sent" {
					name = sid(n)
				}
				answered(t, db, d, answer, name)
				if got := read(t, db, d); got.Status != before.Status || got.ErrorCode != before.ErrorCode || got.ProviderID != sid(n) {
					t.Errorf("%s, then the answer %s: it is %s with %q as %s, and was %s with %q", word, answer,
						got.Status, got.ErrorCode, got.ProviderID, before.Status, before.ErrorCode)
				}
				if open := len(openErrors(t, db, d)); (open == 1) != (word == "undelivered") {
					t.Errorf("%s, then the answer %s: %d errors are open", word, answer, open)
				}
			}
		}
	})
}

func TestAReportOnAnEarlierMessageDoesNotTouchTheRetry(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		d := started(t, db)
		answered(t, db, d, "sent", sid(1))
		told(t, db, d, 1, "undelivered", "30003")
		reopened(t, db, d)
		if got := told(t, db, d, 1, "undelivered", "30003"); got != receipt.Repeated || read(t, db, d).Status != store.DeliveryPending {
			t.Errorf("the old failure, before the retry: %s, it is %s", got, read(t, db, d).Status)
		}
		claim(t, db, d)
		if got := told(t, db, d, 1, "sent", ""); got != receipt.Repeated || read(t, db, d).Status != store.DeliverySending {
			t.Errorf("an old report, during the retry: %s, it is %s", got, read(t, db, d).Status)
		}
		answered(t, db, d, "sent", sid(2))
		if got := told(t, db, d, 1, "undelivered", "30003"); got != receipt.Repeated || read(t, db, d).Status != store.DeliverySent {
			t.Errorf("the old failure, after the retry: %s, it is %s", got, read(t, db, d).Status)
		}
		if got := told(t, db, d, 1, "delivered", ""); got != receipt.Arrived || read(t, db, d).Status != store.DeliveryDelivered {
			t.Errorf("it arrived at the first try after all: %s, it is %s", got, read(t, db, d).Status)
		}
	})
}

func TestAReportOnSomethingElseChangesNothing(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		other, d, fresh := started(t, db), started(t, db), started(t, db)
		answered(t, db, other, "sent", sid(8))
		told(t, db, other, 8, "undelivered", "30003")
		reopened(t, db, other)
		claim(t, db, other)
		answered(t, db, other, "sent", sid(9))
		answered(t, db, d, "sent", sid(1))
		waiting := &store.Delivery{ID: outbox.NewID(), EventID: outbox.NewID(), Channel: rule.SMS, Address: number, Status: store.DeliveryPending}
		if _, err := (store.Deliveries{}).InsertTx(db, []*store.Delivery{waiting}); err != nil {
			t.Fatal(err)
		}
		good := receipt.Report{DeliveryID: d.ID, SID: sid(1), To: number, Status: "failed", Code: "30003"}
		for name, change := range map[string]func(r *receipt.Report){
			"another recipient":                      func(r *receipt.Report) { r.To = "+12025550199" },
			"another channel":                        func(r *receipt.Report) { r.To = "whatsapp:" + number },
			"another message":                        func(r *receipt.Report) { r.SID = sid(2) },
			"another delivery's message":             func(r *receipt.Report) { r.DeliveryID, r.SID = fresh.ID, sid(9) },
			"what was another delivery's message":    func(r *receipt.Report) { r.DeliveryID, r.SID = fresh.ID, sid(8) },
			"a name that is none":                    func(r *receipt.Report) { r.SID = "SM1" },
			"a code that is none":                    func(r *receipt.Report) { r.Code = "<b>" },
			"a delivery that is not there":           func(r *receipt.Report) { r.DeliveryID = outbox.NewID() },
			"no delivery":                            func(r *receipt.Report) { r.DeliveryID = "" },
			"a delivery that was not handed over":    func(r *receipt.Report) { r.DeliveryID, r.SID = waiting.ID, sid(3) },
			"a status that does not concern sending": func(r *receipt.Report) { r.Status = "received" },
		} {
			r := good
			change(&r)
			if outcome, err := (receipt.Recorder{DB: db}).Record(t.Context(), r); err != nil || outcome != receipt.Foreign {
				t.Errorf("%s: %s, %v", name, outcome, err)
			}
		}
		for want, ds := range map[store.DeliveryStatus][]*store.Delivery{
			store.DeliverySent: {other, d}, store.DeliverySending: {fresh}, store.DeliveryPending: {waiting},
		} {
			for _, x := range ds {
				if got := read(t, db, x).Status; got != want {
					t.Errorf("a delivery is %s, want %s", got, want)
				}
			}
		}
	})
}

func TestARecipientWhoWantsNoMessagesIsSuppressed(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		for n, code := range []string{"30003", "63032", "21610"} {
			d := started(t, db)
			answered(t, db, d, "sent", sid(n+1))
			told(t, db, d, n+1, "undelivered", code)
			told(t, db, d, n+1, "failed", code)
			if got := read(t, db, d); got.ErrorCode != "twilio_"+code {
				t.Errorf("the delivery's code is %s, want that of %s", got.ErrorCode, code)
			}
			page, err := store.Suppressions{DB: db}.List(t.Context(), store.SuppressionFilter{}, store.Paging{})
			if err != nil || (len(page.Items) == 1) != (code == "21610") {
				t.Fatalf("after %s: %d suppressions, %v", code, len(page.Items), err)
			}
			if code == "21610" {
				if s := page.Items[0]; s.Address != number || s.Channel != rule.SMS || s.Reason != store.SuppressedStop || s.DeliveryID != d.ID {
					t.Errorf("suppressed: %+v", s)
				}
			}
		}
	})
}

func TestReportsAtTheSameMomentAndTheAnswerDoNotDisturbEachOther(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		for n := range 5 {
			d := started(t, db)
			var group sync.WaitGroup
			for _, word := range []string{"queued", "sent", "undelivered", "delivered", "delivered"} {
				group.Go(func() { told(t, db, d, n+1, word, "30003") })
			}
			group.Go(func() { answered(t, db, d, "sent", sid(n+1)) })
			group.Wait()
			if got := read(t, db, d); got.Status != store.DeliveryDelivered || got.ProviderID != sid(n+1) || len(openErrors(t, db, d)) != 0 {
				t.Errorf("it is %s as %s with %d open errors", got.Status, got.ProviderID, len(openErrors(t, db, d)))
			}
		}
	})
}

func TestTheHoursCountWhatReportsChange(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		for n, word := range []string{"delivered", "undelivered", "sent"} {
			d := started(t, db)
			answered(t, db, d, "sent", sid(n+1))
			told(t, db, d, n+1, word, "")
			if n == 1 {
				reopened(t, db, d)
			}
		}
		counts, err := store.DeliveryHours{DB: db}.Since(t.Context(), time.Now().Add(-time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		sum := make(map[store.DeliveryStatus]int64)
		for _, c := range counts {
			sum[c.Status] += c.Count
		}
		if sum[store.DeliveryDelivered] != 1 || sum[store.DeliverySent] != 1 || sum[store.DeliveryFailed] != 0 {
			t.Errorf("counted %v", sum)
		}
	})
}
