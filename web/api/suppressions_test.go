package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/audit"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestAnAddressIsSuppressedOnceAndLifted(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := serve(t, db, nil)
		made := s.call(t, http.MethodPost, "/suppressions", map[string]any{"channel": "email", "address": " Ann@EXAMPLE.com ", "detail": " asked on the phone "})
		entry := made.object(t, 201)
		for name, want := range map[string]any{
			"channel": "email", "address": "ann@example.com", "notification_id": "", "reason": "manual", "source": "api", "delivery_id": "",
			"detail": "asked on the phone", "created_by": "api",
		} {
			if entry[name] != want {
				t.Errorf("%s is %v, want %v", name, entry[name], want)
			}
		}
		path := "/suppressions/" + id(entry["id"])
		if got := made.header.Get("Location"); got != "/api/v1"+path {
			t.Errorf("Location %q", got)
		}
		again := s.call(t, http.MethodPost, "/suppressions", map[string]any{"channel": "email", "address": "ann@example.com", "detail": "again"}).object(t, 200)
		if fmt.Sprint(again) != fmt.Sprint(entry) {
			t.Errorf("entered again: %v", again)
		}
		if got := s.call(t, http.MethodGet, path, nil).object(t, 200); fmt.Sprint(got) != fmt.Sprint(entry) {
			t.Errorf("read: %v", got)
		}
		if r := s.call(t, http.MethodDelete, path, nil); r.status != 204 {
			t.Errorf("lifted: %d", r.status)
		}
		s.call(t, http.MethodDelete, path, nil).refusal(t, 404, "not_found")
		s.call(t, http.MethodGet, path, nil).refusal(t, 404, "not_found")
		records, _, err := audit.List(t.Context(), db, audit.Filter{Target: "suppression"}, "", 0)
		if err != nil || len(records) != 2 || records[0].Action != "suppression.removed" || records[0].Actor != "api" {
			t.Errorf("the audit log says %+v, %v", records, err)
		}
	})
}

func TestAnAddressThatCannotBeSuppressedIsRefusedFieldByField(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	for name, test := range map[string]struct {
		body  map[string]any
		field string
		says  string
	}{
		"no channel":              {map[string]any{"address": "ann@example.com"}, "channel", "email, sms or whatsapp"},
		"an unknown channel":      {map[string]any{"channel": "fax", "address": "ann@example.com"}, "channel", "email, sms or whatsapp"},
		"no address":              {map[string]any{"channel": "email"}, "address", ""},
		"an address that is none": {map[string]any{"channel": "email", "address": "ann"}, "address", ""},
		"a number without +":      {map[string]any{"channel": "sms", "address": "2025550123"}, "address", ""},
		"a notification that is not there": {map[string]any{"channel": "email", "address": "ann@example.com", "notification_id": anID},
			"notification_id", "no notification has this ID"},
		"a notification that is no ID": {map[string]any{"channel": "email", "address": "ann@example.com", "notification_id": "7"},
			"notification_id", "no notification has this ID"},
		"a long note": {map[string]any{"channel": "email", "address": "ann@example.com", "detail": strings.Repeat("ü", 501)}, "detail", "500"},
	} {
		_, fields := s.call(t, http.MethodPost, "/suppressions", test.body).refusal(t, 422, "invalid")
		said, _ := fields[test.field].(string)
		if len(fields) != 1 || said == "" || !strings.Contains(said, test.says) {
			t.Errorf("%s: the fields are %v", name, fields)
		}
	}
	if _, fields := s.call(t, http.MethodPost, "/suppressions", map[string]any{"channel": "email", "notification_id": "x"}).refusal(t, 422, "invalid"); len(fields) != 2 {
		t.Errorf("not everything is named at once: %v", fields)
	}
	if n := count(t, s.db, "notify_suppressions"); n != 0 {
		t.Errorf("%d are kept", n)
	}
}

func TestSuppressionsAreListedByEachField(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := serve(t, db, nil)
		notification := id(s.call(t, http.MethodPost, "/notifications", input(nil)).object(t, 201)["id"])
		stop := &store.Suppression{Channel: rule.SMS, Address: "+12025550123", Reason: store.SuppressedStop, Source: store.SuppressedByHook,
			DeliveryID: outbox.NewID(), Detail: "21610", CreatedBy: "Twilio"}
		if _, err := (store.Suppressions{DB: db}).Add(t.Context(), stop); err != nil {
			t.Fatal(err)
		}
		own := id(s.call(t, http.MethodPost, "/suppressions",
			map[string]any{"channel": "email", "address": "ann@example.com", "notification_id": notification}).object(t, 201)["id"])
		for query, want := range map[string][]string{
			"":                                {own, stop.ID},
			"channel=sms":                     {stop.ID},
			"reason=manual":                   {own},
			"reason=bounce":                   {},
			"address=ANN@example.com":         {own},
			"address=ann":                     {},
			"notification_id=" + notification: {own},
			"channel=email&reason=stop":       {},
			"limit=1&cursor=" + own:           {stop.ID},
		} {
			items, next := s.call(t, http.MethodGet, "/suppressions?"+query, nil).items(t)
			got := []string{}
			for _, item := range items {
				got = append(got, id(item["id"]))
			}
			if fmt.Sprint(got) != fmt.Sprint(want) || next != "" {
				t.Errorf("%s: %v, want %v; next %q", query, got, want, next)
			}
		}
		for _, query := range []string{"channel=fax", "reason=spam", "notification_id=7", "adress=x"} {
			s.call(t, http.MethodGet, "/suppressions?"+query, nil).refusal(t, 400, "invalid_query")
		}
	})
}
