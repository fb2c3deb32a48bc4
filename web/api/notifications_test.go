package api_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/testdb"
)

// created stores a notification through the API, and gives it.
func created(t *testing.T, s *server, changes map[string]any) map[string]any {
	t.Helper()
	return s.call(t, http.MethodPost, "/notifications", input(changes)).object(t, http.StatusCreated)
}

func TestANotificationIsCreatedReadReplacedAndDeleted(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := serve(t, db, nil)
		r := s.call(t, http.MethodPost, "/notifications", input(nil))
		first := r.object(t, http.StatusCreated)
		path := "/notifications/" + first["id"].(string)
		if got := r.header.Get("Location"); got != "/api/v1"+path {
			t.Errorf("Location is %q", got)
		}
		if first["active"] != true || first["version"] != 1.0 || first["alert_days"] != nil || first["html_message"] != "" {
			t.Errorf("created: %v", first)
		}
		if at := first["created_at"].(string); !strings.HasSuffix(at, "Z") {
			t.Errorf("created_at %s is not in UTC", at)
		}
		if read := s.call(t, http.MethodGet, path, nil).object(t, 200); fmt.Sprint(read) != fmt.Sprint(first) {
			t.Errorf("read %v\ncreated %v", read, first)
		}
		changed := maps.Clone(first) // an answer can be sent back, with what the system decides
		changed["title"], changed["version"], changed["id"] = "New", "x", 7
		second := s.call(t, http.MethodPut, path, changed).object(t, 200)
		if second["title"] != "New" || second["version"] != 2.0 || second["id"] != first["id"] || second["created_at"] != first["created_at"] {
			t.Errorf("replaced: %v", second)
		}
		third := s.call(t, http.MethodPut, path, input(map[string]any{"conditions": nil, "html_message": nil})).object(t, 200)
		if third["conditions"] != "" {
			t.Errorf("what was left out is still there: %v", third)
		}
		if r := s.call(t, http.MethodDelete, path, nil); r.status != http.StatusNoContent || len(r.body) != 0 {
			t.Errorf("deleted: %d %s", r.status, r.body)
		}
		s.call(t, http.MethodGet, path, nil).refusal(t, 404, "not_found")
		s.call(t, http.MethodDelete, path, nil).refusal(t, 404, "not_found")
		if got := s.ruleChanges.Load(); got != 4 {
			t.Errorf("told of %d changes, want 4", got)
		}
	})
}

func TestReplacingWithoutActiveLeavesANotificationAsActiveAsItIs(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	for _, active := range []bool{true, false} {
		n := created(t, s, map[string]any{"active": active})
		path := "/notifications/" + n["id"].(string)
		if got := s.call(t, http.MethodPut, path, input(nil)).object(t, 200)["active"]; got != active {
			t.Errorf("it was %v and is %v", active, got)
		}
		if got := s.call(t, http.MethodPut, path, input(map[string]any{"active": !active})).object(t, 200)["active"]; got == active {
			t.Errorf("it stays %v", got)
		}
	}
}

func TestNullIsTakenAsAbsent(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	body := input(nil)
	for _, name := range []string{"html_message", "date_field", "alert_days", "active", "id", "created_at"} {
		body[name] = nil
	}
	n := s.call(t, http.MethodPost, "/notifications", body).object(t, http.StatusCreated)
	if n["active"] != true || n["html_message"] != "" || n["alert_days"] != nil {
		t.Errorf("created: %v", n)
	}
}

func TestEverythingThatIsWrongWithANotificationIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	stored := created(t, s, nil)
	tests := map[string]struct {
		body   map[string]any
		fields []string
	}{
		"nothing at all":      {map[string]any{}, []string{"channel", "model", "trigger", "message", "recipients"}},
		"an unknown model":    {input(map[string]any{"model": "nothing"}), []string{"model"}},
		"an unknown channel":  {input(map[string]any{"channel": "fax"}), []string{"channel"}},
		"a missing field":     {input(map[string]any{"value_change_field": nil}), []string{"value_change_field"}},
		"a mistyped field":    {input(map[string]any{"message": "{{ doc.nummber }}"}), []string{"message"}},
		"a broken condition":  {input(map[string]any{"conditions": "doc.status ="}), []string{"conditions"}},
		"negative days":       {input(map[string]any{"alert_days": -1}), []string{"alert_days"}},
		"days beyond bounds":  {input(map[string]any{"alert_days": 1 << 40}), []string{"alert_days"}},
		"a bad address":       {input(map[string]any{"recipients": []any{map[string]any{"address": "ann"}}}), []string{"recipients[0].address"}},
		"a number for email":  {input(map[string]any{"recipients": []any{map[string]any{"document_field": "doc.phone"}}}), []string{"recipients[0].document_field"}},
		"several at the same": {input(map[string]any{"title": "", "conditions": "doc.x == 1"}), []string{"title", "conditions"}},
	}
	for name, test := range tests {
		for method, path := range map[string]string{
			http.MethodPost: "/notifications", http.MethodPut: "/notifications/" + stored["id"].(string),
		} {
			_, fields := s.call(t, method, path, test.body).refusal(t, 422, "invalid")
			for _, field := range test.fields {
				if said, _ := fields[field].(string); said == "" {
					t.Errorf("%s: %s is not named in %v", name, field, fields)
				}
			}
		}
	}
	if n := count(t, s.db, "notify_notification_versions"); n != 1 || s.ruleChanges.Load() != 1 {
		t.Errorf("%d versions are kept, and %d changes were told", n, s.ruleChanges.Load())
	}
}

