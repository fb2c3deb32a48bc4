package bounce_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/bounce"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

// sent makes a delivery that its mail server took.
func sent(t *testing.T, db *gorm.DB, change func(d *store.Delivery)) *store.Delivery {
	t.Helper()
	now := time.Now().UTC()
	d := &store.Delivery{
		ID: outbox.NewID(), EventID: outbox.NewID(), NotificationID: outbox.NewID(), NotificationVersion: 1, Channel: rule.Email,
		Address: "Ann@example.org", Subject: "Order 7", BodyText: "late", Status: store.DeliverySent, Attempts: 1, WorkflowID: "w",
		CreatedAt: now, UpdatedAt: now, ClaimedAt: &now, SentAt: &now,
	}
	d.ProviderID = d.ID + "@example.com"
	if change != nil {
		change(d)
	}
	if err := db.Create(d).Error; err != nil {
		t.Fatal(err)
	}
	return d
}

func about(d *store.Delivery, kind bounce.Kind, status, id string) bounce.Report {
	return bounce.Report{Kind: kind, MessageID: d.ID + "@example.com", Recipient: "ann@EXAMPLE.org", Status: status, Diagnostic: "smtp; its own words", ID: id}
}

func record(t *testing.T, db *gorm.DB, reports ...bounce.Report) []bounce.Result {
	t.Helper()
	results, err := bounce.NewRecorder(db, "a test").Record(t.Context(), reports...)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

// state is all that reports can change: the delivery, the error log, the suppressions.
type state struct {
	Status     store.DeliveryStatus
	Code       string
	Errors     []string
	Suppressed []string
}

func stateOf(t *testing.T, db *gorm.DB, id string) state {
	t.Helper()
	d, err := store.Deliveries{DB: db}.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	s := state{Status: d.Status, Code: d.ErrorCode}
	var entries []*store.ErrorEntry
	if err := db.Where("delivery_id = ?", id).Find(&entries).Error; err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		s.Errors = append(s.Errors, fmt.Sprintf("%s resolved:%v", e.Code, e.Resolved))
	}
	var suppressions []*store.Suppression
	if err := db.Where("delivery_id = ?", id).Find(&suppressions).Error; err != nil {
		t.Fatal(err)
	}
	for _, one := range suppressions {
		s.Suppressed = append(s.Suppressed, fmt.Sprintf("%s %s", one.Address, one.Reason))
	}
	slices.Sort(s.Errors)
	slices.Sort(s.Suppressed)
	return s
}

func wantState(t *testing.T, db *gorm.DB, id string, want state) {
	t.Helper()
	if got := stateOf(t, db, id); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("left is %+v,\nwant %+v", got, want)
	}
}

