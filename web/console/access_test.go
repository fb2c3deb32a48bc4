package console

import (
	"bytes"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/address"
	"github.com/silquetech/silque-notifications/internal/audit"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/web/access"
)

const passphrase = "four words in a row"

// guarded is a console behind the real sign-in.
type guarded struct {
	db     *gorm.DB
	server *httptest.Server
	routes []Route
}

func guard(t *testing.T, db *gorm.DB) *guarded {
	t.Helper()
	behind, err := access.New(access.Options{DB: db, Log: slog.New(slog.DiscardHandler), Tries: access.Tries{OfAccount: 1000, OfAddress: 1000}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = behind.Close(t.Context()) })
	engine := gin.New()
	pages := New(Config{
		DB: db, Access: behind, Addresses: address.Normalizer{DefaultRegion: "US"}, Rows: store.Rows{DB: db},
		WorkflowLink: func(id string) string { return "/" + id }, Log: slog.New(slog.DiscardHandler),
	})
	pages.Register(engine)
	behind.Register(engine)
	engine.NoRoute(pages.NoRoute()...)
	g := &guarded{db: db, server: httptest.NewServer(engine), routes: pages.Routes()}
	t.Cleanup(g.server.Close)
	return g
}

// client is a browser; with a role, one in which somebody with that role is signed in.
func (g *guarded) client(t *testing.T, role account.Role) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if role == "" {
		return client
	}
	users := account.Users{DB: g.db}
	_, secret, err := users.Invite(t.Context(), string(role)+"@example.com", "", role, "test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := users.Welcome(t.Context(), secret, "", passphrase); err != nil {
		t.Fatal(err)
	}
	if code, _ := g.ask(t, client, http.MethodPost, "/sign-in", g.token(t, client, "/sign-in"), "email", string(role)+"@example.com", "password", passphrase); code != http.StatusSeeOther {
		t.Fatalf("sign-in of the %s: %d", role, code)
	}
	return client
}

var tokenOnPage = regexp.MustCompile(`name="csrf-token" content="([^"]+)"`)

// token gives the token of a page.
func (g *guarded) token(t *testing.T, client *http.Client, path string) string {
	t.Helper()
	_, body := g.ask(t, client, http.MethodGet, path, "")
	found := tokenOnPage.FindStringSubmatch(body)
	if found == nil {
		t.Fatalf("%s has no token:\n%s", path, body)
	}
	return strings.ReplaceAll(found[1], "&#43;", "+")
}

// ask sends a request with a form's token, when there is one, and gives status and body.
func (g *guarded) ask(t *testing.T, client *http.Client, method, path, token string, pairs ...string) (int, string) {
	t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	request, err := http.NewRequestWithContext(t.Context(), method, g.server.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Origin", g.server.URL)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if token != "" {
		request.Header.Set("X-CSRF-Token", token)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body := new(strings.Builder)
	if _, err := io.Copy(body, response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, body.String()
}

// TestWhatIsTooLargeIsRefusedForItsSize sends, as a form without a script does, the token in the body.
func TestWhatIsTooLargeIsRefusedForItsSize(t *testing.T) {
	t.Parallel()
	g := guard(t, testdb.SQLite(t))
	editor := g.client(t, account.Editor)
	token := g.token(t, editor, "/notifications")
	for _, path := range []string{"/notifications/import", "/nothing-is-here"} {
		for _, size := range []int{1 << 10, maxForm} {
			body := new(bytes.Buffer)
			form := multipart.NewWriter(body)
			_ = form.WriteField("csrf_token", token)
			file, err := form.CreateFormFile("file", "rules.json")
			if err != nil {
				t.Fatal(err)
			}
			_, _ = file.Write(bytes.Repeat([]byte(" "), size))
			_ = form.Close()
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.server.URL+path, body)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Origin", g.server.URL)
			request.Header.Set("Accept", "text/html")
			request.Header.Set("Content-Type", form.FormDataContentType())
			answer, err := editor.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
			if large := answer.StatusCode == http.StatusRequestEntityTooLarge; large != (size == maxForm) || answer.StatusCode == http.StatusForbidden {
				t.Errorf("%d bytes to %s: %d", size, path, answer.StatusCode)
			}
		}
	}
}

// TestNoAddressOfAPageIsAMistakeOfOurs puts what Postgres refuses into every parameter of every page.
func TestNoAddressOfAPageIsAMistakeOfOurs(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		g := guard(t, db)
		admin := g.client(t, account.Admin)
		for _, route := range g.routes {
			if route.Method != http.MethodGet {
				continue
			}
			for _, strange := range []string{"%00", "%ff", "99999999999999999999", "%F0%9F%98%80"} {
				query := url.Values{}
				for _, name := range []string{"cursor", "q", "sort", "before", "version", "from", "to", "period", "id", "actor", "action",
					"target", "target_id", "model", "active", "trigger", "channel", "hit", "span", "code", "event", "created"} {
					query.Set(name, "X")
				}
				path := regexp.MustCompile(`[:*]\w+`).ReplaceAllString(route.Path, strange) + "?" + strings.ReplaceAll(query.Encode(), "X", strange)
				if code, body := g.ask(t, admin, http.MethodGet, path, ""); code >= http.StatusInternalServerError {
					t.Errorf("GET %s: %d\n%.300s", path, code, body)
				}
			}
		}
	})
}

