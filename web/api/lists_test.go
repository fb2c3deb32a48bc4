package api_test

import (
	"net/http"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/testdb"
)

func aList(name string) map[string]any {
	return map[string]any{"name": name, "entries": []any{map[string]any{"name": "Ann", "email": "ann@example.com", "locale": "de"}}}
}

func TestAListIsCreatedReadReplacedAndDeleted(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := serve(t, db, nil)
		made := s.call(t, http.MethodPost, "/lists", aList(" On call ")).object(t, 201)
		path := "/lists/" + id(made["id"])
		if made["name"] != "On call" || len(made["entries"].([]any)) != 1 {
			t.Errorf("made %v", made)
		}
		_, fields := s.call(t, http.MethodPost, "/lists", aList("On call")).refusal(t, 422, "invalid")
		contains(t, "the name's message", fields["name"].(string), "another list")
		if l := s.call(t, http.MethodPut, path, map[string]any{"name": "Nobody"}).object(t, 200); len(l["entries"].([]any)) != 0 {
			t.Errorf("replaced %v", l)
		}
		if l := s.call(t, http.MethodGet, path, nil).object(t, 200); l["name"] != "Nobody" {
			t.Errorf("read %v", l)
		}
		if lists, _ := s.call(t, http.MethodGet, "/lists", nil).items(t); len(lists) != 1 {
			t.Errorf("listed %v", lists)
		}
		if r := s.call(t, http.MethodDelete, path, nil); r.status != 204 {
			t.Errorf("status %d", r.status)
		}
		s.call(t, http.MethodGet, path, nil).refusal(t, 404, "not_found")
		s.call(t, http.MethodDelete, path, nil).refusal(t, 404, "not_found")
		s.call(t, http.MethodPut, path, aList("x")).refusal(t, 404, "not_found")
		s.call(t, http.MethodPost, "/lists", map[string]any{"name": strings.Repeat("x", 256)}).refusal(t, 422, "invalid")
		s.call(t, http.MethodPost, "/lists", map[string]any{"name": " "}).refusal(t, 422, "invalid")
	})
}
