package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// delivered is a delivery that was sent; change makes it another.
func delivered(change func(d *store.Delivery)) *store.Delivery {
	now := time.Date(2026, 1, 31, 15, 4, 5, 0, time.UTC)
	d := &store.Delivery{
		ID: outbox.NewID(), EventID: outbox.NewID(), NotificationID: outbox.NewID(), NotificationVersion: 1,
		Channel: rule.Email, Address: "ann@example.com", Subject: "Hello", BodyText: "text", BodyHTML: "<p>html</p>",
		Status: store.DeliverySent, Attempts: 1, ProviderID: "SM1", WorkflowID: "send/1", CreatedAt: now, UpdatedAt: now, SentAt: &now,
	}
	if change != nil {
		change(d)
	}
	return d
}

// failed is a delivery whose attempts are used up.
func failed() *store.Delivery {
	return delivered(func(d *store.Delivery) {
		d.Status, d.ErrorCode, d.ProviderID, d.SentAt = store.DeliveryFailed, "http_503", "", nil
		d.Channel, d.Address, d.Subject, d.BodyHTML = rule.SMS, "+12025550123", "", ""
	})
}

func keep(t *testing.T, db *gorm.DB, deliveries ...*store.Delivery) {
	t.Helper()
	if _, err := (store.Deliveries{}).InsertTx(db, deliveries); err != nil {
		t.Fatal(err)
	}
}

func TestADeliveryIsShownWithItsMessageAndAttempts(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := serve(t, db, nil)
		d := delivered(func(d *store.Delivery) {
			d.Status, d.Attempts, d.SentAt = store.DeliveryPending, 0, nil
			d.Locale, d.Details = "de", outbox.Snapshot(`{"cc":["ben@example.com"]}`)
		})
		keep(t, db, d)
		now := time.Date(2026, 1, 31, 15, 4, 5, 0, time.UTC)
		deliveries := store.Deliveries{DB: db}
		if _, _, err := deliveries.Claim(t.Context(), d.ID, "", now); err != nil {
			t.Fatal(err)
		}
		answer := store.Attempt{DeliveryID: d.ID, Number: 1, Outcome: "sent", Code: "", Detail: "250 OK", StartedAt: now, FinishedAt: now}
		if err := deliveries.Finish(t.Context(), answer, store.DeliverySent, "<1@example.com>"); err != nil {
			t.Fatal(err)
		}
		got := s.call(t, http.MethodGet, "/deliveries/"+d.ID, nil).object(t, 200)
		for name, want := range map[string]any{
			"id": d.ID, "event_id": d.EventID, "notification_id": d.NotificationID, "notification_version": 1.0, "channel": "email",
			"address": "ann@example.com", "status": "sent", "attempts": 1.0, "provider_id": "<1@example.com>", "error_code": "",
			"workflow_id": "send/1", "sent_at": "2026-01-31T15:04:05Z", "created_at": "2026-01-31T15:04:05Z",
			"subject": "Hello", "text": "text", "html": "<p>html</p>", "locale": "de", "valid_until": nil,
		} {
			if got[name] != want {
				t.Errorf("%s is %v, want %v", name, got[name], want)
			}
		}
		if fmt.Sprint(got["details"]) != "map[cc:[ben@example.com]]" {
			t.Errorf("details %v", got["details"])
		}
		attempts := got["attempts_log"].([]any)
		if first := attempts[0].(map[string]any); len(attempts) != 1 || first["detail"] != "250 OK" || first["started_at"] != "2026-01-31T15:04:05Z" {
			t.Errorf("attempts: %v", attempts)
		}
	})
}

func TestDeliveriesAreListedByEachFieldWithoutTheirText(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := serve(t, db, nil)
		sent, bad := delivered(nil), failed()
		bad.ProviderID, bad.WorkflowID = "SM2", "send/2"
		keep(t, db, sent, bad)
		for query, want := range map[string][]string{
			"":                                      {bad.ID, sent.ID},
			"event_id=" + sent.EventID:              {sent.ID},
			"notification_id=" + bad.NotificationID: {bad.ID},
			"channel=sms":                           {bad.ID},
			"address=" + url.QueryEscape("+12025550123"): {bad.ID},
			"status=sent":              {sent.ID},
			"status=suppressed":        {},
			"provider_id=SM2":          {bad.ID},
			"error_code=http_503":      {bad.ID},
			"workflow_id=send/2":       {bad.ID},
			"channel=sms&status=sent":  {},
			"limit=1&cursor=" + bad.ID: {sent.ID},
		} {
			items, next := s.call(t, http.MethodGet, "/deliveries?"+query, nil).items(t)
			got := []string{}
			for _, item := range items {
				got = append(got, id(item["id"]))
				if _, there := item["text"]; there {
					t.Error("a list shows texts")
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) || next != "" {
				t.Errorf("%s: %v, want %v; next %q", query, got, want, next)
			}
		}
	})
}