// somewhere fills in the parameters of a route with an ID that nothing has.
func somewhere(path string) string {
	return regexp.MustCompile(`[:*]\w+`).ReplaceAllString(path, "0190a000-0000-7000-8000-00000000000f")
}

// TestEveryRouteIsForItsRoleAlone walks the console's own table, so that no new route can be forgotten.
func TestEveryRouteIsForItsRoleAlone(t *testing.T) {
	t.Parallel()
	g := guard(t, testdb.SQLite(t))
	for _, role := range append([]account.Role{""}, account.Roles...) {
		client, token := g.client(t, role), ""
		if role != "" {
			token = g.token(t, client, "/account")
		}
		for _, route := range g.routes {
			if !route.Role.Allows(account.Viewer) {
				t.Errorf("%s %s names no role", route.Method, route.Path)
			}
			// A body that no handler takes: the question is who may ask.
			code, body := g.ask(t, client, route.Method, somewhere(route.Path), token)
			switch {
			case role == "":
				if code != http.StatusSeeOther {
					t.Errorf("%s %s without a session: %d", route.Method, route.Path, code)
				}
			case role.Allows(route.Role):
				if code == http.StatusForbidden || code == http.StatusInternalServerError {
					t.Errorf("%s %s as %s: %d\n%s", route.Method, route.Path, role, code, body)
				}
			case code != http.StatusForbidden || !strings.Contains(body, "You may not do this"):
				t.Errorf("%s %s as %s: %d, want it refused", route.Method, route.Path, role, code)
			}
		}
	}
}

// TestNoRouteThatChangesSomethingWorksWithoutAToken walks the table too.
func TestNoRouteThatChangesSomethingWorksWithoutAToken(t *testing.T) {
	t.Parallel()
	g := guard(t, testdb.SQLite(t))
	client := g.client(t, account.Admin)
	for _, route := range g.routes {
		if route.Method == http.MethodGet {
			continue
		}
		for _, token := range []string{"", "made up"} {
			if code, body := g.ask(t, client, route.Method, somewhere(route.Path), token); code != http.StatusForbidden || !strings.Contains(body, "This form is too old") {
				t.Errorf("%s %s with the token %q: %d", route.Method, route.Path, token, code)
			}
		}
	}
}

