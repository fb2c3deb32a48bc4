package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// stored reads an event from the database.
func stored(t *testing.T, db *gorm.DB, id any) *outbox.Event {
	t.Helper()
	e, err := store.Events{DB: db}.Get(t.Context(), id.(string))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func change(changes map[string]any) map[string]any {
	e := map[string]any{"model": "orders", "action": "update", "key": "7", "doc": row("APPROVED"), "old_doc": row("NEW")}
	maps.Copy(e, changes)
	return e
}

func TestAReportedChangeBecomesAnEventUnderTheRulesInForce(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := serve(t, db, nil)
		created(t, s, nil)
		revision, err := store.Notifications{DB: db}.Revision(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, body := range []map[string]any{
			change(nil), change(map[string]any{"action": "create", "old_doc": nil}), change(map[string]any{"action": "delete", "doc": nil}),
			change(map[string]any{"key": strings.Repeat("ä", 255), "idempotency_key": ""}), change(map[string]any{"model": "customers"}),
		} {
			nudged := s.nudges.Load()
			e := stored(t, db, s.call(t, http.MethodPost, "/events", body).object(t, 202)["id"])
			if e.Model != body["model"] || e.Key != body["key"] || string(e.Action) != body["action"] || e.Source != outbox.FromAPI ||
				e.Status != outbox.Pending || e.Revision != revision || e.IdempotencyKey != nil {
				t.Errorf("the event of %v is %+v", body, e)
			}
			if got, want := string(mustJSON(t, e.Doc)), string(mustJSON(t, body["doc"])); got != want {
				t.Errorf("doc %s, want %s", got, want)
			}
			if got, want := string(mustJSON(t, e.OldDoc)), string(mustJSON(t, body["old_doc"])); got != want {
				t.Errorf("old_doc %s, want %s", got, want)
			}
			if s.nudges.Load() != nudged+1 {
				t.Error("the relay was not nudged")
			}
		}
	})
}

// mustJSON gives the value in one form: decoded and encoded again.
func mustJSON(t *testing.T, value any) []byte {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := json.Unmarshal(data, &plain); err != nil {
		t.Fatal(err)
	}
	data, err = json.Marshal(plain)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestAChangeReportedTwiceUnderOneKeyIsOneEvent(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := serve(t, db, nil)
		const callers = 6
		ids := make([]any, callers)
		var group sync.WaitGroup
		for i := range callers {
			group.Go(func() {
				ids[i] = s.call(t, http.MethodPost, "/events", change(map[string]any{"idempotency_key": "order-7"})).object(t, 202)["id"]
			})
		}
		group.Wait()
		other := s.call(t, http.MethodPost, "/events", change(map[string]any{"idempotency_key": "order-8"})).object(t, 202)["id"]
		for _, id := range ids {
			if id != ids[0] || id == other {
				t.Errorf("the answers are %v, and %v for another key", ids, other)
			}
		}
		if n := count(t, db, "notify_events"); n != 2 {
			t.Errorf("%d events are kept", n)
		}
	})
}

func TestAChangeThatIsNotRightIsRefusedByFieldAndNotKept(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	wrong := row("NEW")
	wrong["amount"] = "much"
	holed := row("NEW")
	holed["number"] = "A\x00"
	tests := map[string]struct {
		body   map[string]any
		fields []string
	}{
		"nothing":                   {map[string]any{}, []string{"model", "action", "key"}},
		"an unknown model":          {change(map[string]any{"model": "nothing"}), []string{"model"}},
		"an action of our own":      {change(map[string]any{"action": "retry"}), []string{"action"}},
		"no key":                    {change(map[string]any{"key": ""}), []string{"key"}},
		"a key that is too long":    {change(map[string]any{"key": strings.Repeat("x", 256)}), []string{"key"}},
		"a long idempotency key":    {change(map[string]any{"idempotency_key": strings.Repeat("x", 256)}), []string{"idempotency_key"}},
		"create without doc":        {change(map[string]any{"action": "create", "doc": nil, "old_doc": nil}), []string{"doc"}},
		"create with old_doc":       {change(map[string]any{"action": "create"}), []string{"old_doc"}},
		"update without old_doc":    {change(map[string]any{"old_doc": nil}), []string{"old_doc"}},
		"update without both":       {change(map[string]any{"doc": nil, "old_doc": nil}), []string{"doc", "old_doc"}},
		"delete without old_doc":    {change(map[string]any{"action": "delete", "doc": nil, "old_doc": nil}), []string{"old_doc"}},
		"delete with doc":           {change(map[string]any{"action": "delete"}), []string{"doc"}},
		"a doc that does not fit":   {change(map[string]any{"doc": wrong}), []string{"doc"}},
		"a doc that is an array":    {change(map[string]any{"doc": []any{}}), []string{"doc"}},
		"an old_doc that is a text": {change(map[string]any{"old_doc": "x"}), []string{"old_doc"}},
		"NUL in a doc":              {change(map[string]any{"doc": holed}), []string{"doc"}},
		"several at once":           {change(map[string]any{"key": "", "doc": wrong, "old_doc": wrong}), []string{"key", "doc", "old_doc"}},
	}
	for name, test := range tests {
		_, fields := s.call(t, http.MethodPost, "/events", test.body).refusal(t, 422, "invalid")
		for _, field := range test.fields {
			if said, _ := fields[field].(string); said == "" || strings.Contains(said, "much") {
				t.Errorf("%s: %s is not named, or shows the value: %v", name, field, fields)
			}
		}
		if len(fields) != len(test.fields) {
			t.Errorf("%s: fields %v, want %v", name, fields, test.fields)
		}
	}
	if count(t, s.db, "notify_events") != 0 || s.nudges.Load() != 0 {
		t.Error("something was kept")
	}
}

