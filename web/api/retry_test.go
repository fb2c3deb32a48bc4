package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestARetryIsAnEventThatNamesItsDelivery(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := serve(t, db, nil)
		unknown := failed()
		unknown.Status = store.DeliveryUnknown
		bad := failed()
		keep(t, db, bad, unknown)
		for _, d := range []*store.Delivery{bad, unknown} {
			nudged := s.nudges.Load()
			e := stored(t, db, s.call(t, http.MethodPost, "/deliveries/"+d.ID+"/retry", nil).object(t, 202)["event_id"])
			var doc map[string]any
			if err := json.Unmarshal(e.Doc, &doc); err != nil {
				t.Fatal(err)
			}
			if e.Action != rule.Retry || e.Model != "" || e.Key != d.ID || e.Source != outbox.FromAPI || e.OldDoc != nil ||
				e.Revision == 0 || len(doc) != 1 || doc["delivery_id"] != d.ID {
				t.Errorf("the event is %+v with %v", e, doc)
			}
			if s.nudges.Load() != nudged+1 {
				t.Error("the relay was not nudged")
			}
		}
	})
}

func TestOnlyWhatHasFailedIsRetried(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	for _, status := range []store.DeliveryStatus{store.DeliveryPending, store.DeliverySending, store.DeliverySent,
		store.DeliveryDelivered, store.DeliverySuppressed} {
		d := delivered(func(d *store.Delivery) { d.Status = status })
		keep(t, s.db, d)
		s.call(t, http.MethodPost, "/deliveries/"+d.ID+"/retry", nil).refusal(t, 409, "delivery_not_failed")
	}
	if count(t, s.db, "notify_events") != 0 || s.nudges.Load() != 0 {
		t.Error("something was asked of the relay")
	}
}

func TestAskingAgainWhileARetryIsUnderWaySendsOnce(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := serve(t, db, nil)
		d := failed()
		keep(t, db, d)
		const people = 6
		ids := make([]any, people)
		var group sync.WaitGroup
		for i := range people {
			group.Go(func() {
				if i%2 == 0 {
					ids[i] = s.call(t, http.MethodPost, "/deliveries/"+d.ID+"/retry", nil).object(t, 202)["event_id"]
					return
				}
				r := s.call(t, http.MethodPost, "/deliveries/retry", map[string]any{"ids": []string{d.ID, d.ID}}).object(t, 202)
				if r["accepted"] != 1.0 {
					t.Errorf("accepted: %v", r)
				}
				ids[i] = r["event_ids"].([]any)[0]
			})
		}
		group.Wait()
		for _, id := range ids {
			if id != ids[0] {
				t.Fatalf("the events are %v", ids)
			}
		}
		if n := count(t, db, "notify_events"); n != 1 {
			t.Errorf("%d events are kept", n)
		}
		if err := outbox.Settle(t.Context(), db, []string{ids[0].(string)}, time.Now().UTC()); err != nil {
			t.Fatal(err)
		}
		again := s.call(t, http.MethodPost, "/deliveries/"+d.ID+"/retry", nil).object(t, 202)["event_id"]
		if again == ids[0] {
			t.Error("when the first retry has ended, the second is not a new one")
		}
	})
}

func TestARetryThatHadItsTryDoesNotSwallowTheNext(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := serve(t, db, nil)
		d := failed()
		keep(t, db, d)
		retry := func() string {
			return s.call(t, http.MethodPost, "/deliveries/"+d.ID+"/retry", nil).object(t, 202)["event_id"].(string)
		}
		first := retry()
		// Its workflow has resolved it, and the delivery has failed again; only the end of the event is not written yet.
		err := outbox.ResolveTx(db, "w", time.Now().UTC(), outbox.Resolution{EventID: first})
		if err != nil {
			t.Fatal(err)
		}
		if second := retry(); second == first {
			t.Error("the answer is the event that had its try: nothing would be sent")
		}
	})
}

func TestManyAreRetriedByIDAndTheOthersAreNamed(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := serve(t, db, nil)
		bad, sent := failed(), delivered(nil)
		keep(t, db, bad, sent)
		r := s.call(t, http.MethodPost, "/deliveries/retry", map[string]any{"ids": []string{bad.ID, sent.ID, anID, "none"}}).object(t, 202)
		want := fmt.Sprintf("[map[id:%s reason:delivery_not_failed] map[id:%s reason:not_found] map[id:none reason:not_found]]", sent.ID, anID)
		if r["accepted"] != 1.0 || len(r["event_ids"].([]any)) != 1 || fmt.Sprint(r["skipped"]) != want || r["more"] != false || r["next"] != "" {
			t.Errorf("the answer is %v", r)
		}
	})
}

