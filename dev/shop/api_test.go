package shop

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/testdb"
)

// full is a body with every field of each model, in the form in which the shop gives it back.
var full = map[string]string{
	"customers": `{"name":"Café <1>","email":"a@example.com","phone":"+12025550150"}`,
	"suppliers": `{"name":"Mill","email_address":"b@example.com","mobile_number":"+12025550151"}`,
	"employees": `{"name":"Desk","email":"c@example.com","mobile":"+12025550152"}`,
	"orders":    `{"number":"SO-1","status":"APPROVED","amount":"120.50","customer_id":1,"supplier_id":1,"employee_id":1}`,
	"invoices":  `{"number":"INV-1","total":"-0.05","due_date":"2026-01-31","paid":true,"order_id":1}`,
}

func TestEveryModelIsCreatedReadReplacedPatchedAndDeletedByJSON(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := newStand(t, db)
		for _, m := range models {
			path := "/demo/api/" + m.name
			if got := s.json(http.MethodGet, path, ""); got.body != `{"items":[],"next":""}`+"\n" {
				t.Errorf("an empty list of %s is %s", m.name, got.body)
			}
			created := s.json(http.MethodPost, path, full[m.name])
			row := s.object(created, http.StatusCreated)
			if row["id"] != 1.0 || created.header.Get("Location") != path+"/1" {
				t.Errorf("created %v at %q", row, created.header.Get("Location"))
			}
			for name, want := range s.object(answer{status: 200, body: full[m.name]}, 200) {
				if row[name] != want {
					t.Errorf("%s.%s is %v, want %v", m.name, name, row[name], want)
				}
			}
			if got := s.json(http.MethodGet, path+"/1", ""); got.body != created.body {
				t.Errorf("a later read gives\n%s and not\n%s", got.body, created.body)
			}
			s.mustContain(s.json(http.MethodGet, path, ""), `{"items":[`+strings.TrimSpace(created.body)+`],"next":""}`)
			// What was got can be sent back whole.
			again := s.object(s.json(http.MethodPut, path+"/1", created.body), http.StatusOK)
			if again["created_at"] != row["created_at"] || len(again) != len(row) {
				t.Errorf("put back: %v, before: %v", again, row)
			}
		}
		for _, m := range slices.Backward(models) {
			path := "/demo/api/" + m.name + "/1"
			if got := s.json(http.MethodDelete, path, ""); got.status != http.StatusNoContent || got.body != "" {
				t.Errorf("delete: %d %s", got.status, got.body)
			}
			s.fields(s.json(http.MethodGet, path, ""), http.StatusNotFound)
			s.fields(s.json(http.MethodDelete, path, ""), http.StatusNotFound)
		}
	})
}

func TestPutReplacesAndPatchChangesOnlyWhatIsGiven(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := newStand(t, db)
		s.object(s.json(http.MethodPost, "/demo/api/customers", full["customers"]), http.StatusCreated)
		s.object(s.json(http.MethodPost, "/demo/api/orders", `{"number":"SO-1","status":"SHIPPED","amount":7,"customer_id":1}`), http.StatusCreated)
		for _, step := range []struct {
			method, body                     string
			number, status, amount, customer any
		}{
			{http.MethodPatch, `{"status":"CLOSED"}`, "SO-1", "CLOSED", "7.00", 1.0},
			{http.MethodPatch, `{}`, "SO-1", "CLOSED", "7.00", 1.0},
			{http.MethodPatch, `{"amount":120.5}`, "SO-1", "CLOSED", "120.50", 1.0},
			{http.MethodPatch, `{"customer_id":null,"number":""}`, "", "CLOSED", "120.50", nil},
			{http.MethodPut, `{"number":"SO-2","customer_id":1}`, "SO-2", "NEW", "0.00", 1.0},
			{http.MethodPut, `{}`, "", "NEW", "0.00", nil},
		} {
			row := s.object(s.json(step.method, "/demo/api/orders/1", step.body), http.StatusOK)
			stored := s.object(s.json(http.MethodGet, "/demo/api/orders/1", ""), http.StatusOK)
			if !maps.Equal(row, stored) {
				t.Errorf("%s %s answers %v and stores %v", step.method, step.body, row, stored)
			}
			if row["number"] != step.number || row["status"] != step.status || row["amount"] != step.amount || row["customer_id"] != step.customer {
				t.Errorf("%s %s gives %v", step.method, step.body, row)
			}
		}
	})
}