func TestAReportChangesItsDelivery(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		const open, done, dead, spam = "EMAIL_SEND_FAIL resolved:false", "EMAIL_DELAYED resolved:true", "ann@example.org bounce", "ann@example.org complaint"
		for name, tc := range map[string]struct {
			was     store.DeliveryStatus
			report  func(d *store.Delivery) bounce.Report
			outcome bounce.Outcome
			want    state
		}{
			"a mailbox that is not there": {store.DeliverySent, func(d *store.Delivery) bounce.Report { return about(d, bounce.Bounce, "5.1.1", "") },
				bounce.Failed, state{store.DeliveryFailed, "bounce_5.1.1", []string{open}, []string{dead}}},
			"after the next server took it": {store.DeliveryDelivered, func(d *store.Delivery) bounce.Report { return about(d, bounce.Bounce, "5.1.1", "") },
				bounce.Failed, state{store.DeliveryFailed, "bounce_5.1.1", []string{open}, []string{dead}}},
			"after a lost answer": {store.DeliveryUnknown, func(d *store.Delivery) bounce.Report { return about(d, bounce.Bounce, "5.2.2", "") },
				bounce.Failed, state{store.DeliveryFailed, "bounce_5.2.2", []string{open}, nil}},
			"a sender that is blocked": {store.DeliverySent, func(d *store.Delivery) bounce.Report { return about(d, bounce.Bounce, "5.7.1", "") },
				bounce.Failed, state{store.DeliveryFailed, "bounce_5.7.1", []string{open}, nil}},
			"days of trying in vain": {store.DeliverySent, func(d *store.Delivery) bounce.Report { return about(d, bounce.Bounce, "4.4.7", "") },
				bounce.Failed, state{store.DeliveryFailed, "bounce_4.4.7", []string{open}, nil}},
			"no code": {store.DeliverySent, func(d *store.Delivery) bounce.Report { return about(d, bounce.Bounce, "", "") },
				bounce.Failed, state{store.DeliveryFailed, "bounce", []string{open}, nil}},
			"a delay": {store.DeliverySent, func(d *store.Delivery) bounce.Report { return about(d, bounce.Delayed, "4.4.1", "") },
				bounce.Recorded, state{store.DeliverySent, "", []string{done}, nil}},
			"a complaint": {store.DeliverySent, func(d *store.Delivery) bounce.Report { return about(d, bounce.Complaint, "", "") },
				bounce.Recorded, state{store.DeliverySent, "", []string{"EMAIL_COMPLAINT resolved:false"}, []string{spam}}},
			"an arrival": {store.DeliverySent, func(d *store.Delivery) bounce.Report { return about(d, bounce.Delivered, "2.0.0", "") },
				bounce.Arrived, state{store.DeliveryDelivered, "", nil, nil}},
			"an arrival after a lost answer": {store.DeliveryUnknown, func(d *store.Delivery) bounce.Report { return about(d, bounce.Delivered, "2.0.0", "") },
				bounce.Arrived, state{store.DeliveryDelivered, "", nil, nil}},
			"an arrival after a bounce": {store.DeliveryFailed, func(d *store.Delivery) bounce.Report { return about(d, bounce.Delivered, "2.0.0", "") },
				bounce.Repeated, state{store.DeliveryFailed, "", nil, nil}},
			"the delivery's ID instead of the Message-ID": {store.DeliverySent, func(d *store.Delivery) bounce.Report {
				r := about(d, bounce.Bounce, "5.1.1", "")
				r.MessageID = d.ID
				return r
			}, bounce.Failed, state{store.DeliveryFailed, "bounce_5.1.1", []string{open}, []string{dead}}},
			"a dead mailbox behind our address": {store.DeliverySent, func(d *store.Delivery) bounce.Report {
				r := about(d, bounce.Bounce, "5.1.1", "")
				r.Recipient, r.Original = "ann.lee@corp.example.net", "ann@example.org"
				return r
			}, bounce.Failed, state{store.DeliveryFailed, "bounce_5.1.1", []string{open}, nil}},
			"another address": {store.DeliverySent, func(d *store.Delivery) bounce.Report {
				r := about(d, bounce.Bounce, "5.1.1", "")
				r.Recipient = "eve@example.org"
				return r
			}, bounce.OtherRecipient, state{Status: store.DeliverySent}},
			"another address's complaint": {store.DeliverySent, func(d *store.Delivery) bounce.Report {
				r := about(d, bounce.Complaint, "", "")
				r.Recipient = "eve@example.org"
				return r
			}, bounce.OtherRecipient, state{Status: store.DeliverySent}},
			"another system's message": {store.DeliverySent, func(d *store.Delivery) bounce.Report {
				r := about(d, bounce.Bounce, "5.1.1", "")
				r.MessageID = d.ID + "@elsewhere.example"
				return r
			}, bounce.NoDelivery, state{Status: store.DeliverySent}},
			"an answer that has not been written down": {store.DeliverySending, func(d *store.Delivery) bounce.Report { return about(d, bounce.Bounce, "5.1.1", "") },
				bounce.TooEarly, state{Status: store.DeliverySending, Suppressed: []string{dead}}},
			"a complaint while the delivery is retried": {store.DeliveryPending, func(d *store.Delivery) bounce.Report { return about(d, bounce.Complaint, "", "") },
				bounce.TooEarly, state{Status: store.DeliveryPending, Suppressed: []string{spam}}},
			"a full mailbox while the delivery is retried": {store.DeliveryPending, func(d *store.Delivery) bounce.Report { return about(d, bounce.Bounce, "5.2.2", "") },
				bounce.TooEarly, state{Status: store.DeliveryPending}},
			"an arrival before the answer was written down": {store.DeliverySending, func(d *store.Delivery) bounce.Report { return about(d, bounce.Delivered, "", "") },
				bounce.TooEarly, state{Status: store.DeliverySending}},
		} {
			t.Run(name, func(t *testing.T) {
				// A mailbox of its own for each case: a suppression is one for all deliveries to an address.
				own := "Ann." + strings.ReplaceAll(strings.ReplaceAll(name, " ", "-"), "'", "") + "@example.org"
				d := sent(t, db, func(d *store.Delivery) { d.Status, d.Address = tc.was, own })
				report := tc.report(d)
				for _, address := range []*string{&report.Recipient, &report.Original} {
					if strings.EqualFold(*address, "ann@example.org") {
						*address = strings.ToLower(own)
					}
				}
				for i, one := range tc.want.Suppressed {
					tc.want.Suppressed[i] = strings.Replace(one, "ann@example.org", strings.ToLower(own), 1)
				}
				got := record(t, db, report)
				if got[0].Outcome != tc.outcome || got[0].Suppressed != (len(tc.want.Suppressed) > 0) {
					t.Errorf("it came to %+v, want %s", got[0], tc.outcome)
				}
				wantState(t, db, d.ID, tc.want)
				if tc.outcome == bounce.TooEarly {
					return
				}
				if again := record(t, db, report); again[0].Suppressed || again[0].Outcome == bounce.Failed || again[0].Outcome == bounce.Recorded {
					t.Errorf("the same report again came to %+v", again[0])
				}
				wantState(t, db, d.ID, tc.want)
			})
		}
	})
}

