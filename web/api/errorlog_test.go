package api_test

import (
	"fmt"
	"net/http"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestTheErrorLogIsListedShownAndResolved(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := serve(t, db, nil)
		send := &store.ErrorEntry{Code: "SMS_SEND_FAIL", Source: "send", Message: "Refused.", EventID: outbox.NewID(),
			DeliveryID: outbox.NewID(), NotificationID: outbox.NewID(), Attempt: 3, Context: outbox.Snapshot(`{"class":"permanent"}`)}
		resolve := &store.ErrorEntry{Code: "CONDITION_EVAL_FAIL", Source: "resolve", EventID: outbox.NewID()}
		if err := (store.Errors{}).RecordTx(db, send, resolve); err != nil {
			t.Fatal(err)
		}
		resolved := s.call(t, http.MethodPost, "/errors/"+resolve.ID+"/resolve", nil).object(t, 200)
		if resolved["resolved"] != true || resolved["resolved_at"] == nil || resolved["context"] != nil || resolved["delivery_id"] != "" {
			t.Errorf("resolved: %v", resolved)
		}
		if again := s.call(t, http.MethodPost, "/errors/"+resolve.ID+"/resolve", nil).object(t, 200); fmt.Sprint(again) != fmt.Sprint(resolved) {
			t.Errorf("resolved again: %v", again)
		}
		shown := s.call(t, http.MethodGet, "/errors/"+send.ID, nil).object(t, 200)
		for name, want := range map[string]any{
			"id": send.ID, "code": "SMS_SEND_FAIL", "source": "send", "message": "Refused.", "event_id": send.EventID,
			"delivery_id": send.DeliveryID, "notification_id": send.NotificationID, "attempt": 3.0, "resolved": false, "resolved_at": nil,
		} {
			if shown[name] != want {
				t.Errorf("%s is %v, want %v", name, shown[name], want)
			}
		}
		if fmt.Sprint(shown["context"]) != "map[class:permanent]" {
			t.Errorf("context: %v", shown["context"])
		}
		for query, want := range map[string][]string{
			"":                                {resolve.ID, send.ID},
			"?code=SMS_SEND_FAIL":             {send.ID},
			"?source=resolve":                 {resolve.ID},
			"?event_id=" + send.EventID:       {send.ID},
			"?delivery_id=" + send.DeliveryID: {send.ID},
			"?notification_id=" + send.NotificationID: {send.ID},
			"?resolved=true":                {resolve.ID},
			"?resolved=false":               {send.ID},
			"?code=NONE":                    {},
			"?limit=1&cursor=" + resolve.ID: {send.ID},
		} {
			items, _ := s.call(t, http.MethodGet, "/errors"+query, nil).items(t)
			got := []string{}
			for _, item := range items {
				got = append(got, id(item["id"]))
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: %v, want %v", query, got, want)
			}
		}
	})
}