func TestAnAdminInvitesChangesAndDeactivatesAUser(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		v := visit(t, db, account.Admin)
		made := v.post("/users", "email", "Ben@example.com", "name", "Ben", "role", "editor")
		v.holds(made.Body.String(), "https://notify.example.com/welcome/", "ben@example.com", "works once")
		ben, err := account.Users{DB: db}.ByEmail(t.Context(), "ben@example.com")
		if err != nil {
			t.Fatal(err)
		}
		v.holds(v.page("/users"), "ben@example.com", "invited", "editor")
		if got := v.post("/users", "email", "ben@example.com", "role", "viewer"); got.Code != http.StatusUnprocessableEntity {
			t.Errorf("the same again: %d", got.Code)
		}
		if got := v.post("/users", "email", "nobody", "role", "viewer"); got.Code != http.StatusUnprocessableEntity || !strings.Contains(got.Body.String(), "not an email address") {
			t.Errorf("no address: %d", got.Code)
		}
		page := "/users/" + ben.ID
		v.holds(v.page(page), "Deactivate ben@example.com", "can sign in no more", "Make a new link")
		if v.post(page+"/role", "role", "viewer"); v.access.said() != "The role is viewer now." {
			t.Errorf("said %q", v.access.said())
		}
		if v.post(page + "/deactivate"); v.access.said() != "The user is deactivated, and signed out everywhere." {
			t.Errorf("said %q", v.access.said())
		}
		v.holds(v.page(page), "Activate ben@example.com")
		v.post(page + "/activate")
		v.holds(v.post(page+"/link").Body.String(), "/welcome/")
		if got := v.post("/users/none/role", "role", "viewer"); got.Code != http.StatusNotFound {
			t.Errorf("nobody: %d", got.Code)
		}
		v.holds(v.page("/audit?target=user"), "user.invited", "user.role_changed", "editor → viewer", "user.deactivated", "user.activated", "user.link_made")
	})
}

func TestTheLastAdminIsToldWhyNothingChanges(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	g := guard(t, db)
	g.client(t, account.Admin)
	admin, err := account.Users{DB: db}.ByEmail(t.Context(), "admin@example.com")
	if err != nil {
		t.Fatal(err)
	}
	v := visit(t, db, account.Admin)
	for _, path := range []string{"/role", "/deactivate"} {
		if v.post("/users/"+admin.ID+path, "role", "viewer"); !strings.Contains(v.access.said(), "last active admin") {
			t.Errorf("%s says %q", path, v.access.said())
		}
	}
}

func TestATokenIsShownOnceAndRevoked(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		v := visit(t, db, account.Admin)
		v.holds(v.page("/tokens"), "No token yet")
		if got := v.post("/tokens", "name", "shop", "days", "30"); got.Code != http.StatusUnprocessableEntity || !strings.Contains(got.Body.String(), "Choose what the token may do") {
			t.Errorf("without a scope: %d", got.Code)
		}
		for _, days := range []string{"", "soon", "-1", "99999", "99999999999999999999"} {
			if got := v.post("/tokens", "name", "shop", "scope", "events", "days", days); got.Code != http.StatusUnprocessableEntity || strings.Contains(got.Body.String(), "silque_") {
				t.Errorf("a token that ends in %q days: %d", days, got.Code)
			}
		}
		made := v.post("/tokens", "name", "shop", "scope", "events", "scope", "read", "days", "30").Body.String()
		secret := regexp.MustCompile(`silque_[A-Z2-7]{20,}`).FindString(made)
		if secret == "" || strings.Contains(v.page("/tokens"), secret) {
			t.Fatalf("the token %q is not shown exactly once", secret)
		}
		token, err := account.Tokens{DB: db}.BySecret(t.Context(), secret)
		if err != nil || token.ExpiresAt == nil || token.CreatedBy != "ann@example.com" {
			t.Fatalf("%+v, %v", token, err)
		}
		v.holds(v.page("/tokens/"+token.ID+"/revoke"), "are refused at once", "shop")
		if v.post("/tokens/" + token.ID + "/revoke"); !strings.Contains(v.access.said(), "The token “shop” is revoked") {
			t.Errorf("said %q", v.access.said())
		}
		v.holds(v.page("/tokens"), "revoked")
	})
}

func TestTheAuditLogIsPagedAndFiltered(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	v := visit(t, db, account.Admin)
	v.holds(v.page("/audit"), "Nothing has been changed yet")
	for range audit.DefaultLimit + 1 {
		if err := audit.RecordTx(db, audit.Entry{Actor: "ben@example.com", Action: "delivery.retried", TargetID: "d1", Detail: "<b>x</b>"}); err != nil {
			t.Fatal(err)
		}
	}
	page := v.page("/audit?target=delivery")
	v.holds(page, `href="/deliveries/d1"`, "&lt;b&gt;x&lt;/b&gt;", "Next page", "cursor=")
	v.holds(v.page("/audit?actor=nobody"), "Nothing fits these filters")
}

