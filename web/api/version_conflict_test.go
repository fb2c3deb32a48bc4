package api_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestAChangeOnTopOfAnOlderVersionIsRefusedWhenTheClientAsksForThat(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	created := s.call(t, http.MethodPost, "/notifications", input(nil))
	path := "/notifications/" + created.object(t, 201)["id"].(string)
	if created.header.Get("ETag") != `"1"` {
		t.Errorf("the version is %s", created.header.Get("ETag"))
	}
	put := func(match, title string) reply {
		body, err := json.Marshal(input(map[string]any{"title": title}))
		if err != nil {
			t.Fatal(err)
		}
		header := http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}}
		if match != "" {
			header.Set("If-Match", match)
		}
		return s.send(t, http.MethodPut, path, body, header)
	}
	if r := put(`"1"`, "first"); r.object(t, 200)["version"] != 2.0 || r.header.Get("ETag") != `"2"` {
		t.Errorf("the version is %s", r.header.Get("ETag"))
	}
	put(`"1"`, "late").refusal(t, 412, "version_conflict")
	put("old", "late").refusal(t, 400, "invalid_header")
	put("*", "any").object(t, 200)
	put("", "as ever").object(t, 200)
	if n := s.call(t, http.MethodGet, path, nil).object(t, 200); n["title"] != "as ever" || n["version"] != 4.0 {
		t.Errorf("it has become %v in version %v", n["title"], n["version"])
	}
}
