package api_test

import (
	"net/http"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// doubtful is a delivery whose last answer was lost.
func doubtful() *store.Delivery {
	d := failed()
	d.Status, d.ErrorCode = store.DeliveryUnknown, "twilio_timeout"
	return d
}

func TestADoubtIsEndedOnce(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := serve(t, db, nil)
		for outcome, status := range map[string]string{"arrived": "delivered", "did_not_arrive": "failed", "retry": "unknown"} {
			d := doubtful()
			keep(t, db, d)
			path := "/deliveries/" + d.ID + "/resolve"
			before := s.nudges.Load()
			got := s.call(t, http.MethodPost, path, map[string]any{"outcome": outcome}).object(t, 200)
			delivery, _ := got["delivery"].(map[string]any)
			if got["outcome"] != outcome || delivery["id"] != d.ID || delivery["status"] != status || (got["event_id"] != "") != (outcome == "retry") {
				t.Errorf("%s: %v", outcome, got)
			}
			if nudged := s.nudges.Load() - before; (nudged == 1) != (outcome == "retry") {
				t.Errorf("%s: the relay was told %d times", outcome, nudged)
			}
			message, _ := s.call(t, http.MethodPost, path, map[string]any{"outcome": "arrived"}).refusal(t, 409, "delivery_not_in_doubt")
			contains(t, "the message", message, map[string]string{
				"arrived": "said that it arrived", "did_not_arrive": "said that it did not arrive", "retry": "handed over again",
			}[outcome])
		}
	})
}

func TestWhatCannotBeSaidOfADoubtIsRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	d := doubtful()
	keep(t, s.db, d)
	for _, body := range []map[string]any{{}, {"outcome": ""}, {"outcome": "sent"}} {
		_, fields := s.call(t, http.MethodPost, "/deliveries/"+d.ID+"/resolve", body).refusal(t, 422, "invalid")
		if len(fields) != 1 || fields["outcome"] == nil {
			t.Errorf("%v: the fields are %v", body, fields)
		}
	}
	for _, id := range []string{anID, "7"} {
		s.call(t, http.MethodPost, "/deliveries/"+id+"/resolve", map[string]any{"outcome": "arrived"}).refusal(t, 404, "not_found")
	}
	sent := delivered(nil)
	keep(t, s.db, sent)
	message, _ := s.call(t, http.MethodPost, "/deliveries/"+sent.ID+"/resolve", map[string]any{"outcome": "retry"}).refusal(t, 409, "delivery_not_in_doubt")
	contains(t, "the message", message, "it is sent now")
	stop := &store.Suppression{Channel: rule.SMS, Address: d.Address, Reason: store.SuppressedStop}
	if _, err := (store.Suppressions{DB: s.db}).Add(t.Context(), stop); err != nil {
		t.Fatal(err)
	}
	s.call(t, http.MethodPost, "/deliveries/"+d.ID+"/resolve", map[string]any{"outcome": "retry"}).refusal(t, 409, "address_suppressed")
}
