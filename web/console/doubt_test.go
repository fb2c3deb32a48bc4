package console

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/doubt"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// unknown makes a delivery of which nobody knows whether it arrived.
func unknown(t *testing.T, db *gorm.DB, channel rule.Channel, attempts int) *store.Delivery {
	t.Helper()
	now := time.Now().UTC()
	d := &store.Delivery{ID: outbox.NewID(), EventID: outbox.NewID(), Channel: channel, Address: "+12025550123", BodyText: "Hello", Attempts: attempts,
		Status: store.DeliveryUnknown, ErrorCode: "twilio_timeout", CreatedAt: now, UpdatedAt: now, ClaimedAt: &now}
	if channel == rule.Email {
		d.Address, d.ErrorCode = "ann@example.com", "smtp_timeout"
	}
	if _, err := (store.Deliveries{}).InsertTx(db, []*store.Delivery{d}); err != nil {
		t.Fatal(err)
	}
	for i := range attempts {
		if err := db.Create(&store.Attempt{DeliveryID: d.ID, Number: i + 1, Outcome: "unknown", StartedAt: now, FinishedAt: now}).Error; err != nil {
			t.Fatal(err)
		}
	}
	if err := (store.Errors{}).RecordTx(db, &store.ErrorEntry{Code: string(rule.SendFailCode(channel)), Source: "send", DeliveryID: d.ID}); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestADoubtIsExplainedAndEndedByAPerson(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		nudged := 0
		v := visit(t, db, account.Editor, func(c *Config) { c.Nudge = func() { nudged++ } })
		mail := unknown(t, db, rule.Email, 3)
		v.holds(v.page("/deliveries/"+mail.ID), "Did it arrive?", "A mail server cannot be asked", "<code>"+mail.ID+"@</code>")
		v.holds(v.page("/deliveries/"+unknown(t, db, rule.SMS, 1).ID), "was not searched")
		again := unknown(t, db, rule.SMS, 3)
		if err := db.Exec("UPDATE notify_deliveries SET doubt_ended = 2 WHERE id = ?", again.ID).Error; err != nil {
			t.Fatal(err)
		}
		page := v.page("/deliveries/" + again.ID)
		v.holds(page, "was not searched")
		v.lacks(page, "list of messages is searched")
		for outcome, test := range map[string]struct {
			said string
			page []string
		}{
			"arrived":        {"counts as delivered", []string{">delivered</span>", "It arrived: ann@example.com said so", "ann@example.com said that it arrived", ">resolved</span>"}},
			"did_not_arrive": {"not arrived", []string{">failed</span>", "It did not arrive: ann@example.com said so", "said that it did not arrive", ">open</span>", "/deliveries/retry?id="}},
			"retry":          {"handed over again", []string{">retrying</span>", "said that it is to go out again"}},
		} {
			d := unknown(t, db, rule.SMS, 3)
			page := v.page("/deliveries/" + d.ID)
			v.holds(page, "Did it arrive?", "list of messages is searched", "What came of that is not kept", `value="arrived"`, `value="did_not_arrive"`, `value="retry"`, "gets it twice")
			v.lacks(page, "/deliveries/retry?id=")
			answer := v.post("/deliveries/"+d.ID+"/resolve", "outcome", outcome)
			if answer.Header().Get("Location") != "/deliveries/"+d.ID || !strings.Contains(v.access.said(), test.said) {
				t.Errorf("%s: %d %v %q", outcome, answer.Code, answer.Header(), v.access.said())
			}
			page = v.page("/deliveries/" + d.ID)
			v.holds(page, test.page...)
			v.lacks(page, "Did it arrive?", "The provider says that it arrived", "No more tries")
			for _, late := range []string{"arrived", "retry"} {
				v.post("/deliveries/"+d.ID+"/resolve", "outcome", late)
				if f := v.access.flash; f == nil || !f.Problem || !strings.Contains(f.Text, "ann@example.com had said at ") || !strings.Contains(f.Text, saidWords[doubt.Outcome(outcome)]) {
					t.Errorf("%s after %s: %+v", late, outcome, f)
				}
			}
		}
		if len(retriesOf(t, db)) != 1 || nudged != 1 {
			t.Errorf("%d retries, nudged %d times", len(retriesOf(t, db)), nudged)
		}
		if answer := v.post("/deliveries/"+mail.ID+"/resolve", "outcome", "sent"); answer.Code != http.StatusBadRequest {
			t.Errorf("an outcome that is none: %d", answer.Code)
		}
		if answer := v.post("/deliveries/"+outbox.NewID()+"/resolve", "outcome", "arrived"); answer.Code != http.StatusNotFound {
			t.Errorf("a delivery that is not there: %d", answer.Code)
		}
	})
}

