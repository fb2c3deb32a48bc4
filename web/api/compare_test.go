package api_test

import (
	"net/http"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestAChangedRuleIsComparedWithTheSavedOneOnRecordedEvents(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := serve(t, db, nil)
		n := created(t, s, map[string]any{"trigger": "update", "conditions": `doc.status == "APPROVED"`})
		for _, status := range []string{"NEW", "APPROVED", "CLOSED"} {
			s.call(t, http.MethodPost, "/events", change(map[string]any{"doc": row(status)})).object(t, 202)
		}
		s.call(t, http.MethodPost, "/events", change(map[string]any{"action": "create", "old_doc": nil})).object(t, 202)
		changed := input(map[string]any{"trigger": "update", "conditions": `doc.status != "NEW"`})
		result := s.call(t, http.MethodPost, "/notifications/compare",
			map[string]any{"notification": changed, "notification_id": n["id"]}).object(t, 200)
		if result["checked"] != 4.0 || result["differing"] != 1.0 {
			t.Fatalf("compared %v", result)
		}
		for _, i := range result["items"].([]any) {
			item := i.(map[string]any)
			before, after := item["before"].(map[string]any), item["after"].(map[string]any)
			if item["differs"] == true && (before["sends"] != false || after["sends"] != true || after["text"] != "It is CLOSED.") {
				t.Errorf("%v differs from %v", before, after)
			}
			if item["action"] == "create" {
				contains(t, "why a create is passed over", after["reason"].(string), "its trigger is update")
			}
		}
		if alone := s.call(t, http.MethodPost, "/notifications/compare",
			map[string]any{"notification": changed, "limit": 2}).object(t, 200); alone["checked"] != 2.0 || alone["differing"] != 1.0 {
			t.Errorf("a new rule: %v", alone)
		}
		if got := count(t, db, "notify_deliveries"); got != 0 {
			t.Errorf("%d deliveries", got)
		}
	})
}

func TestAComparisonSeesEveryMessageAndOnlyItsOwnModel(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	list := s.call(t, http.MethodPost, "/lists", aList("Board")).object(t, 201)
	with := func(german string) map[string]any {
		return input(map[string]any{"trigger": "update", "conditions": "", "recipients": []any{map[string]any{"address": "x@example.com"}, map[string]any{"list_id": list["id"]}},
			"variants": []any{map[string]any{"locale": "de", "message": german}}})
	}
	n := created(t, s, with("Hallo"))
	s.call(t, http.MethodPost, "/events", change(nil)).object(t, 202)
	result := s.call(t, http.MethodPost, "/notifications/compare", map[string]any{"notification": with("Servus"), "notification_id": n["id"]}).object(t, 200)
	if result["differing"] != 1.0 {
		t.Errorf("another text for some is no difference: %v", result)
	}
	other := created(t, s, map[string]any{"model": "customers", "trigger": "update", "title": "x", "message": "x", "value_change_field": nil, "conditions": nil,
		"recipients": []any{map[string]any{"address": "x@example.com"}}})
	result = s.call(t, http.MethodPost, "/notifications/compare", map[string]any{"notification": with("Hallo"), "notification_id": other["id"]}).object(t, 200)
	before := result["items"].([]any)[0].(map[string]any)["before"].(map[string]any)
	contains(t, "why another model's rule is passed over", before["reason"].(string), "it is for customers")
}

func TestAComparisonThatIsNotRightIsRefusedByField(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	for name, body := range map[string]map[string]any{
		"notification_id":              {"notification": input(nil), "notification_id": anID},
		"notification.conditions":      {"notification": input(map[string]any{"conditions": "doc.gone"})},
		"notification.recipients[0].x": {"notification": input(map[string]any{"recipients": []any{map[string]any{}}})},
	} {
		_, fields := s.call(t, http.MethodPost, "/notifications/compare", body).refusal(t, 422, "invalid")
		if fields[strings.TrimSuffix(name, ".x")] == nil {
			t.Errorf("%s is not named in %v", name, fields)
		}
	}
}

func TestAPreviewOfAnSMSCountsItsSegments(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	n := input(map[string]any{"channel": "sms", "trigger": "new", "message": strings.Repeat("€", 81), "conditions": "",
		"recipients": []any{map[string]any{"address": "+12025550123"}}})
	p := s.call(t, http.MethodPost, "/notifications/preview", map[string]any{"notification": n, "doc": row("NEW")}).object(t, 200)
	if p["encoding"] != "GSM-7" || p["segments"] != 2.0 || p["characters"] != 162.0 {
		t.Errorf("got %v", p)
	}
}

func TestAPreviewOfADateAlertSaysWhenItFires(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	n := input(map[string]any{"trigger": "days_before", "value_change_field": nil, "date_field": "due_on", "alert_days": 3,
		"alert_time": "09:00", "time_zone": "Europe/Berlin", "conditions": ""})
	doc := row("NEW")
	doc["due_on"] = "2026-03-31"
	p := s.call(t, http.MethodPost, "/notifications/preview", map[string]any{"notification": n, "doc": doc}).object(t, 200)
	if p["sends"] != true || p["fires_at"] != "2026-03-28T08:00:00Z" {
		t.Errorf("got %v", p)
	}
}

func TestAPreviewShowsEachLanguage(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	list := s.call(t, http.MethodPost, "/lists", aList("Board")).object(t, 201)
	n := input(map[string]any{"trigger": "new", "conditions": "", "variants": []any{map[string]any{"locale": "de", "message": "Hallo {{ doc.number }}"}},
		"recipients": []any{map[string]any{"address": "x@example.com"}, map[string]any{"list_id": list["id"]}}})
	p := s.call(t, http.MethodPost, "/notifications/preview", map[string]any{"notification": n, "doc": row("NEW")}).object(t, 200)
	messages := p["messages"].([]any)
	if len(messages) != 2 || messages[1].(map[string]any)["locale"] != "de" || messages[1].(map[string]any)["text"] != "Hallo A-7" {
		t.Errorf("got %v", p)
	}
	s.call(t, http.MethodPost, "/notifications", n).object(t, 201)
	s.call(t, http.MethodDelete, "/lists/"+id(list["id"]), nil).refusal(t, 409, "list_in_use")
}

func TestAPreviewOfARecordedEventSeesItsDocuments(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	event := s.call(t, http.MethodPost, "/events", change(map[string]any{"doc": row("CLOSED")})).object(t, 202)["id"]
	p := s.call(t, http.MethodPost, "/notifications/preview", map[string]any{
		"notification": input(map[string]any{"trigger": "update", "conditions": ""}), "event_id": event}).object(t, 200)
	if p["sends"] != true || p["text"] != "It is CLOSED." {
		t.Errorf("got %v", p)
	}
	for name, body := range map[string]map[string]any{
		"another trigger": {"notification": input(map[string]any{"trigger": "new"}), "event_id": event},
		"no such event":   {"notification": input(nil), "event_id": anID},
		"a row too":       {"notification": input(nil), "event_id": event, "key": "7"},
	} {
		_, fields := s.call(t, http.MethodPost, "/notifications/preview", body).refusal(t, 422, "invalid")
		if fields["event_id"] == nil {
			t.Errorf("%s: %v", name, fields)
		}
	}
}
