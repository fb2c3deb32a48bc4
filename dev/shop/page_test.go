package shop

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/testdb"
)

const evil = `<script>alert("1")</script>'`

func (s *stand) page(path string) answer {
	s.t.Helper()
	got := s.send(http.MethodGet, path, "")
	if got.status != http.StatusOK {
		s.t.Fatalf("%s: %d %s", path, got.status, got.body)
	}
	return got
}

func (s *stand) mustRedirect(got answer, to string) {
	s.t.Helper()
	if got.status != http.StatusSeeOther || got.header.Get("Location") != to {
		s.t.Fatalf("%d to %q, want 303 to %q: %s", got.status, got.header.Get("Location"), to, got.body)
	}
}

func TestARowIsAddedEditedAndDeletedByPages(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := newStand(t, db)
		s.mustContain(s.page("/demo/customers"), "No customers yet", `<label for="name">`, `action="/demo/customers"`)

		s.mustRedirect(s.form("/demo/customers", "name", " Corner Café ", "email", "a@example.com", "phone", ""), "/demo/customers?saved=1")
		s.mustContain(s.page("/demo/customers?saved=1"), "Saved customer 1.", `its message arrives in the <a href="/sandbox">inbox</a>`,
			"Corner Café", "a@example.com", `href="/demo/customers/1"`)
		s.mustRedirect(s.form("/demo/orders", "number", "SO-1", "status", "NEW", "amount", "99.90", "customer_id", "1"), "/demo/orders?saved=1")
		s.mustContain(s.page("/demo/orders"), "SO-1", "99.90", `<a href="/demo/customers/1">Corner Café</a>`)

		s.mustContain(s.page("/demo/orders/1"), `value="SO-1"`, `value="99.90"`, `<option value="1" selected>Corner Café (1)</option>`,
			`<option value="APPROVED">`, `<option value="" selected>none</option>`)
		s.mustRedirect(s.form("/demo/orders/1", "status", "APPROVED"), "/demo/orders?saved=1")
		if row := s.object(s.json("GET", "/demo/api/orders/1", ""), 200); row["status"] != "APPROVED" || row["number"] != "SO-1" || row["customer_id"] != 1.0 {
			t.Errorf("after the edit: %v", row)
		}

		s.mustContain(s.page("/demo/customers/1/delete"), "Corner Café", "1 order will be left without its customer.")
		s.mustRedirect(s.form("/demo/customers/1/delete"), "/demo/customers?deleted=1")
		s.mustContain(s.page("/demo/customers?deleted=1"), "Deleted customer 1.", "No customers yet")
	})
}

func TestABoxThatIsNotCheckedIsFalse(t *testing.T) {
	t.Parallel()
	s := newStand(t, testdb.SQLite(t))
	s.mustRedirect(s.form("/demo/invoices", "number", "1", "total", "1", "due_date", "2026-01-31", "paid", "true"), "/demo/invoices?saved=1")
	s.mustContain(s.page("/demo/invoices"), "2026-01-31", "Yes")
	s.mustContain(s.page("/demo/invoices/1"), `value="true" checked`, `type="date" value="2026-01-31"`)
	s.mustRedirect(s.form("/demo/invoices/1", "number", "1", "total", "1", "due_date", ""), "/demo/invoices?saved=1")
	if row := s.object(s.json("GET", "/demo/api/invoices/1", ""), 200); row["paid"] != false || row["due_date"] != nil {
		t.Errorf("after the edit: %v", row)
	}
}

func TestAWrongFormComesBackWithItsValuesAndTheProblemsAtTheirFields(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := newStand(t, db)
		s.object(s.json("POST", "/demo/api/orders", `{"number":"kept"}`), 201)
		for _, path := range []string{"/demo/orders", "/demo/orders/1"} {
			got := s.form(path, "number", "SO-7", "status", "", "amount", "much", "customer_id", "77", "supplier_id", "x")
			if got.status != http.StatusUnprocessableEntity {
				t.Fatalf("%s: %d %s", path, got.status, got.body)
			}
			s.mustContain(got, "3 fields need another look", `value="SO-7"`, `value="much" autocomplete="off" inputmode="decimal" required aria-invalid="true" aria-describedby="amount-problem"`,
				`<p class="wrong" id="amount-problem">must be an amount such as 120.50</p>`, `<p class="wrong" id="status-problem">must not be blank</p>`,
				`<p class="wrong" id="supplier_id-problem">must be one of the suppliers</p>`, `<option value="77" selected>no. 77</option>`)
			if n := strings.Count(got.body, " autofocus"); n != 1 {
				t.Errorf("%d fields want the keyboard", n)
			}
			got = s.form(path, "number", "SO-7", "status", "NEW", "amount", "1", "customer_id", "77")
			s.mustContain(got, "one field needs another look", `<p class="wrong" id="customer_id-problem">there is no such row in customers</p>`)
		}
		if row := s.object(s.json("GET", "/demo/api/orders", ""), 200); len(row["items"].([]any)) != 1 || row["items"].([]any)[0].(map[string]any)["number"] != "kept" {
			t.Errorf("a wrong form changed something: %v", row)
		}
		s.mustContain(s.form("/demo/customers", "name", "  "), `<p class="wrong" id="name-problem">must not be blank</p>`)
	})
}