func TestADoubtAboutAnAddressThatWantsNoMessagesIsNotEndedBySendingAgain(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	v := visit(t, db, account.Editor)
	d := unknown(t, db, rule.SMS, 3)
	if _, err := (store.Suppressions{DB: db}).Add(t.Context(), &store.Suppression{Channel: rule.SMS, Address: d.Address, Reason: store.SuppressedStop}); err != nil {
		t.Fatal(err)
	}
	page := v.page("/deliveries/" + d.ID)
	v.holds(page, "Did it arrive?", "the address gets no SMS", "It counts as suppressed")
	v.lacks(page, `value="retry"`)
	v.post("/deliveries/"+d.ID+"/resolve", "outcome", "retry")
	if f := v.access.flash; f == nil || !f.Problem || f.Path != "/suppressions" {
		t.Errorf("%+v", f)
	}
}

func TestAViewerReadsOfADoubtAndEndsNone(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	v := visit(t, db, account.Viewer)
	d := unknown(t, db, rule.SMS, 3)
	page := v.page("/deliveries/" + d.ID)
	v.holds(page, "Did it arrive?", "An editor can say")
	v.lacks(page, `name="outcome"`)
	if answer := v.post("/deliveries/"+d.ID+"/resolve", "outcome", "arrived"); answer.Code != http.StatusForbidden {
		t.Errorf("%d", answer.Code)
	}
}

func TestADeliveryThatCameBackSaysThatItWasTaken(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		w, v := watch(t, db, ""), visit(t, db, account.Editor)
		now := time.Now().UTC()
		err := db.Model(&store.Attempt{}).Where("delivery_id = ?", w.email.ID).Updates(map[string]any{"outcome": "sent", "code": ""}).Error
		if err == nil {
			err = (store.Errors{}).RecordTx(db, &store.ErrorEntry{Code: "EMAIL_SEND_FAIL", Source: "receipt", DeliveryID: w.email.ID, Message: "It came back (5.1.1)."})
		}
		if err != nil {
			t.Fatal(err)
		}
		page := v.page("/deliveries/" + w.email.ID)
		v.holds(page, "The provider took it, and then reported that it did not arrive", "Attempt 1: the provider took it", "The provider reported that it did not arrive")
		v.lacks(page, "It was not taken", "No more tries")
		for n := 2; n <= 3; n++ { // a person has it handed over again, and the mail server is away
			if err := db.Create(&store.Attempt{DeliveryID: w.email.ID, Number: n, Outcome: "temporary", StartedAt: now, FinishedAt: now}).Error; err != nil {
				t.Fatal(err)
			}
		}
		if err := (store.Errors{}).RecordTx(db, &store.ErrorEntry{Code: "EMAIL_SEND_FAIL", Source: "send", DeliveryID: w.email.ID}); err != nil {
			t.Fatal(err)
		}
		page = v.page("/deliveries/" + w.email.ID)
		v.holds(page, "It was not taken in 2 attempts")
		v.lacks(page, "reported that it did not arrive")
	})
}