func TestTheAuditLogSpeaksInWords(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	w, v := watch(t, db, ""), visit(t, db, account.Admin)
	for _, e := range []audit.Entry{
		{Actor: "ben", Action: "notification.restored", TargetID: w.notification.ID, Detail: "Hello"}, {Actor: "ben", Action: "delivery.retried", TargetID: w.sms.ID},
		{Actor: "ben", Action: "delivery.retried", Detail: "3 deliveries"}, {Actor: "ben", Action: "list.changed", Detail: "Sales"},
	} {
		if err := audit.RecordTx(db, e); err != nil {
			t.Fatal(err)
		}
	}
	if answer := v.post("/health/tests", "channel", "sms", "to", "+12025550123"); answer.Code != http.StatusSeeOther {
		t.Fatalf("%d %s", answer.Code, answer.Body)
	}
	page := v.page("/audit")
	v.holds(page, `title="notification.restored">restored a notification<`, `title="delivery.retried">retried a delivery<`, ">WhatsApp message<", ">retried deliveries<",
		">changed a saved list<", `title="event.test_sent">sent a test message<`, ">SMS<", "<th>What</th>")
	v.lacks(page, "2025550123")
}

func TestAPersonChangesNameAndPasswordAndEndsOtherSessions(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		g := guard(t, db)
		here := g.client(t, account.Viewer)
		there, _ := cookiejar.New(nil)
		elsewhere := &http.Client{Jar: there, CheckRedirect: here.CheckRedirect}
		in := func(password string) int {
			code, _ := g.ask(t, elsewhere, http.MethodPost, "/sign-in", g.token(t, elsewhere, "/sign-in"), "email", "viewer@example.com", "password", password)
			return code
		}
		if in(passphrase) != http.StatusSeeOther {
			t.Fatal("the second browser cannot sign in")
		}
		opens := func(client *http.Client) bool {
			code, _ := g.ask(t, client, http.MethodGet, "/account", "")
			return code == http.StatusOK
		}
		token := g.token(t, here, "/account")
		if code, body := g.ask(t, here, http.MethodGet, "/account", ""); code != http.StatusOK || !strings.Contains(body, "this one") || !strings.Contains(body, "Sign out of the 1 other") {
			t.Errorf("%d\n%s", code, body)
		}
		if code, _ := g.ask(t, here, http.MethodPost, "/account/sessions/end", token); code != http.StatusSeeOther || !opens(here) || opens(elsewhere) {
			t.Errorf("%d: the session here goes on, the other one ends", code)
		}
		in(passphrase)
		if code, body := g.ask(t, here, http.MethodPost, "/account/password", token, "current", "wrong", "password", "another long password", "again", "another long password"); code != http.StatusUnprocessableEntity || !strings.Contains(body, "not the password that you have now") {
			t.Errorf("a wrong password: %d", code)
		}
		if code, _ := g.ask(t, here, http.MethodPost, "/account/password", token, "current", passphrase, "password", "another long password", "again", "another long password"); code != http.StatusSeeOther {
			t.Fatalf("change: %d", code)
		}
		if !opens(here) || opens(elsewhere) || in(passphrase) == http.StatusSeeOther || in("another long password") != http.StatusSeeOther {
			t.Error("after the change: here goes on, elsewhere ends, only the new password signs in")
		}
		if code, _ := g.ask(t, here, http.MethodPost, "/account/name", token, "name", "Vi"); code != http.StatusSeeOther {
			t.Errorf("name: %d", code)
		}
		if _, body := g.ask(t, here, http.MethodGet, "/account", ""); !strings.Contains(body, "Your name is saved.") || !strings.Contains(body, `value="Vi"`) {
			t.Errorf("after the name:\n%s", body)
		}
		if _, body := g.ask(t, here, http.MethodGet, "/account", ""); strings.Contains(body, "Your name is saved.") {
			t.Error("the line is shown twice")
		}
	})
}
