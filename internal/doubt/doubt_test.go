package doubt_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/audit"
	"github.com/silquetech/silque-notifications/internal/doubt"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/receipt"
	"github.com/silquetech/silque-notifications/internal/retry"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

const number = "+12025550123"

// inDoubt is a delivery whose last answer was lost, with what the error log says of it.
func inDoubt(t *testing.T, db *gorm.DB, change func(d *store.Delivery)) *store.Delivery {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Microsecond)
	d := &store.Delivery{
		ID: outbox.NewID(), EventID: outbox.NewID(), NotificationID: outbox.NewID(), Channel: rule.SMS, Address: number, BodyText: "t",
		Status: store.DeliveryUnknown, ErrorCode: "twilio_timeout", Attempts: 3, CreatedAt: now, UpdatedAt: now, ClaimedAt: &now,
	}
	if change != nil {
		change(d)
	}
	if _, err := (store.Deliveries{}).InsertTx(db, []*store.Delivery{d}); err != nil {
		t.Fatal(err)
	}
	a := store.Attempt{DeliveryID: d.ID, Number: 3, Outcome: "unknown", Code: "twilio_timeout", StartedAt: now, FinishedAt: now}
	if err := db.Create(&a).Error; err != nil {
		t.Fatal(err)
	}
	if err := (store.Errors{}).RecordTx(db, &store.ErrorEntry{Code: "SMS_SEND_FAIL", DeliveryID: d.ID}); err != nil {
		t.Fatal(err)
	}
	return d
}

func end(t *testing.T, db *gorm.DB, d *store.Delivery, outcome doubt.Outcome, who string) (eventID string, err error) {
	t.Helper()
	return doubt.Doubts{DB: db}.End(t.Context(), d.ID, outcome, retry.By{Actor: who, Source: outbox.FromConsole})
}

func read(t *testing.T, db *gorm.DB, d *store.Delivery) *store.Delivery {
	t.Helper()
	now, err := store.Deliveries{DB: db}.Get(t.Context(), d.ID)
	if err != nil {
		t.Fatal(err)
	}
	return now
}

func openErrors(t *testing.T, db *gorm.DB, d *store.Delivery) int {
	t.Helper()
	page, err := store.Errors{DB: db}.List(t.Context(), store.ErrorFilter{DeliveryID: d.ID, Resolved: new(bool)}, store.Paging{})
	if err != nil {
		t.Fatal(err)
	}
	return len(page.Items)
}

// told gives the lines of the audit log about a delivery, newest first.
func told(t *testing.T, db *gorm.DB, d *store.Delivery) (lines []string) {
	t.Helper()
	records, _, err := audit.List(t.Context(), db, audit.Filter{TargetID: d.ID}, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		lines = append(lines, r.Actor+" "+r.Action+" "+r.Detail)
	}
	return lines
}

func retries(t *testing.T, db *gorm.DB, d *store.Delivery) (ids []string) {
	t.Helper()
	if err := db.Model(&outbox.Event{}).Where(map[string]any{"key": d.ID, "action": rule.Retry}).Pluck("id", &ids).Error; err != nil {
		t.Fatal(err)
	}
	return ids
}

func TestAPersonEndsADoubt(t *testing.T) {
	t.Parallel()
	unwanted := func(d *store.Delivery) { d.ErrorCode = store.SuppressedStop.Code() }
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		for _, test := range []struct {
			name    string
			change  func(d *store.Delivery)
			outcome doubt.Outcome
			status  store.DeliveryStatus
			code    string
			open    int
			events  int
		}{
			{"it arrived", nil, doubt.Arrived, store.DeliveryDelivered, "", 0, 0},
			{"it did not arrive", nil, doubt.DidNotArrive, store.DeliveryFailed, "twilio_timeout", 1, 0},
			{"it is to go out again", nil, doubt.Retry, store.DeliveryUnknown, "twilio_timeout", 1, 1},
			{"what nobody wants any more did not arrive", unwanted, doubt.DidNotArrive, store.DeliverySuppressed, "suppressed_stop", 0, 0},
			{"what nobody wants any more arrived", unwanted, doubt.Arrived, store.DeliveryDelivered, "", 0, 0},
		} {
			d := inDoubt(t, db, test.change)
			eventID, err := end(t, db, d, test.outcome, "ann@example.com")
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
				continue
			}
			now := read(t, db, d)
			if now.Status != test.status || now.ErrorCode != test.code || openErrors(t, db, d) != test.open || now.BodyText != "t" {
				t.Errorf("%s: it is %s with %q and %d open errors, want %s with %q and %d", test.name, now.Status, now.ErrorCode,
					openErrors(t, db, d), test.status, test.code, test.open)
			}
			if (now.DeliveredAt != nil && now.SentAt != nil) != (test.outcome == doubt.Arrived) {
				t.Errorf("%s: sent at %v, delivered at %v", test.name, now.SentAt, now.DeliveredAt)
			}
			if events := retries(t, db, d); len(events) != test.events || (eventID != "") != (test.events == 1) {
				t.Errorf("%s: the events are %v, and the caller is told %q", test.name, events, eventID)
			}
			if lines := told(t, db, d); fmt.Sprint(lines) != "[ann@example.com delivery.doubt_ended "+string(test.outcome)+"]" {
				t.Errorf("%s: the audit log says %q", test.name, lines)
			}
		}
	})
}

