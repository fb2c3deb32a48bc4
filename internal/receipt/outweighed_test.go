package receipt_test

import (
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/receipt"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// guessed is a delivery in doubt of which a person has said that it arrived.
func guessed(t *testing.T, db *gorm.DB) *store.Delivery {
	t.Helper()
	d := started(t, db)
	answered(t, db, d, "unknown", "")
	err := db.Model(&store.Delivery{}).Where("id = ?", d.ID).Updates(map[string]any{"status": store.DeliveryDelivered, "delivered_at": time.Now().UTC()}).Error
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestAReportOutweighsAPersonsWord(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		n := 0
		for words, want := range map[string]store.DeliveryStatus{
			"queued": store.DeliveryDelivered, "undelivered": store.DeliveryFailed, "queued undelivered": store.DeliveryFailed,
			"undelivered sent": store.DeliveryFailed, "delivered undelivered": store.DeliveryDelivered, "undelivered delivered": store.DeliveryDelivered,
		} {
			d := guessed(t, db)
			n++
			for word := range strings.FieldsSeq(words) {
				told(t, db, d, n, word, "30003")
			}
			got := read(t, db, d)
			if got.Status != want || (got.DeliveredAt != nil) != (want == store.DeliveryDelivered) || (len(openErrors(t, db, d)) == 1) != (want == store.DeliveryFailed) {
				t.Errorf("a person says that it arrived, Twilio %s: it is %s, delivered at %v, with %d open errors; want %s", words, got.Status, got.DeliveredAt,
					len(openErrors(t, db, d)), want)
			}
		}
		d := guessed(t, db)
		answered(t, db, d, "sent", sid(99))
		told(t, db, d, 99, "delivered", "")
		if told(t, db, d, 98, "undelivered", "30003") != receipt.Foreign || read(t, db, d).Status != store.DeliveryDelivered {
			t.Errorf("Twilio has said that it arrived, and says of another message that it did not: it is %s", read(t, db, d).Status)
		}
	})
}

// TestWhoWantsNoMessagesIsHeardWhateverElseAReportComesTo has reports about messages that no longer matter for their
// deliveries, each of them twice.
func TestWhoWantsNoMessagesIsHeardWhateverElseAReportComesTo(t *testing.T) {
	t.Parallel()
	states := map[string]func(t *testing.T, db *gorm.DB) *store.Delivery{
		"a person says that it arrived": guessed,
		"Twilio says that it arrived": func(t *testing.T, db *gorm.DB) *store.Delivery {
			d := started(t, db)
			told(t, db, d, 1, "delivered", "")
			return d
		},
		"it is handed over again": func(t *testing.T, db *gorm.DB) *store.Delivery {
			d := started(t, db)
			told(t, db, d, 1, "undelivered", "30003")
			reopened(t, db, d)
			claim(t, db, d)
			answered(t, db, d, "sent", sid(2))
			return d
		},
	}
	for state, reach := range states {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			testdb.Each(t, func(t *testing.T, db *gorm.DB) {
				suppressed := func() bool {
					active, err := store.Suppressions{DB: db}.Active(t.Context(), rule.SMS, []string{number}, "n")
					if err != nil {
						t.Fatal(err)
					}
					return len(active) > 0
				}
				d := reach(t, db)
				told(t, db, d, 1, "undelivered", "21610")
				if !suppressed() {
					t.Error("who wants no messages gets more")
				}
				if _, err := (store.Suppressions{}).LiftTx(db, rule.SMS, number, "recipient", store.SuppressedStop); err != nil {
					t.Fatal(err)
				}
				told(t, db, d, 1, "undelivered", "21610")
				if suppressed() {
					t.Error("the same report again undoes what the person has said since")
				}
			})
		})
	}
}

func TestALateFailureDoesNotTakeTheRetryAway(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		d := started(t, db)
		answered(t, db, d, "unknown", "")
		reopened(t, db, d)
		if err := db.Exec("UPDATE notify_deliveries SET doubt_ended = attempts WHERE id = ?", d.ID).Error; err != nil {
			t.Fatal(err)
		}
		if got := told(t, db, d, 1, "undelivered", "30003"); got != receipt.Repeated || read(t, db, d).Status != store.DeliveryPending {
			t.Errorf("it failed at the first try: %s, it is %s", got, read(t, db, d).Status)
		}
		if got := told(t, db, d, 1, "delivered", ""); got != receipt.Arrived || read(t, db, d).Status != store.DeliveryDelivered {
			t.Errorf("it arrived at the first try: %s, it is %s", got, read(t, db, d).Status)
		}
	})
}