func TestAmountsAndDatesAreTakenInTheirFormsAndKeptExactly(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := newStand(t, db)
		for _, c := range []struct{ field, given, want string }{
			{"total", `120.5`, "120.50"}, {"total", `"120.50"`, "120.50"}, {"total", `120`, "120.00"},
			{"total", `"-0.01"`, "-0.01"}, {"total", `1.2e3`, "1200.00"}, {"total", `"0.290"`, "0.29"},
			{"total", `9999999999.99`, "9999999999.99"}, {"total", `-9999999999.99`, "-9999999999.99"},
			{"total", `4503599627.37`, "4503599627.37"},
			{"due_date", `"2024-02-29"`, "2024-02-29"}, {"due_date", `"2026-01-31T23:30:00-05:00"`, "2026-01-31"},
			{"due_date", `"2026-01-31T00:30:00.5+05:00"`, "2026-01-31"}, {"due_date", `"0001-01-01"`, "0001-01-01"},
		} {
			row := s.object(s.json(http.MethodPost, "/demo/api/invoices", `{"`+c.field+`":`+c.given+`}`), http.StatusCreated)
			stored := s.object(s.json(http.MethodGet, fmt.Sprintf("/demo/api/invoices/%v", row["id"]), ""), http.StatusOK)
			if row[c.field] != c.want || stored[c.field] != c.want {
				t.Errorf("%s %s is answered as %v and stored as %v, want %s", c.field, c.given, row[c.field], stored[c.field], c.want)
			}
		}
		var sum string
		if err := db.Raw("SELECT CAST(COUNT(*) AS text) FROM invoices WHERE total > 100 AND total < 1000.5").Scan(&sum).Error; err != nil || sum != "3" {
			t.Errorf("the database finds %s amounts between 100 and 1000.5, want 3 (%v)", sum, err)
		}
	})
}

func TestTimesAreInUTCAndAChangeMovesOnlyUpdatedAt(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := newStand(t, db)
		before := s.object(s.json(http.MethodPost, "/demo/api/customers", `{"name":"A"}`), http.StatusCreated)
		after := s.object(s.json(http.MethodPatch, "/demo/api/customers/1", `{"name":"B"}`), http.StatusOK)
		created, err := time.Parse(time.RFC3339, before["created_at"].(string))
		if err != nil || !strings.HasSuffix(before["created_at"].(string), "Z") || time.Since(created) > time.Minute {
			t.Errorf("created_at is %v (%v)", before["created_at"], err)
		}
		if after["created_at"] != before["created_at"] || after["updated_at"] == before["updated_at"] {
			t.Errorf("before %v, after %v", before, after)
		}
	})
}

func TestAListGoesOnWhereThePartBeforeEnded(t *testing.T) {
	t.Parallel()
	s := newStand(t, testdb.SQLite(t))
	for i := range 5 {
		s.object(s.json(http.MethodPost, "/demo/api/customers", fmt.Sprintf(`{"name":"C%d"}`, i)), http.StatusCreated)
	}
	var seen []any
	next := ""
	for range 3 {
		part := s.object(s.json(http.MethodGet, "/demo/api/customers?limit=2&cursor="+next, ""), http.StatusOK)
		for _, item := range part["items"].([]any) {
			seen = append(seen, item.(map[string]any)["name"])
		}
		next = part["next"].(string)
	}
	if want := []any{"C4", "C3", "C2", "C1", "C0"}; !slices.Equal(seen, want) || next != "" {
		t.Errorf("seen %v, then %q", seen, next)
	}
}