// TestAReportThatComesTooEarlySuppressesAtOnceAndCountsLater sends reports about a delivery that a person has had opened
// again, twice, and once more when it has ended.
func TestAReportThatComesTooEarlySuppressesAtOnceAndCountsLater(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		for kind, tc := range map[bounce.Kind]struct {
			code  string
			later bounce.Outcome
			want  state
		}{
			bounce.Bounce:    {"5.1.1", bounce.Failed, state{store.DeliveryFailed, "bounce_5.1.1", []string{"EMAIL_SEND_FAIL resolved:false"}, nil}},
			bounce.Complaint: {"", bounce.Recorded, state{store.DeliverySent, "", []string{"EMAIL_COMPLAINT resolved:false"}, nil}},
		} {
			address := string(kind) + "@example.org"
			d := sent(t, db, func(d *store.Delivery) { d.Status, d.RetryEventID, d.Address = store.DeliveryPending, "r1", address })
			report := about(d, kind, tc.code, "")
			report.Recipient = address
			suppressed := []string{address + " " + string(kind)}
			for i := range 2 {
				if got := record(t, db, report); got[0].Outcome != bounce.TooEarly || got[0].Suppressed != (i == 0) {
					t.Errorf("time %d: it came to %+v", i+1, got[0])
				}
				wantState(t, db, d.ID, state{Status: store.DeliveryPending, Suppressed: suppressed})
			}
			if err := db.Model(d).Update("status", store.DeliverySent).Error; err != nil {
				t.Fatal(err)
			}
			if got := record(t, db, report); got[0].Outcome != tc.later || got[0].Suppressed {
				t.Errorf("when the delivery had ended, it came to %+v", got[0])
			}
			tc.want.Suppressed = suppressed
			wantState(t, db, d.ID, tc.want)
		}
	})
}

func TestAReportAboutNoDeliveryChangesNothing(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	sms := sent(t, db, func(d *store.Delivery) { d.Channel, d.Address = rule.SMS, "+12025550123" })
	waiting := sent(t, db, func(d *store.Delivery) { d.Status, d.Attempts, d.ProviderID = store.DeliveryPending, 0, "" })
	unwanted := sent(t, db, func(d *store.Delivery) { d.Status, d.Attempts, d.ProviderID = store.DeliverySuppressed, 0, "" })
	for name, id := range map[string]string{
		"none": "", "no UUID": "order-7@example.com", "one that is gone": outbox.NewID() + "@example.com", "an SMS": sms.ID,
		"one that was not handed over": waiting.ID, "one that never will be": unwanted.ID, "SQL": "' OR 1=1 --@example.com",
	} {
		r := about(waiting, bounce.Bounce, "5.1.1", "")
		r.MessageID = id
		if got := record(t, db, r); got[0] != (bounce.Result{Outcome: bounce.NoDelivery}) {
			t.Errorf("%s: came to %+v", name, got[0])
		}
	}
	for _, d := range []*store.Delivery{sms, waiting, unwanted} {
		wantState(t, db, d.ID, state{Status: d.Status})
	}
}

