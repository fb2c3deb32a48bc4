package access_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/web/access"
)

func TestAChangeNeedsTheTokenOfTheFormAndComesFromHere(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	s := open(t, db)
	joined(t, db, "ann@example.com", account.Editor)
	ann, other := s.browser(), s.browser()
	ann.signIn("ann@example.com", good, "")
	_, token, _ := strings.Cut(ann.get("/page").body, "ann@example.com ")
	foreign := other.token("/sign-in")
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	body := func(token string) string { return url.Values{"csrf_token": {token}}.Encode() }
	for _, test := range []struct {
		name   string
		body   string
		change []func(*http.Request)
		code   int
	}{
		{"the form", body(token), nil, http.StatusOK},
		{"a script with the header", "", []func(*http.Request){header("X-CSRF-Token", token)}, http.StatusOK},
		{"a browser that says where it comes from", body(token), []func(*http.Request){header("Sec-Fetch-Site", "same-origin")}, http.StatusOK},
		{"no token", "", nil, http.StatusForbidden},
		{"a made-up token", body("made up"), nil, http.StatusForbidden},
		{"another browser's token", body(foreign), nil, http.StatusForbidden},
		{"the token in the address alone", "", []func(*http.Request){func(r *http.Request) { r.URL.RawQuery = body(token) }}, http.StatusForbidden},
		{"another site", body(token), []func(*http.Request){header("Origin", "https://evil.example")}, http.StatusForbidden},
		{"another port of this machine", body(token), []func(*http.Request){header("Origin", "http://127.0.0.1:1")}, http.StatusForbidden},
		{"a frame without an origin", body(token), []func(*http.Request){header("Origin", "null")}, http.StatusForbidden},
		{"a browser that says it comes from elsewhere", body(token), []func(*http.Request){header("Sec-Fetch-Site", "cross-site")}, http.StatusForbidden},
		{"a browser that says it comes from a sister", body(token), []func(*http.Request){header("Sec-Fetch-Site", "same-site")}, http.StatusForbidden},
	} {
		if got := ann.send(http.MethodPost, "/change", strings.NewReader(test.body), test.change...); got.code != test.code {
			t.Errorf("%s: %d, want %d\n%s", test.name, got.code, test.code, got.body)
		}
	}
	if got := ann.post("/sign-out", ""); got.code != http.StatusForbidden || !ann.signedIn() {
		t.Errorf("a sign-out by another site: %d", got.code)
	}
	if got := other.post("/sign-in", "", "email", "ann@example.com", "password", good); got.code != http.StatusForbidden {
		t.Errorf("a sign-in by another site: %d", got.code)
	}
	if got := other.post("/change", foreign); got.code != http.StatusSeeOther {
		t.Errorf("a form of somebody who is not signed in: %d", got.code)
	}
	if got := other.get("/page", header("HX-Request", "true")); got.code != http.StatusUnauthorized {
		t.Errorf("a part of a page for somebody who is not signed in: %d", got.code)
	}
}

func TestBehindAProxyThatSpeaksTLSCookiesAreSecureAndTheFormWorks(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	s := open(t, db, func(o *access.Options) { o.PublicURL = "https://notify.example.com" })
	joined(t, db, "ann@example.com", account.Editor)
	b := s.browser()
	page := b.get("/sign-in")
	cookie := page.header.Get("Set-Cookie")
	if !strings.HasPrefix(cookie, "silque_csrf=") || !strings.Contains(cookie, "Secure") || !strings.Contains(cookie, "HttpOnly") {
		t.Fatalf("the cookie is %s", cookie)
	}
	value, _, _ := strings.Cut(cookie, ";")
	form := url.Values{"csrf_token": {strings.ReplaceAll(tokenField.FindStringSubmatch(page.body)[1], "&#43;", "+")},
		"email": {"ann@example.com"}, "password": {good}}
	got := b.send(http.MethodPost, "/sign-in", strings.NewReader(form.Encode()), func(r *http.Request) {
		r.Header.Set("Cookie", value) // over http, the jar keeps a secure cookie to itself
		r.Header.Set("Origin", "https://notify.example.com")
	})
	if got.code != http.StatusSeeOther || !strings.Contains(strings.Join(got.header.Values("Set-Cookie"), "\n"), "Secure") {
		t.Errorf("%d %v\n%s", got.code, got.header, got.body)
	}
}

func TestTheServersAddressMustBeAnAddress(t *testing.T) {
	t.Parallel()
	if _, err := access.New(access.Options{DB: testdb.SQLite(t), PublicURL: "https://notify.example.com/path"}); err == nil {
		t.Error("a path is taken")
	}
}