func TestADuplicateIsACompleteCopyThatIsNotActive(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := serve(t, db, nil)
		original := created(t, s, nil)
		copied := s.call(t, http.MethodPost, "/notifications/"+original["id"].(string)+"/duplicate", nil).object(t, http.StatusCreated)
		if copied["id"] == original["id"] || copied["title"] != "Duplicate - Order {{ doc.number }}" || copied["active"] != false {
			t.Errorf("the copy: %v", copied)
		}
		for _, name := range []string{"message", "channel", "model", "trigger", "value_change_field", "conditions", "recipients"} {
			if fmt.Sprint(copied[name]) != fmt.Sprint(original[name]) {
				t.Errorf("%s is %v, was %v", name, copied[name], original[name])
			}
		}
		if still := s.call(t, http.MethodGet, "/notifications/"+original["id"].(string), nil).object(t, 200); still["active"] != true {
			t.Errorf("the original has changed: %v", still)
		}
	})
}

func TestManyAreActivatedAtOnce(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := serve(t, db, nil)
		on, off := created(t, s, nil), created(t, s, map[string]any{"active": false})
		told := s.ruleChanges.Load()
		ids := map[string]any{"ids": []any{on["id"], off["id"], anID, "none"}}
		steps := []struct {
			path    string
			changed float64
		}{{"activate", 1}, {"activate", 0}, {"deactivate", 2}, {"deactivate", 0}}
		for i, step := range steps {
			if got := s.call(t, http.MethodPost, "/notifications/"+step.path, ids).object(t, 200)["changed"]; got != step.changed {
				t.Errorf("step %d, %s: %v changed, want %v", i, step.path, got, step.changed)
			}
		}
		if got := s.ruleChanges.Load() - told; got != 2 {
			t.Errorf("told of %d changes, want 2", got)
		}
		many := make([]string, 1001)
		for i := range many {
			many[i] = fmt.Sprint(i)
		}
		for _, ids := range []any{[]string{}, many, nil} {
			_, fields := s.call(t, http.MethodPost, "/notifications/activate", map[string]any{"ids": ids}).refusal(t, 422, "invalid")
			if fields["ids"] == nil {
				t.Errorf("ids are not named: %v", fields)
			}
		}
	})
}

func TestNotificationsAreListedByFilterAndPage(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := serve(t, db, nil)
		a := created(t, s, map[string]any{"title": "Alpha"})
		b := created(t, s, map[string]any{"title": "Beta", "active": false, "trigger": "new", "value_change_field": nil})
		c := created(t, s, map[string]any{"title": "Gamma", "model": "customers", "message": "Hello", "conditions": nil,
			"trigger": "delete", "value_change_field": nil, "recipients": []any{map[string]any{"address": "boss@example.com"}}})
		sms := created(t, s, map[string]any{"channel": "sms", "title": "Delta", "recipients": []any{map[string]any{"document_field": "doc.phone"}}})
		tests := map[string][]any{
			"":                                 {sms["id"], c["id"], b["id"], a["id"]},
			"?active=true":                     {sms["id"], c["id"], a["id"]},
			"?active=false":                    {b["id"]},
			"?channel=sms":                     {sms["id"]},
			"?trigger=new":                     {b["id"]},
			"?model=customers":                 {c["id"]},
			"?model=none":                      {},
			"?search=BOSS%40":                  {c["id"]},
			"?search=alp":                      {a["id"]},
			"?search=":                         {sms["id"], c["id"], b["id"], a["id"]},
			"?channel=email&active=true":       {c["id"], a["id"]},
			"?limit=500&cursor=" + id(b["id"]): {a["id"]},
		}
		for query, want := range tests {
			items, next := s.call(t, http.MethodGet, "/notifications"+query, nil).items(t)
			got := []any{}
			for _, item := range items {
				got = append(got, item["id"])
			}
			if fmt.Sprint(got) != fmt.Sprint(want) || next != "" {
				t.Errorf("%s: %v, want %v; next %q", query, got, want, next)
			}
		}
		items, next := s.call(t, http.MethodGet, "/notifications?limit=3", nil).items(t)
		if len(items) != 3 || next == "" {
			t.Fatalf("%d items, next %q", len(items), next)
		}
		rest, next := s.call(t, http.MethodGet, "/notifications?limit=3&cursor="+next, nil).items(t)
		if len(rest) != 1 || rest[0]["id"] != a["id"] || next != "" {
			t.Errorf("then %v, next %q", rest, next)
		}
	})
}

func id(value any) string { return value.(string) }

func TestARuleSwitchesItsChannelInOneSave(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	n := created(t, s, nil)
	sms := input(map[string]any{"channel": "sms", "recipients": []any{map[string]any{"address": "+12025550123"}}})
	if changed := s.call(t, http.MethodPut, "/notifications/"+id(n["id"]), sms).object(t, 200); changed["channel"] != "sms" {
		t.Errorf("it is %v", changed)
	}
}

func TestValueChangeAndDateRulesAreMadeLikeAnyOther(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	for _, change := range []map[string]any{
		{"trigger": "value_change", "value_change_field": "status", "value_change_to": "APPROVED"},
		{"trigger": "days_before", "value_change_field": nil, "date_field": "due_on", "alert_days": 3, "alert_time": "09:00", "time_zone": "Europe/Berlin"},
		{"trigger": "days_after", "value_change_field": nil, "date_field": "due_on", "alert_days": 0},
	} {
		if n := created(t, s, change); n["trigger"] != change["trigger"] || len(n["problems"].(map[string]any)) > 0 {
			t.Errorf("made %v", n)
		}
	}
}