func TestBadInputNamesTheField(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := newStand(t, db)
		s.object(s.json(http.MethodPost, "/demo/api/orders", `{}`), http.StatusCreated)
		for _, c := range []struct {
			model, body string
			fields      []string
		}{
			{"customers", `{"nmae":"A"}`, []string{"nmae"}},
			{"customers", `{"Name":"A"}`, []string{"Name"}},
			{"customers", `{"name":"A","name":"B"}`, []string{"name"}},
			{"customers", `{"name":1,"email":false,"phone":null}`, []string{"email", "name", "phone"}},
			{"customers", `{"name":{"a":1}}`, []string{"name"}},
			{"customers", `{"name":"a\u0000b"}`, []string{"name"}},
			{"customers", `{"name":"` + strings.Repeat("a", textLimit+1) + `"}`, []string{"name"}},
			{"orders", `{"status":" "}`, []string{"status"}},
			{"orders", `{"amount":"much"}`, []string{"amount"}},
			{"orders", `{"amount":""}`, []string{"amount"}},
			{"orders", `{"amount":null}`, []string{"amount"}},
			{"orders", `{"amount":true}`, []string{"amount"}},
			{"orders", `{"amount":[1]}`, []string{"amount"}},
			{"orders", `{"amount":1.005}`, []string{"amount"}},
			{"orders", `{"amount":10000000000}`, []string{"amount"}},
			{"orders", `{"amount":1e99}`, []string{"amount"}},
			{"orders", `{"amount":1e999999999}`, []string{"amount"}},
			{"orders", `{"amount":"0x10"}`, []string{"amount"}},
			{"orders", `{"amount":"1/2"}`, []string{"amount"}},
			{"orders", `{"customer_id":"1"}`, []string{"customer_id"}},
			{"orders", `{"customer_id":1.5}`, []string{"customer_id"}},
			{"orders", `{"customer_id":99999999999999999999}`, []string{"customer_id"}},
			{"orders", `{"customer_id":77,"supplier_id":-1,"employee_id":0}`, []string{"customer_id", "employee_id", "supplier_id"}},
			{"invoices", `{"order_id":77}`, []string{"order_id"}},
			{"invoices", `{"due_date":"31.01.2026"}`, []string{"due_date"}},
			{"invoices", `{"due_date":"2026-02-30"}`, []string{"due_date"}},
			{"invoices", `{"due_date":20260131}`, []string{"due_date"}},
			{"invoices", `{"due_date":""}`, []string{"due_date"}},
			{"invoices", `{"paid":"true","total":"x"}`, []string{"paid", "total"}},
			{"invoices", `{"paid":null}`, []string{"paid"}},
		} {
			fields := s.fields(s.json(http.MethodPost, "/demo/api/"+c.model, c.body), http.StatusUnprocessableEntity)
			if got := slices.Sorted(maps.Keys(fields)); !slices.Equal(got, c.fields) {
				t.Errorf("POST %s %.80s names %v, want %v", c.model, c.body, got, c.fields)
			}
		}
		for _, body := range []string{`{"id":2}`, `{"id":"1"}`, `{"customer_id":77}`} {
			for _, method := range []string{http.MethodPut, http.MethodPatch} {
				if fields := s.fields(s.json(method, "/demo/api/orders/1", body), http.StatusUnprocessableEntity); len(fields) != 1 {
					t.Errorf("%s %s names %v", method, body, fields)
				}
			}
		}
		s.fields(s.json(http.MethodPost, "/demo/api/orders", `{"id":7,"created_at":"2026-01-31T00:00:00Z"}`), http.StatusUnprocessableEntity)
		for _, m := range models {
			want := map[string]int{"orders": 1}[m.name]
			if items := s.object(s.json(http.MethodGet, "/demo/api/"+m.name, ""), http.StatusOK)["items"].([]any); len(items) != want {
				t.Errorf("refused input left %d %s, want %d", len(items), m.name, want)
			}
		}
	})
}