// TestTheOrderOfReportsDoesNotCount sends the same reports in many orders, some of them twice and several at once.
func TestTheOrderOfReportsDoesNotCount(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		for round := range 12 {
			d := sent(t, db, func(d *store.Delivery) { d.Address = fmt.Sprintf("ann%d@example.org", round) })
			reports := []bounce.Report{
				about(d, bounce.Delayed, "4.4.1", "1"), about(d, bounce.Delayed, "4.4.1", "2"), about(d, bounce.Delivered, "2.0.0", "3"),
				about(d, bounce.Bounce, "5.1.1", "4"),
			}
			for i := range reports {
				reports[i].Recipient = d.Address
			}
			reports = append(reports, reports...)
			rand.Shuffle(len(reports), func(i, j int) { reports[i], reports[j] = reports[j], reports[i] })
			var posting sync.WaitGroup
			for part := range slices.Chunk(reports, 2) {
				posting.Go(func() {
					if _, err := bounce.NewRecorder(db, "a test").Record(context.WithoutCancel(t.Context()), part...); err != nil {
						t.Error(err)
					}
				})
			}
			posting.Wait()
			wantState(t, db, d.ID, state{store.DeliveryFailed, "bounce_5.1.1",
				[]string{"EMAIL_DELAYED resolved:true", "EMAIL_DELAYED resolved:true", "EMAIL_SEND_FAIL resolved:false"},
				[]string{d.Address + " bounce"}})
		}
	})
}

// TestAnOldReportDoesNotFailANewHandOver: what was sent again after a person's retry keeps its Message-ID.
func TestAnOldReportDoesNotFailANewHandOver(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		d := sent(t, db, nil)
		first := about(d, bounce.Bounce, "5.2.2", "first")
		record(t, db, first)
		again := func(status store.DeliveryStatus) {
			t.Helper()
			if err := db.Model(d).Updates(map[string]any{"status": status, "retry_event_id": "r1", "attempts": 2, "error_code": ""}).Error; err != nil {
				t.Fatal(err)
			}
		}
		for _, status := range []store.DeliveryStatus{store.DeliveryPending, store.DeliverySending, store.DeliverySent} {
			again(status)
			if got := record(t, db, first); got[0].Outcome != bounce.Repeated {
				t.Errorf("while it is %s, the old report came to %+v", status, got[0])
			}
			wantState(t, db, d.ID, state{status, "", []string{"EMAIL_SEND_FAIL resolved:false"}, nil})
		}
		if got := record(t, db, about(d, bounce.Bounce, "5.2.2", "second")); got[0].Outcome != bounce.Failed {
			t.Errorf("a new report came to %+v", got[0])
		}
	})
}

