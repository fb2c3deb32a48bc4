package api_test

import (
	"fmt"
	"net/http"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestEveryStateOfANotificationIsKept(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := serve(t, db, nil)
		n := created(t, s, nil)
		path := "/notifications/" + id(n["id"])
		s.call(t, http.MethodPut, path, input(map[string]any{"title": "Order", "priority": 2})).object(t, 200)
		s.call(t, http.MethodPost, "/notifications/deactivate", map[string]any{"ids": []any{n["id"]}}).object(t, 200)
		s.call(t, http.MethodDelete, path, nil)
		versions, next := s.call(t, http.MethodGet, path+"/versions", nil).items(t)
		want := []string{"4 deleted []", "3 deactivated [active]", "2 changed [priority title]", "1 created []"}
		if len(versions) != len(want) || next != "" {
			t.Fatalf("versions %v, next %q", versions, next)
		}
		for i, v := range versions {
			fields := []any{}
			for _, change := range v["changes"].([]any) {
				fields = append(fields, change.(map[string]any)["field"])
			}
			if got := fmt.Sprint(v["version"], " ", v["change"], " ", fields); got != want[i] || v["changed_by"] == "" {
				t.Errorf("version %s by %q, want %s", got, v["changed_by"], want[i])
			}
		}
		page, next := s.call(t, http.MethodGet, path+"/versions?limit=2", nil).items(t)
		rest, _ := s.call(t, http.MethodGet, path+"/versions?limit=5&cursor="+next, nil).items(t)
		if len(page) != 2 || len(rest) != 2 || fmt.Sprint(page[1]["changes"]) != fmt.Sprint(versions[1]["changes"]) {
			t.Errorf("pages of %d and %d, the first: %v", len(page), len(rest), page)
		}
		s.call(t, http.MethodGet, path+"/versions?cursor=x", nil).refusal(t, 400, "invalid_query")
		s.call(t, http.MethodGet, "/notifications/"+anID+"/versions", nil).refusal(t, 404, "not_found")
	})
}