func TestPagesEscapeWhatRowsHold(t *testing.T) {
	t.Parallel()
	s := newStand(t, testdb.SQLite(t))
	s.mustRedirect(s.form("/demo/customers", "name", evil, "email", evil), "/demo/customers?saved=1")
	s.mustRedirect(s.form("/demo/orders", "number", evil, "status", evil, "amount", "1", "customer_id", "1"), "/demo/orders?saved=1")
	for _, path := range []string{"/demo/customers", "/demo/customers/1", "/demo/customers/1/delete", "/demo/orders", "/demo/orders/1"} {
		got := s.page(path)
		s.mustContain(got, "&lt;script&gt;")
		s.mustNotContain(got, "<script")
	}
	s.mustNotContain(s.form("/demo/orders", "number", evil, "amount", evil, "customer_id", evil), "<script")
	s.mustNotContain(s.page("/demo/customers?saved="+evil), "<script", "Saved")
}

func TestTheStartPageCountsTheRowsAndLeadsOn(t *testing.T) {
	t.Parallel()
	s := newStand(t, testdb.SQLite(t))
	s.object(s.json("POST", "/demo/api/customers", `{}`), 201)
	got := s.page("/demo")
	s.mustContain(got, "1 row<", "0 rows<", `href="/sandbox"`, `href="/"`)
	for _, m := range models {
		s.mustContain(got, `href="/demo/`+m.name+`"`)
	}
}

func TestALongListHasOlderPages(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	s := newStand(t, db)
	rows := make([]Customer, pageLength+1)
	if err := db.Create(&rows).Error; err != nil {
		t.Fatal(err)
	}
	first := s.page("/demo/customers")
	s.mustContain(first, `href="/demo/customers?cursor=2"`, "no. 51")
	s.mustNotContain(first, `href="/demo/customers/1"`)
	older := s.page("/demo/customers?cursor=2")
	s.mustContain(older, `href="/demo/customers/1"`, ">Newest</a>")
	s.mustContain(s.page("/demo/customers?cursor=1"), "No older customers")
}

func TestPagesThatAreNotThereSayWhereToGo(t *testing.T) {
	t.Parallel()
	s := newStand(t, testdb.SQLite(t))
	for _, path := range []string{"/demo/users", "/demo/customers/1", "/demo/customers/x", "/demo/customers/1/delete"} {
		got := s.send(http.MethodGet, path, "")
		if got.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.status)
		}
		s.mustContain(got, `href="/demo"`, "That did not work")
	}
	if got := s.form("/demo/customers/1", "name", "A"); got.status != http.StatusNotFound {
		t.Errorf("edit of nothing: %d", got.status)
	}
	if got := s.form("/demo/customers/1/delete"); got.status != http.StatusNotFound {
		t.Errorf("delete of nothing: %d", got.status)
	}
}

func TestFormsOfAnotherSiteAreRefused(t *testing.T) {
	t.Parallel()
	s := newStand(t, testdb.SQLite(t))
	s.object(s.json("POST", "/demo/api/customers", `{}`), 201)
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"},
	} {
		for _, path := range []string{"/demo/customers", "/demo/customers/1", "/demo/customers/1/delete"} {
			got := s.send(http.MethodPost, path, "name=B", append(headers, "Content-Type", formType)...)
			if got.status != http.StatusForbidden {
				t.Errorf("%v %s: %d", headers, path, got.status)
			}
		}
	}
	if got := s.send(http.MethodPost, "/demo/customers/1", "name=B", "Content-Type", "text/plain"); got.status != http.StatusUnsupportedMediaType {
		t.Errorf("a form as text: %d", got.status)
	}
	if row := s.object(s.json("GET", "/demo/api/customers/1", ""), 200); row["name"] != "" {
		t.Errorf("another site changed %v", row)
	}
	own := s.send(http.MethodPost, "/demo/customers/1", "name=B", "Content-Type", formType, "Origin", s.url)
	s.mustRedirect(own, "/demo/customers?saved=1")
	if got := s.send(http.MethodGet, "/demo/customers", "", "Sec-Fetch-Site", "cross-site"); got.status != http.StatusOK {
		t.Errorf("a link from another site: %d", got.status)
	}
}

func TestPagesRunAndLoadOnlyWhatIsTheirOwn(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	s := newStand(t, db)
	if err := Seed(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	inline := regexp.MustCompile(`(?i)<style|<script|\sstyle=|\son[a-z]+=|https?://`)
	for _, path := range []string{"/demo", "/demo/orders", "/demo/orders/1", "/demo/orders/1/delete", "/demo/invoices"} {
		got := s.page(path)
		if found := inline.FindString(got.body); found != "" {
			t.Errorf("%s holds %q", path, found)
		}
		if policy := got.header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'self'") {
			t.Errorf("%s: policy %q", path, policy)
		}
		for _, m := range regexp.MustCompile(`(?:href|src)="(/demo/static/[^"]+)"`).FindAllStringSubmatch(got.body, -1) {
			if file := s.page(m[1]); len(file.body) == 0 || file.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: %v", m[1], file.header)
			}
		}
		for _, m := range regexp.MustCompile(`<(?:input|select) id="([^"]+)"`).FindAllStringSubmatch(got.body, -1) {
			s.mustContain(got, `<label for="`+m[1]+`">`)
		}
	}
}