// TestOfTwoPeopleWhoEndADoubtAtTheSameMomentOneIsHeard has four people press four buttons.
func TestOfTwoPeopleWhoEndADoubtAtTheSameMomentOneIsHeard(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		for round := range 12 {
			d := inDoubt(t, db, nil)
			outcomes := []doubt.Outcome{doubt.Arrived, doubt.DidNotArrive, doubt.Retry, doubt.Outcomes[round%3]}
			errs := make([]error, len(outcomes))
			var group sync.WaitGroup
			start := make(chan struct{})
			for i, outcome := range outcomes {
				group.Go(func() { <-start; _, errs[i] = end(t, db, d, outcome, fmt.Sprintf("person%d@example.com", i)) })
			}
			close(start)
			group.Wait()
			heard := slices.Index(errs, nil)
			if heard < 0 {
				t.Fatalf("round %d: nobody is heard: %v", round, errs)
			}
			for i, err := range errs {
				var late *doubt.NotInDoubtError
				if i == heard {
					continue
				}
				if !errors.As(err, &late) || late.Said != outcomes[heard] || late.By != fmt.Sprintf("person%d@example.com", heard) || late.At.IsZero() ||
					late.Asked != (outcomes[heard] == doubt.Retry) {
					t.Errorf("round %d: person %d is told %v, %+v; person %d said %s", round, i, err, late, heard, outcomes[heard])
				}
			}
			want := map[doubt.Outcome]store.DeliveryStatus{
				doubt.Arrived: store.DeliveryDelivered, doubt.DidNotArrive: store.DeliveryFailed, doubt.Retry: store.DeliveryUnknown,
			}[outcomes[heard]]
			if now := read(t, db, d); now.Status != want || len(told(t, db, d)) != 1 || len(retries(t, db, d)) > 1 ||
				(len(retries(t, db, d)) == 1) != (outcomes[heard] == doubt.Retry) {
				t.Errorf("round %d: %s was heard, it is %s; %v, %v", round, outcomes[heard], now.Status, told(t, db, d), retries(t, db, d))
			}
		}
	})
}

func TestAReportAtTheSameMomentIsHeardToo(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		for round := range 12 {
			d := inDoubt(t, db, nil)
			outcome := doubt.Outcomes[round%3]
			var group sync.WaitGroup
			group.Go(func() {
				report := receipt.Report{DeliveryID: d.ID, SID: fmt.Sprintf("SM%032x", round+1), To: number, Status: "delivered"}
				if _, err := (receipt.Recorder{DB: db}).Record(t.Context(), report); err != nil {
					t.Error(err)
				}
			})
			group.Go(func() {
				var late *doubt.NotInDoubtError
				if _, err := end(t, db, d, outcome, "ann@example.com"); err != nil && (!errors.As(err, &late) || late.Status != store.DeliveryDelivered) {
					t.Errorf("round %d: %v", round, err)
				}
			})
			group.Wait()
			if now := read(t, db, d); now.Status != store.DeliveryDelivered || openErrors(t, db, d) != 0 {
				t.Errorf("round %d: Twilio says that it arrived, a person %s: it is %s with %d open errors", round, outcome, now.Status, openErrors(t, db, d))
			}
		}
		if got := hours(t, db); got != "map[delivered:12]" {
			t.Errorf("the hours count %s", got)
		}
	})
}

// hours sums what the hours count, by status.
func hours(t *testing.T, db *gorm.DB) string {
	t.Helper()
	counts, err := store.DeliveryHours{DB: db}.Since(t.Context(), time.Now().Add(-2*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	sum := make(map[store.DeliveryStatus]int64)
	for _, c := range counts {
		sum[c.Status] += c.Count
	}
	return fmt.Sprint(sum)
}

func TestTheHoursCountWhatPeopleSay(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		for _, outcome := range []doubt.Outcome{doubt.Arrived, doubt.Arrived, doubt.DidNotArrive, doubt.Retry} {
			if _, err := end(t, db, inDoubt(t, db, nil), outcome, "ann"); err != nil {
				t.Fatal(err)
			}
		}
		if got := hours(t, db); got != "map[delivered:2 failed:1 unknown:1]" {
			t.Errorf("counted %s", got)
		}
	})
}

func TestWhatIsNotInDoubtIsNotEnded(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		for _, status := range []store.DeliveryStatus{
			store.DeliveryPending, store.DeliverySending, store.DeliverySent, store.DeliveryDelivered, store.DeliveryFailed, store.DeliverySuppressed,
		} {
			d := inDoubt(t, db, func(d *store.Delivery) { d.Status = status })
			for _, outcome := range doubt.Outcomes {
				var late *doubt.NotInDoubtError
				if _, err := end(t, db, d, outcome, "ann"); !errors.As(err, &late) || late.Status != status || late.Said != "" || read(t, db, d).Status != status {
					t.Errorf("%s, %s: %v; it is %s", status, outcome, err, read(t, db, d).Status)
				}
			}
			if lines := told(t, db, d); lines != nil {
				t.Errorf("%s: the audit log says %q", status, lines)
			}
		}
		if _, err := end(t, db, &store.Delivery{ID: outbox.NewID()}, doubt.Arrived, "ann"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a delivery that is not there: %v", err)
		}
		d := inDoubt(t, db, nil)
		if _, err := (store.Suppressions{DB: db}).Add(t.Context(), &store.Suppression{Channel: rule.SMS, Address: number, Reason: store.SuppressedStop}); err != nil {
			t.Fatal(err)
		}
		if _, err := end(t, db, d, doubt.Retry, "ann"); !errors.Is(err, doubt.ErrSuppressed) || told(t, db, d) != nil {
			t.Errorf("to an address that wants none: %v, %v", err, told(t, db, d))
		}
		if _, err := end(t, db, d, doubt.Arrived, "ann"); err != nil {
			t.Errorf("the doubt stays open: %v", err)
		}
	})
}