func TestDeliveriesAreRetriedByFilter(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := serve(t, db, nil)
		bad, unknown, other, sent := failed(), failed(), failed(), delivered(nil)
		unknown.Status = store.DeliveryUnknown
		other.ErrorCode, other.ProviderID, other.WorkflowID, other.Address = "twilio_21211", "SM9", "send/9", "+12025550199"
		keep(t, db, bad, unknown, other, sent)
		tests := []struct {
			filter map[string]any
			want   []string
		}{
			{map[string]any{}, []string{bad.ID, unknown.ID, other.ID}},
			{map[string]any{"status": "failed"}, []string{bad.ID, other.ID}},
			{map[string]any{"status": "unknown"}, []string{unknown.ID}},
			{map[string]any{"event_id": bad.EventID}, []string{bad.ID}},
			{map[string]any{"notification_id": unknown.NotificationID}, []string{unknown.ID}},
			{map[string]any{"channel": "email"}, []string{}},
			{map[string]any{"address": "+12025550199"}, []string{other.ID}},
			{map[string]any{"provider_id": "SM9", "error_code": "twilio_21211", "workflow_id": "send/9"}, []string{other.ID}},
		}
		for _, test := range tests {
			r := s.call(t, http.MethodPost, "/deliveries/retry", map[string]any{"filter": test.filter}).object(t, 202)
			got := []string{}
			for _, e := range r["event_ids"].([]any) {
				got = append(got, stored(t, db, e).Key)
			}
			if !slices.Equal(got, test.want) || r["accepted"] != float64(len(test.want)) || len(r["skipped"].([]any)) != 0 {
				t.Errorf("%v: %v, want %v", test.filter, r, test.want)
			}
		}
		if n := count(t, db, "notify_events"); n != 3 {
			t.Errorf("%d events for three deliveries", n)
		}
	})
}

func TestAFilterThatMatchesMoreThanOneCallTakesIsGoneThroughInParts(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := serve(t, db, nil)
		many := make([]*store.Delivery, 1005)
		for i := range many {
			many[i] = failed()
			if i%2 == 0 {
				many[i].Status = store.DeliveryUnknown
			}
		}
		keep(t, db, many...)
		body := map[string]any{"filter": map[string]any{"channel": "sms"}}
		first := s.call(t, http.MethodPost, "/deliveries/retry", body).object(t, 202)
		if first["accepted"] != 1000.0 || first["more"] != true || first["next"] != many[999].ID {
			t.Fatalf("accepted %v, more %v, next %v", first["accepted"], first["more"], first["next"])
		}
		body["cursor"] = first["next"]
		second := s.call(t, http.MethodPost, "/deliveries/retry", body).object(t, 202)
		if second["accepted"] != 5.0 || second["more"] != false || second["next"] != "" {
			t.Errorf("accepted %v, more %v, next %v", second["accepted"], second["more"], second["next"])
		}
		if n := count(t, db, "notify_events"); n != 1005 {
			t.Errorf("%d events", n)
		}
	})
}

func TestARetryThatIsNotRightIsRefusedByField(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	many := make([]string, 1001)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	tests := map[string]struct {
		body   map[string]any
		fields []string
	}{
		"nothing":                 {map[string]any{}, []string{"ids"}},
		"no IDs":                  {map[string]any{"ids": []string{}}, []string{"ids"}},
		"too many":                {map[string]any{"ids": many}, []string{"ids"}},
		"IDs and a filter":        {map[string]any{"ids": []string{anID}, "filter": map[string]any{}}, []string{"ids"}},
		"a cursor without filter": {map[string]any{"ids": []string{anID}, "cursor": anID}, []string{"cursor"}},
		"a status not to retry":   {map[string]any{"filter": map[string]any{"status": "sent"}}, []string{"filter.status"}},
		"several": {map[string]any{"filter": map[string]any{"channel": "fax", "event_id": "7", "notification_id": "7"}, "cursor": "x"},
			[]string{"filter.channel", "filter.event_id", "filter.notification_id", "cursor"}},
	}
	for name, test := range tests {
		_, fields := s.call(t, http.MethodPost, "/deliveries/retry", test.body).refusal(t, 422, "invalid")
		for _, field := range test.fields {
			if fields[field] == nil || len(fields) != len(test.fields) {
				t.Errorf("%s: fields %v, want %v", name, fields, test.fields)
			}
		}
	}
}