// TestTheAnswerToAHandOverMayComeAfterItsReport: an answer that was given up counts when it comes after all, unless a report
// has said more of the same hand-over. Every hand-over of a delivery has the same Message-ID.
func TestTheAnswerToAHandOverMayComeAfterItsReport(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		for name, tc := range map[string]struct {
			status store.DeliveryStatus // when the answer comes
			code   string
			report string
			want   store.DeliveryStatus
		}{
			"a bounce of a hand-over in doubt":               {store.DeliveryUnknown, "smtp_timeout", "5.2.2", store.DeliveryFailed},
			"a bounce without a code":                        {store.DeliveryUnknown, "smtp_timeout", "none", store.DeliveryFailed},
			"no report, and the attempts are used up":        {store.DeliveryFailed, "smtp_timeout", "", store.DeliverySent},
			"no report, and the answer is the last one's":    {store.DeliverySending, "", "", store.DeliverySent},
			"no report, and it is not known what came of it": {store.DeliveryUnknown, "smtp_timeout", "", store.DeliverySent},
		} {
			d := sent(t, db, func(d *store.Delivery) { d.Status, d.ErrorCode, d.Attempts = tc.status, tc.code, 2 })
			if tc.report != "" {
				record(t, db, about(d, bounce.Bounce, strings.TrimPrefix(tc.report, "none"), ""))
			}
			answer := store.Attempt{DeliveryID: d.ID, Number: 2, Outcome: string(store.DeliverySent), StartedAt: d.CreatedAt, FinishedAt: time.Now().UTC()}
			if err := (store.Deliveries{DB: db}).Finish(t.Context(), answer, store.DeliverySent, d.ProviderID); err != nil {
				t.Fatal(err)
			}
			if got := stateOf(t, db, d.ID); got.Status != tc.want {
				t.Errorf("%s: left is %+v, want %s", name, got, tc.want)
			}
		}
	})
}

func TestASuppressionThatWasLiftedStaysLifted(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	d := sent(t, db, nil)
	report := about(d, bounce.Bounce, "5.1.1", "")
	record(t, db, report)
	active, err := store.Suppressions{DB: db}.Active(t.Context(), rule.Email, []string{d.Address}, d.NotificationID)
	if err != nil || active[d.Address] == nil {
		t.Fatalf("suppressed: %v, %v", active, err)
	}
	if _, err := (store.Suppressions{DB: db}).Remove(t.Context(), active[d.Address].ID, "ann"); err != nil {
		t.Fatal(err)
	}
	if got := record(t, db, report); got[0].Suppressed || got[0].Outcome != bounce.Repeated {
		t.Errorf("the same report again came to %+v", got[0])
	}
}

func TestTheErrorLogSaysWhatHappenedAndWhatToDo(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	for _, tc := range []struct {
		report func(d *store.Delivery) bounce.Report
		says   []string
	}{
		{func(d *store.Delivery) bounce.Report { return about(d, bounce.Bounce, "5.1.1", "") }, []string{"5.1.1", "Mend the address"}},
		{func(d *store.Delivery) bounce.Report { return about(d, bounce.Bounce, "5.7.1", "") }, []string{"5.7.1", "then retry"}},
		{func(d *store.Delivery) bounce.Report { return about(d, bounce.Bounce, "4.4.7", "") }, []string{"4.4.7", "given up"}},
		{func(d *store.Delivery) bounce.Report { return about(d, bounce.Bounce, "", "") }, []string{"no status code"}},
		{func(d *store.Delivery) bounce.Report { return about(d, bounce.Complaint, "", "") }, []string{"spam", "suppression"}},
		{func(d *store.Delivery) bounce.Report { return about(d, bounce.Delayed, "4.4.1", "") }, []string{"4.4.1", "goes on trying"}},
	} {
		d := sent(t, db, nil)
		record(t, db, tc.report(d))
		e := new(store.ErrorEntry)
		if err := db.Take(e, "delivery_id = ?", d.ID).Error; err != nil {
			t.Fatal(err)
		}
		for _, want := range tc.says {
			if !strings.Contains(e.Message, want) {
				t.Errorf("%q does not say %q", e.Message, want)
			}
		}
		if strings.Contains(e.Message+e.DedupKey, "example.org") {
			t.Errorf("the entry tells the address: %+v", e)
		}
		var kept map[string]string
		if err := json.Unmarshal(e.Context, &kept); err != nil || kept["provider_answer"] != "smtp; its own words" {
			t.Errorf("the context is %s, %v", e.Context, err)
		}
		if e.EventID != d.EventID || e.NotificationID != d.NotificationID || e.Attempt != 1 {
			t.Errorf("the entry is about %+v", e)
		}
	}
}

func TestADatabaseThatIsAwayIsAnError(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	d := sent(t, db, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	results, err := bounce.NewRecorder(db, "a test").Record(ctx, about(d, bounce.Bounce, "5.1.1", ""))
	if err == nil || !errors.Is(err, context.Canceled) || len(results) > 0 {
		t.Errorf("came to %+v, %v", results, err)
	}
}