func TestAnEventIsShownWithAllThatIsKnownOfIt(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := serve(t, db, nil)
		id := s.call(t, http.MethodPost, "/events", change(nil)).object(t, 202)["id"].(string)
		fresh := s.call(t, http.MethodGet, "/events/"+id, nil).object(t, 200)
		if fresh["status"] != "pending" || fresh["started_at"] != nil || fresh["decisions"] != nil || len(fresh["deliveries"].([]any)) != 0 {
			t.Errorf("at first: %v", fresh)
		}
		now := time.Now().UTC()
		batch, err := outbox.Claim(t.Context(), db, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := outbox.MarkStarted(t.Context(), db, batch, "send/"+id); err != nil {
			t.Fatal(err)
		}
		resolution := outbox.Resolution{EventID: id, Reason: "condition false at line 1",
			Decisions: outbox.Snapshot(`[{"notification_id":"` + anID + `","version":1,"outcome":"condition_false","detail":"line 1","deliveries":0}]`)}
		if err := outbox.ResolveTx(db, "send/"+id, now, resolution); err != nil {
			t.Fatal(err)
		}
		d := delivered(func(d *store.Delivery) { d.EventID = id })
		keep(t, db, d)
		if err := outbox.Settle(t.Context(), db, []string{id}, now); err != nil {
			t.Fatal(err)
		}
		settled := s.call(t, http.MethodGet, "/events/"+id, nil).object(t, 200)
		if settled["status"] != "settled" || settled["reason"] != "condition false at line 1" || settled["workflow_id"] != "send/"+id ||
			settled["settled_at"] == nil || settled["started_at"] == nil {
			t.Errorf("at the end: %v", settled)
		}
		if fmt.Sprint(settled["deliveries"]) != "["+d.ID+"]" || fmt.Sprint(settled["decisions"]) != "[map[deliveries:0 detail:line 1 notification_id:"+anID+" outcome:condition_false since:deleted title: version:1]]" {
			t.Errorf("deliveries %v, decisions %v", settled["deliveries"], settled["decisions"])
		}
		if doc, _ := settled["doc"].(map[string]any); doc["status"] != "APPROVED" || doc["amount"] != "12.50" {
			t.Errorf("doc: %v", settled["doc"])
		}
	})
}

func TestEventsAreListedByFilterAndPageWithoutTheirRows(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := serve(t, db, nil)
		a := s.call(t, http.MethodPost, "/events", change(nil)).object(t, 202)["id"]
		b := s.call(t, http.MethodPost, "/events", change(map[string]any{"action": "create", "old_doc": nil, "key": "8"})).object(t, 202)["id"]
		other := &outbox.Event{Model: "customers", Key: "1", Action: rule.Delete, OldDoc: outbox.Snapshot(`{}`), Source: outbox.FromPlugin, WorkflowID: "send/x"}
		if err := outbox.Append(db, other); err != nil {
			t.Fatal(err)
		}
		if err := outbox.Settle(t.Context(), db, []string{other.ID}, time.Now().UTC()); err != nil {
			t.Fatal(err)
		}
		for query, want := range map[string][]any{
			"":                               {other.ID, b, a},
			"?model=orders":                  {b, a},
			"?key=8":                         {b},
			"?model=orders&key=7":            {a},
			"?action=delete":                 {other.ID},
			"?status=settled":                {other.ID},
			"?status=started":                {},
			"?source=api":                    {b, a},
			"?workflow_id=send/x":            {other.ID},
			"?limit=10&cursor=" + b.(string): {a},
		} {
			items, _ := s.call(t, http.MethodGet, "/events"+query, nil).items(t)
			got := []any{}
			for _, item := range items {
				got = append(got, item["id"])
				if _, there := item["doc"]; there {
					t.Error("a list shows rows")
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: %v, want %v", query, got, want)
			}
		}
		items, next := s.call(t, http.MethodGet, "/events?limit=2", nil).items(t)
		if len(items) != 2 || next != b {
			t.Errorf("%d items, next %s", len(items), next)
		}
	})
}
