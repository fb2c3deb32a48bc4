package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/web/api"
)

// rows is a table of orders with one row.
type rows struct{}

func (rows) Row(_ context.Context, m *rule.Model, key string) (json.RawMessage, error) {
	switch {
	case m.Name != "orders":
		return nil, errors.New("no such table")
	case key != "7":
		return nil, store.ErrNotFound
	}
	return json.Marshal(row("APPROVED"))
}

func TestAPreviewShowsEveryStepAndSendsNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	n := input(map[string]any{
		"html_message": "<b>{{ doc.number }}</b>", "conditions": "doc.amount > 100\n\ndoc.status == \"APPROVED\"",
		"recipients": []any{
			map[string]any{"address": "ann@example.com"}, map[string]any{"document_field": "doc.billing_email"},
			map[string]any{"document_field": "old_doc.billing_email"}, map[string]any{"document_field": "doc.number"},
		},
	})
	before := row("NEW")
	before["billing_email"] = ""
	p := s.call(t, http.MethodPost, "/notifications/preview",
		map[string]any{"notification": n, "doc": row("APPROVED"), "old_doc": before}).object(t, 200)
	if p["sends"] != true || p["subject"] != "Order A-7" || p["text"] != "It is APPROVED." || p["html"] != "<b>A-7</b>" {
		t.Errorf("the preview is %v", p)
	}
	conditions := p["conditions"].([]any)
	want := []string{"1 doc.amount > 100 false", `3 doc.status == "APPROVED" true`}
	for i, c := range conditions {
		line := c.(map[string]any)
		if got := fmt.Sprint(line["line"], " ", line["text"], " ", line["result"]); got != want[i] {
			t.Errorf("condition %q, want %q", got, want[i])
		}
	}
	wanted := []string{
		"ann@example.com|direct|", "ann@example.com|doc.billing_email|duplicate", "|old_doc.billing_email|empty", "A-7|doc.number|invalid",
	}
	for i, r := range p["recipients"].([]any) {
		recipient := r.(map[string]any)
		if got := fmt.Sprintf("%v|%v|%v", recipient["address"], recipient["from"], recipient["problem"]); got != wanted[i] {
			t.Errorf("recipient %q, want %q", got, wanted[i])
		}
		if (recipient["problem"] == "") != (recipient["detail"] == "") {
			t.Errorf("the problem is not explained: %v", recipient)
		}
	}
	if written := count(t, s.db, "notify_events") + count(t, s.db, "notify_deliveries") + count(t, s.db, "notify_notifications"); written != 0 {
		t.Errorf("%d rows were written", written)
	}
}

func TestAPreviewSaysWhyNothingWouldBeSent(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	tests := map[string]struct {
		changes     map[string]any
		doc, oldDoc any
		says        string
	}{
		"condition false": {nil, row("CLOSED"), row("NEW"), "line 1"},
		"value unchanged": {map[string]any{"conditions": nil}, row("NEW"), row("NEW"), "status did not change"},
		"nobody to tell": {map[string]any{"conditions": nil,
			"recipients": []any{map[string]any{"document_field": "doc.number"}}}, row("NEW"), row("OLD"), "recipient"},
		"SMS too long": {map[string]any{"conditions": nil, "channel": "sms", "message": "{{ doc.number }}",
			"recipients": []any{map[string]any{"address": "+12025550123"}}},
			func() any { r := row("NEW"); r["number"] = fmt.Sprintf("%02000d", 1); return r }(), row("OLD"), "rendered"},
	}
	for name, test := range tests {
		p := s.call(t, http.MethodPost, "/notifications/preview",
			map[string]any{"notification": input(test.changes), "doc": test.doc, "old_doc": test.oldDoc}).object(t, 200)
		if p["sends"] != false {
			t.Errorf("%s: it would send: %v", name, p)
		}
		contains(t, name, p["reason"].(string), test.says)
	}
}

func TestAPreviewOfARowTakesTheChangeForGranted(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), func(c *api.Config) { c.Rows = rows{} })
	for _, changes := range []map[string]any{
		{}, {"trigger": "new", "value_change_field": nil}, {"trigger": "update", "value_change_field": nil},
		{"trigger": "delete", "value_change_field": nil}, {"active": false},
	} {
		n := created(t, s, changes)
		for _, body := range []map[string]any{
			{"notification_id": n["id"], "model": "orders", "key": "7"}, {"notification_id": n["id"], "key": "7"},
			{"notification_id": n["id"], "doc": row("APPROVED")},
		} {
			p := s.call(t, http.MethodPost, "/notifications/preview", body).object(t, 200)
			if p["sends"] != true || p["text"] != "It is APPROVED." {
				t.Errorf("%v, %v: %v", changes, body, p)
			}
		}
	}
}

func TestAPreviewThatIsNotRightIsRefusedByField(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), func(c *api.Config) { c.Rows = rows{} })
	n := created(t, s, nil)
	wrong := row("NEW")
	wrong["amount"] = "much"
	tests := map[string]struct {
		body   map[string]any
		fields []string
	}{
		"nothing":                 {map[string]any{}, []string{"notification", "key"}},
		"two notifications":       {map[string]any{"notification": input(nil), "notification_id": n["id"], "key": "7"}, []string{"notification_id"}},
		"no such notification":    {map[string]any{"notification_id": anID, "key": "7"}, []string{"notification_id"}},
		"no ID":                   {map[string]any{"notification_id": "7", "key": "7"}, []string{"notification_id"}},
		"key and doc":             {map[string]any{"notification_id": n["id"], "key": "7", "doc": row("NEW")}, []string{"key"}},
		"no such row":             {map[string]any{"notification_id": n["id"], "key": "8"}, []string{"key"}},
		"another model":           {map[string]any{"notification_id": n["id"], "model": "customers", "key": "7"}, []string{"model"}},
		"a doc that does not fit": {map[string]any{"notification_id": n["id"], "doc": wrong, "old_doc": wrong}, []string{"doc", "old_doc"}},
		"an invalid notification": {map[string]any{"notification": input(map[string]any{"title": "", "message": nil}), "key": "7"},
			[]string{"notification.title", "notification.message"}},
	}
	for name, test := range tests {
		_, fields := s.call(t, http.MethodPost, "/notifications/preview", test.body).refusal(t, 422, "invalid")
		for _, field := range test.fields {
			if said, _ := fields[field].(string); said == "" {
				t.Errorf("%s: %s is not named in %v", name, field, fields)
			}
		}
	}
	without := serveOn(t, s.db, nil)
	_, fields := without.call(t, http.MethodPost, "/notifications/preview",
		map[string]any{"notification_id": n["id"], "key": "7"}).refusal(t, 422, "invalid")
	contains(t, "key", fmt.Sprint(fields["key"]), "doc")
}
