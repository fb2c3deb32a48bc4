package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestModelsAreListedWithWhatARuleCanName(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := serve(t, db, nil)
		items, next := s.call(t, http.MethodGet, "/models", nil).items(t)
		if len(items) != 2 || items[0]["name"] != "customers" || items[1]["name"] != "orders" || next != "" {
			t.Fatalf("models: %v, next %q", items, next)
		}
		one := s.call(t, http.MethodGet, "/models/orders", nil).object(t, 200)
		if fmt.Sprint(one) != fmt.Sprint(items[1]) {
			t.Errorf("alone %v, in the list %v", one, items[1])
		}
		if fmt.Sprint(one["date_fields"]) != "[due_on placed_at]" || len(one["fields"].([]any)) != 9 || len(one["relations"].([]any)) != 1 {
			t.Errorf("orders: %v", one)
		}
	})
}

func TestModelsArePaged(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	if err := catalog.Save(t.Context(), s.db, &rule.Model{Name: "bare", PrimaryKey: []string{"id"}}); err != nil {
		t.Fatal(err)
	}
	first, next := s.call(t, http.MethodGet, "/models?limit=2", nil).items(t)
	if len(first) != 2 || first[0]["name"] != "bare" || next != "customers" {
		t.Fatalf("%v, next %q", first, next)
	}
	second, next := s.call(t, http.MethodGet, "/models?limit=2&cursor="+next, nil).items(t)
	if len(second) != 1 || second[0]["name"] != "orders" || next != "" {
		t.Errorf("%v, next %q", second, next)
	}
}

func TestRecipientsAreSuggestedForTheChannel(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	tests := map[string]string{
		"orders email":    "doc.billing_email|old_doc.billing_email|",
		"orders sms":      "doc.phone|old_doc.phone|",
		"orders whatsapp": "doc.phone|old_doc.phone|",
		"customers email": "doc.email|old_doc.email|",
		"customers sms":   "",
	}
	for of, want := range tests {
		var model, channel string
		if _, err := fmt.Sscan(of, &model, &channel); err != nil {
			t.Fatal(err)
		}
		items, _ := s.call(t, http.MethodGet, "/models/"+model+"/recipients?channel="+channel, nil).items(t)
		own := ""
		for _, item := range items {
			field := id(item["document_field"])
			if item["label"] == "" {
				t.Errorf("%s: %s has no label", of, field)
			}
			created(t, s, map[string]any{"model": model, "channel": channel, "trigger": "update", "title": "x", "message": "x",
				"value_change_field": nil, "conditions": nil, "recipients": []any{map[string]any{"document_field": field}}})
			if !strings.Contains(field, ".customer") && !strings.Contains(field, ".orders") {
				own += field + "|"
			}
		}
		if own != want {
			t.Errorf("%s: %s, want %s", of, own, want)
		}
	}
}