func TestRequestsThatCannotBeUnderstoodAreRefused(t *testing.T) {
	t.Parallel()
	s := newStand(t, testdb.SQLite(t))
	s.object(s.json(http.MethodPost, "/demo/api/customers", `{"name":"A"}`), http.StatusCreated)
	for _, c := range []struct {
		method, path, body string
		status             int
		headers            []string
	}{
		{"POST", "/demo/api/customers", ``, 400, []string{"Content-Type", jsonType}},
		{"POST", "/demo/api/customers", `{"name":`, 400, []string{"Content-Type", jsonType}},
		{"POST", "/demo/api/customers", `[]`, 400, []string{"Content-Type", jsonType}},
		{"POST", "/demo/api/customers", `null`, 400, []string{"Content-Type", jsonType}},
		{"POST", "/demo/api/customers", `{} {}`, 400, []string{"Content-Type", jsonType}},
		{"POST", "/demo/api/customers", "{\"name\":\"\xff\"}", 400, []string{"Content-Type", jsonType}},
		{"POST", "/demo/api/customers", `{"name":"` + strings.Repeat("a", bodyLimit) + `"}`, 413, []string{"Content-Type", jsonType}},
		{"POST", "/demo/api/customers", `{}`, 415, nil},
		{"POST", "/demo/api/customers", `{}`, 415, []string{"Content-Type", "text/plain"}},
		{"PATCH", "/demo/api/customers/1", `{}`, 415, []string{"Content-Type", formType}},
		{"PUT", "/demo/api/customers/1", `{}`, 415, []string{"Content-Type", "multipart/form-data"}},
		{"GET", "/demo/api", ``, 404, nil},
		{"GET", "/demo/api/users", ``, 404, nil},
		{"POST", "/demo/api/users", `{}`, 404, []string{"Content-Type", jsonType}},
		{"GET", "/demo/api/customers/2", ``, 404, nil},
		{"GET", "/demo/api/customers/x", ``, 404, nil},
		{"GET", "/demo/api/customers/0", ``, 404, nil},
		{"GET", "/demo/api/customers/99999999999999999999", ``, 404, nil},
		{"PATCH", "/demo/api/customers/2", `{}`, 404, []string{"Content-Type", jsonType}},
		{"PUT", "/demo/api/customers/2", `{}`, 404, []string{"Content-Type", jsonType}},
		{"GET", "/demo/api/customers?limit=0", ``, 400, nil},
		{"GET", "/demo/api/customers?limit=many", ``, 400, nil},
		{"GET", "/demo/api/customers?cursor=x", ``, 400, nil},
		{"GET", "/demo/api/customers?email=a", ``, 400, nil},
		{"GET", "/demo/api/customers?%zz", ``, 400, nil},
		{"GET", "/demo/api/customers", ``, 403, []string{"Sec-Fetch-Site", "cross-site"}},
		{"POST", "/demo/api/customers", `{}`, 403, []string{"Content-Type", jsonType, "Sec-Fetch-Site", "cross-site"}},
		{"POST", "/demo/api/customers", `{}`, 403, []string{"Content-Type", jsonType, "Origin", "https://evil.example"}},
		{"DELETE", "/demo/api/customers/1", ``, 403, []string{"Sec-Fetch-Site", "cross-site"}},
	} {
		got := s.send(c.method, c.path, c.body, c.headers...)
		if got.status != c.status {
			t.Errorf("%s %s %.40s gives %d, want %d: %s", c.method, c.path, c.body, got.status, c.status, got.body)
			continue
		}
		s.fields(got, c.status)
	}
	if got := s.send("POST", "/demo/api/customers", `{}`, "Content-Type", jsonType+"; charset=utf-8", "Sec-Fetch-Site", "same-origin"); got.status != http.StatusCreated {
		t.Errorf("the shop's own page gets %d %s", got.status, got.body)
	}
}
