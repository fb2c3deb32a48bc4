package app

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/address"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/web/access"
	"github.com/silquetech/silque-notifications/web/hooks"
)

// need is what a caller must have for a route.
type need string

// The needs. A session is somebody's with that role or a higher one, and its form token where something changes; a scope
// is a token's of the REST API.
const (
	nothing need = "nothing"
	viewer  need = "the role viewer"
	editor  need = "the role editor"
	admin   need = "the role admin"
	read    need = "the scope read"
	events  need = "the scope events or write"
	write   need = "the scope write"
	// formToken is for the forms that people send before they have signed in.
	formToken need = "the token of the form"
	// reports and signature are what other machines prove themselves with. A signature is one request's: nobody here has
	// one, and the tests of web/hooks make them.
	reports   need = "the secret of reports about emails"
	signature need = "the signature of Twilio"
)

// needs says for every route of the web app who may call it. A route without a line here fails the tests below: who adds
// one decides who may call it.
var needs = map[string]need{
	"GET /healthz":             nothing,
	"GET /readyz":              nothing,
	"GET /metrics":             nothing,
	"GET /static/*file":        nothing,
	"GET /api/v1/openapi.json": nothing,
	"GET /sign-in":             nothing,
	"GET /oidc/start":          nothing,
	"GET /oidc/callback":       nothing,
	"GET /welcome/:token":      nothing,
	"POST /sign-in":            formToken,
	"POST /sign-out":           formToken,
	"POST /welcome/:token":     formToken,
	// The token of these three is the proof; it is made up here, so that they find nothing.
	"GET /unsubscribe/:token":     nothing,
	"HEAD /unsubscribe/:token":    nothing,
	"POST /unsubscribe/:token":    nothing,
	"POST /hooks/email/bounces":   reports,
	"POST /hooks/twilio/status":   signature,
	"POST /hooks/twilio/messages": signature,

	"GET /":                                  viewer,
	"GET /dashboard.csv":                     viewer,
	"GET /account":                           viewer,
	"POST /account/name":                     viewer,
	"POST /account/password":                 viewer,
	"POST /account/sessions/end":             viewer,
	"GET /audit":                             admin,
	"GET /tokens":                            admin,
	"POST /tokens":                           admin,
	"GET /tokens/:id/revoke":                 admin,
	"POST /tokens/:id/revoke":                admin,
	"GET /users":                             admin,
	"POST /users":                            admin,
	"GET /users/:id":                         admin,
	"POST /users/:id/activate":               admin,
	"POST /users/:id/deactivate":             admin,
	"POST /users/:id/link":                   admin,
	"POST /users/:id/role":                   admin,
	"GET /deliveries":                        viewer,
	"GET /deliveries.csv":                    viewer,
	"GET /deliveries/:id":                    viewer,
	"GET /deliveries/:id/html":               viewer,
	"GET /deliveries/retry":                  editor,
	"POST /deliveries/retry":                 editor,
	"GET /deliveries/retry/:id":              viewer,
	"POST /deliveries/retry/:id/stop":        editor,
	"GET /errors":                            viewer,
	"GET /errors.csv":                        viewer,
	"GET /errors/:id":                        viewer,
	"POST /errors/reopen":                    editor,
	"POST /errors/resolve":                   editor,
	"GET /events":                            viewer,
	"GET /events.csv":                        viewer,
	"GET /events/:id":                        viewer,
	"GET /health":                            viewer,
	"POST /health/tests":                     editor,
	"GET /health/tests/:id":                  viewer,
	"GET /lists":                             viewer,
	"GET /lists/:id":                         viewer,
	"GET /lists/new":                         editor,
	"POST /lists/new":                        editor,
	"POST /lists/:id":                        editor,
	"GET /lists/:id/delete":                  editor,
	"POST /lists/:id/delete":                 editor,
	"GET /models":                            viewer,
	"GET /notifications":                     viewer,
	"GET /notifications/:id":                 viewer,
	"POST /notifications/:id":                editor,
	"GET /notifications/new":                 viewer,
	"POST /notifications/new":                editor,
	"GET /notifications/:id/history":         viewer,
	"GET /notifications/:id/restore":         editor,
	"POST /notifications/:id/restore":        editor,
	"POST /notifications/bulk":               editor,
	"POST /notifications/undo":               editor,
	"GET /notifications/export":              viewer,
	"POST /notifications/export":             viewer,
	"GET /notifications/import":              editor,
	"POST /notifications/import":             editor,
	"GET /notifications/import/:id":          editor,
	"POST /notifications/import/:id":         editor,
	"GET /notifications/import/:id/progress": editor,
	// These four try things out and change nothing; they are sent by POST because what they ask is long.
	"POST /notifications/form":         viewer,
	"POST /notifications/complete":     viewer,
	"POST /notifications/compare":      viewer,
	"POST /notifications/preview":      viewer,
	"POST /notifications/preview/html": viewer,
	"POST /notifications/test":         editor,
	"GET /notifications/tests/:id":     viewer,

	"GET /api/v1/notifications":                read,
	"POST /api/v1/notifications":               write,
	"GET /api/v1/notifications/:id":            read,
	"PUT /api/v1/notifications/:id":            write,
	"DELETE /api/v1/notifications/:id":         write,
	"POST /api/v1/notifications/:id/duplicate": write,
	"GET /api/v1/notifications/:id/versions":   read,
	"POST /api/v1/notifications/activate":      write,
	"POST /api/v1/notifications/deactivate":    write,
	"POST /api/v1/notifications/compare":       read,
	"POST /api/v1/notifications/preview":       read,
	"GET /api/v1/lists":                        read,
	"POST /api/v1/lists":                       write,
	"GET /api/v1/lists/:id":                    read,
	"PUT /api/v1/lists/:id":                    write,
	"DELETE /api/v1/lists/:id":                 write,
	"GET /api/v1/models":                       read,
	"GET /api/v1/models/:model":                read,
	"GET /api/v1/models/:model/recipients":     read,
	"GET /api/v1/events":                       read,
	"POST /api/v1/events":                      events,
	"GET /api/v1/events/:id":                   read,
	"GET /api/v1/deliveries":                   read,
	"GET /api/v1/deliveries/:id":               read,
	"POST /api/v1/deliveries/:id/retry":        write,
	"POST /api/v1/deliveries/:id/resolve":      write,
	"POST /api/v1/deliveries/retry":            write,
	"GET /api/v1/suppressions":                 read,
	"POST /api/v1/suppressions":                write,
	"GET /api/v1/suppressions/:id":             read,
	"DELETE /api/v1/suppressions/:id":          write,
	"GET /api/v1/errors":                       read,
	"GET /api/v1/errors/:id":                   read,
	"POST /api/v1/errors/:id/resolve":          write,
	"POST /api/v1/test":                        write,
}

// caller is somebody with what they have: a session of a role, or a token.
type caller struct {
	name string
	// has lists the needs that the caller meets.
	has    []need
	cookie string
	form   string
	bearer string
}

// estate is a whole web app as production has it, and everybody who may come.
type estate struct {
	t       *testing.T
	app     *App
	server  *httptest.Server
	callers []caller
}

const (
	settingsToken = "the-token-of-the-settings"
	hookSecret    = "the-secret-of-the-mail-server"
)

func newEstate(t *testing.T, db *gorm.DB) *estate {
	t.Helper()
	e := &estate{t: t, server: httptest.NewUnstartedServer(nil)}
	quiet := slog.New(slog.DiscardHandler)
	site := "http://" + e.server.Listener.Addr().String()
	entrance, err := access.New(access.Options{DB: db, PublicURL: site, Log: quiet, Tries: access.Tries{OfAccount: 1000, OfAddress: 1000},
		OIDC: access.OIDC{Issuer: site + "/nobody", ClientID: "silque", Name: "The provider"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = entrance.Close(t.Context()) })
	e.app = New(Config{
		DB: db, APIToken: settingsToken, Addresses: address.Normalizer{DefaultRegion: "US"}, Access: entrance, Log: quiet, HookSecret: hookSecret,
		Twilio: hooks.TwilioConfig{AccountSID: "AC" + strings.Repeat("0", 32), AuthToken: "the-token-of-the-account", PublicURLs: []string{site}},
	})
	e.server.Config.Handler = e.app.Handler()
	e.server.Start()
	t.Cleanup(e.server.Close)
	e.populate(db)
	return e
}

const passphrase = "four words in a row"

// populate makes everybody.
func (e *estate) populate(db *gorm.DB) {
	t, ctx := e.t, e.t.Context()
	e.callers = append(e.callers, caller{name: "nobody"}, caller{name: "a stranger with a made up session", cookie: "silque_session=made-up"},
		caller{name: "a stranger with a made up token", bearer: "silque_" + strings.Repeat("A", 40)}, caller{name: "a stranger with an empty token", bearer: " "})
	roles := map[account.Role][]need{account.Viewer: {viewer}, account.Editor: {viewer, editor}, account.Admin: {viewer, editor, admin}}
	users := account.Users{DB: db}
	for _, role := range account.Roles {
		c := e.signIn(users, string(role), role)
		c.name, c.has = "a session of the role "+string(role), append(roles[role], formToken)
		e.callers = append(e.callers, c)
	}
	gone := e.signIn(users, "gone", account.Admin)
	user, err := users.ByEmail(ctx, "gone@example.com")
	if err == nil {
		_, err = users.SetActive(ctx, user.ID, false, "test")
	}
	if err != nil {
		t.Fatal(err)
	}
	gone.name, gone.has = "a session of an admin who was deactivated", []need{formToken}
	e.callers = append(e.callers, gone)

	scopes := map[account.Scope][]need{account.Read: {read}, account.Events: {events}, account.Write: {write, events}}
	tokens := account.Tokens{DB: db}
	for _, scope := range account.Scopes {
		_, secret, err := tokens.Create(ctx, string(scope), []account.Scope{scope}, nil, "test")
		if err != nil {
			t.Fatal(err)
		}
		e.callers = append(e.callers, caller{name: "a token with the scope " + string(scope), has: scopes[scope], bearer: secret})
	}
	revoked, secret, err := tokens.Create(ctx, "revoked", account.Scopes, nil, "test")
	if err == nil {
		_, err = tokens.Revoke(ctx, revoked.ID, "test")
	}
	if err != nil {
		t.Fatal(err)
	}
	e.callers = append(e.callers, caller{name: "a revoked token", bearer: secret},
		caller{name: "the mail server", has: []need{reports}, bearer: hookSecret}, caller{name: "the token of the settings", has: []need{read, events, write}, bearer: settingsToken})
	if _, secret, err = tokens.Create(ctx, "over", account.Scopes, new(time.Now().Add(time.Hour)), "test"); err == nil {
		err = db.Exec("UPDATE notify_api_tokens SET expires_at = ? WHERE name = 'over'", time.Now().UTC().Add(-time.Hour)).Error
	}
	if err != nil {
		t.Fatal(err)
	}
	e.callers = append(e.callers, caller{name: "a token whose time is over", bearer: secret})
}

var (
	tokenOnPage = regexp.MustCompile(`name="csrf-token" content="([^"]+)"`)
	parameter   = regexp.MustCompile(`[:*]\w+`)
)

// signIn lets a new user in by the sign-in page.
func (e *estate) signIn(users account.Users, name string, role account.Role) caller {
	t := e.t
	t.Helper()
	email := name + "@example.com"
	_, secret, err := users.Invite(t.Context(), email, "", role, "test")
	if err == nil {
		_, err = users.Welcome(t.Context(), secret, "", passphrase)
	}
	if err != nil {
		t.Fatal(err)
	}
	var c caller
	page := e.send(c, http.MethodGet, "/sign-in", "")
	c.take(t, page)
	in := e.send(c, http.MethodPost, "/sign-in", url.Values{"email": {email}, "password": {passphrase}}.Encode())
	if in.status != http.StatusSeeOther {
		t.Fatalf("%s cannot sign in: %d %s", name, in.status, in.body)
	}
	c.take(t, in)
	c.take(t, e.send(c, http.MethodGet, "/account", ""))
	return c
}

// take keeps what an answer gives a browser: cookies and the form's token.
func (c *caller) take(t *testing.T, r reply) {
	t.Helper()
	for _, line := range r.header.Values("Set-Cookie") {
		pair, _, _ := strings.Cut(line, ";")
		name, _, _ := strings.Cut(pair, "=")
		kept := slices.DeleteFunc(strings.Split(c.cookie, "; "), func(old string) bool { return old == "" || strings.HasPrefix(old, name+"=") })
		c.cookie = strings.Join(append(kept, pair), "; ")
	}
	if found := tokenOnPage.FindStringSubmatch(r.body); found != nil {
		c.form = strings.ReplaceAll(found[1], "&#43;", "+")
	}
}

// reply is what a server answers.
type reply struct {
	status int
	header http.Header
	body   string
}

// send writes a request as it is, byte for byte: http.Client would tidy the path. A header that is given takes the place of
// the usual one.
func (e *estate) send(c caller, method, target, body string, headers ...string) reply {
	e.t.Helper()
	address := e.server.Listener.Addr().String()
	lines := append([]string{method + " " + target + " HTTP/1.1"}, headers...)
	for _, usual := range []string{
		"Host: " + address, "Connection: close", "Accept: text/html", "Content-Type: application/x-www-form-urlencoded",
		fmt.Sprintf("Content-Length: %d", len(body)), "Origin: http://" + address,
	} {
		name, _, _ := strings.Cut(usual, ":")
		if !slices.ContainsFunc(headers, func(given string) bool { return strings.HasPrefix(given, name+":") }) {
			lines = append(lines, usual)
		}
	}
	for name, value := range map[string]string{"Cookie": c.cookie, "X-CSRF-Token": c.form} {
		if value != "" {
			lines = append(lines, name+": "+value)
		}
	}
	if c.bearer != "" {
		lines = append(lines, "Authorization: Bearer "+c.bearer)
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		e.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"+body); err != nil {
		e.t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		e.t.Fatalf("%s %s: %v", method, target, err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, string(content)}
}

// somewhere fills in the parameters of a route with an ID that nothing has.
func somewhere(path string) string {
	return parameter.ReplaceAllString(path, "0190a000-0000-7000-8000-00000000000f")
}

// turnedAway says whether a guard has refused the caller: signed out, without the right, or without the form's token.
func (r reply) turnedAway() bool {
	switch r.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return true
	case http.StatusSeeOther:
		return strings.HasPrefix(r.header.Get("Location"), "/sign-in")
	default:
		return false
	}
}

func TestEveryRouteIsOpenToThoseWhoMayCallItAlone(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		e := newEstate(t, db)
		listed := map[string]bool{}
		for _, route := range e.app.engine.Routes() {
			call := route.Method + " " + route.Path
			listed[call] = true
			needed, known := needs[call]
			if !known {
				t.Errorf("%s: the table of this test does not say who may call it", call)
				continue
			}
			for _, c := range e.callers {
				if call == "POST /sign-out" && c.cookie != "" {
					continue // it would end the caller's session; TestWhoeverIsNotSignedIn… has its own
				}
				may := needed == nothing || slices.Contains(c.has, needed)
				// The body says nothing that a handler would do: the question is who may ask.
				got := e.send(c, route.Method, somewhere(route.Path), "")
				switch {
				case got.status == http.StatusInternalServerError:
					t.Errorf("%s by %s: %d\n%s", call, c.name, got.status, got.body)
				case call == "GET /oidc/callback" && got.status == http.StatusForbidden && strings.Contains(got.body, "was not begun in this browser"):
				case may && got.turnedAway():
					t.Errorf("%s by %s: turned away (%d), although it needs %s", call, c.name, got.status, needed)
				case !may && !got.turnedAway():
					t.Errorf("%s by %s: %d, although it needs %s\n%.300s", call, c.name, got.status, needed, got.body)
				}
			}
		}
		for call := range needs {
			if !listed[call] {
				t.Errorf("%s is in the table of this test, and no route any more", call)
			}
		}
	})
}

func TestNoFormWorksWithoutItsTokenOrFromAnotherSite(t *testing.T) {
	t.Parallel()
	e := newEstate(t, testdb.SQLite(t))
	boss := e.callers[slices.IndexFunc(e.callers, func(c caller) bool { return slices.Contains(c.has, admin) })]
	for call, needed := range needs {
		method, path, _ := strings.Cut(call, " ")
		if method == http.MethodGet || !slices.Contains([]need{viewer, editor, admin, formToken}, needed) {
			continue
		}
		for what, change := range map[string]func(c *caller) []string{
			"without the token":    func(c *caller) []string { c.form = ""; return nil },
			"with a made up token": func(c *caller) []string { c.form = strings.Repeat("A", 86) + "=="; return nil },
			"from another site": func(*caller) []string {
				return []string{"Sec-Fetch-Site: cross-site", "Origin: https://evil.example.com"}
			},
			"from a sibling's page": func(*caller) []string {
				return []string{"Sec-Fetch-Site: same-site", "Origin: https://sibling.example.com"}
			},
			"from a page without origin": func(*caller) []string { return []string{"Origin: null"} },
			"with a method override": func(c *caller) []string {
				c.form = ""
				return []string{"X-HTTP-Method-Override: GET", "X-Method-Override: GET"}
			},
			"as JSON":              func(c *caller) []string { c.form = ""; return []string{"Content-Type: application/json"} },
			"as plain text":        func(c *caller) []string { c.form = ""; return []string{"Content-Type: text/plain"} },
			"by a script's header": func(c *caller) []string { c.form = ""; return []string{"HX-Request: true"} },
		} {
			c := boss
			headers := change(&c)
			if got := e.send(c, method, somewhere(path), "", headers...); got.status != http.StatusForbidden {
				t.Errorf("%s %s: %d\n%.200s", call, what, got.status, got.body)
			}
		}
	}
}

func TestNoOtherMethodReachesARoute(t *testing.T) {
	t.Parallel()
	e := newEstate(t, testdb.SQLite(t))
	methods := []string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodTrace, "PROPFIND", "get", "INVENTED",
	}
	has := map[string][]string{}
	for call := range needs {
		method, path, _ := strings.Cut(call, " ")
		has[somewhere(path)] = append(has[somewhere(path)], method)
	}
	for path := range has {
		for _, method := range methods {
			if slices.Contains(has[path], method) {
				continue
			}
			for _, c := range e.callers {
				if len(c.has) < 3 && c.name != "nobody" { // those with every right and those with none
					continue
				}
				got := e.send(c, method, path, "")
				if !got.turnedAway() && got.status != http.StatusMethodNotAllowed && got.status != http.StatusNotFound {
					t.Errorf("%s %s by %s: %d\n%.200s", method, path, c.name, got.status, got.body)
				}
			}
		}
	}
}

// TestNoSpellingOfAPathGoesRoundItsGuard writes the path of each page and call in other ways, as nobody.
func TestNoSpellingOfAPathGoesRoundItsGuard(t *testing.T) {
	t.Parallel()
	e := newEstate(t, testdb.SQLite(t))
	nobody := e.callers[0]
	for call, needed := range needs {
		method, path, _ := strings.Cut(call, " ")
		if needed == nothing {
			continue
		}
		path = somewhere(path)
		rest := strings.TrimPrefix(path, "/")
		for _, spelt := range []string{
			path + "/", path + "//", "/" + path, "//" + path, "/." + path, "/x/.." + path, "/static/.." + path, "/static/%2e%2e" + path, "/healthz/.." + path,
			"/%2F" + rest, "/%2f" + rest, "/" + strings.ReplaceAll(rest, "/", "%2F"), "/" + strings.ReplaceAll(rest, "/", "%5C"), `/\` + rest, path + "%00", path + "%20", path + ";x=y",
			path + "?", path + "%3F", path + "#x", "/" + strings.ToUpper(rest), path + ".json", "/api/v1/openapi.json/.." + path, "/api/v1/openapi.json%2F.." + path,
			"http://" + e.server.Listener.Addr().String() + path, "http://elsewhere.example.com" + path,
		} {
			for _, headers := range [][]string{nil, {"X-Forwarded-Prefix: //evil.example.com", "X-Original-URL: /healthz", "X-Rewrite-URL: /healthz", "X-HTTP-Method-Override: HEAD"}} {
				got := e.send(nobody, method, spelt, "", headers...)
				if got.status < 300 || got.status >= 500 {
					t.Errorf("%s %s by nobody: %d\n%.300s", method, spelt, got.status, got.body)
				}
				if where := got.header.Get("Location"); where != "" && !ours(e, where) {
					t.Errorf("%s %s leads to %s", method, spelt, where)
				}
			}
		}
	}
}

// ours says whether a redirect stays on the site, in the eyes of a browser.
func ours(e *estate, where string) bool {
	site, err := url.Parse("http://" + e.server.Listener.Addr().String() + "/")
	if err != nil {
		e.t.Fatal(err)
	}
	to, err := site.Parse(strings.ReplaceAll(where, `\`, "/"))
	return err == nil && to.Host == site.Host
}

func TestASessionOpensNoCallAndATokenOpensNoPage(t *testing.T) {
	t.Parallel()
	e := newEstate(t, testdb.SQLite(t))
	for _, c := range e.callers {
		if slices.Contains(c.has, admin) {
			if got := e.send(c, http.MethodGet, "/api/v1/notifications", ""); got.status != http.StatusUnauthorized {
				t.Errorf("the API with the session of an admin: %d", got.status)
			}
		}
		if c.bearer != "" {
			if got := e.send(c, http.MethodGet, "/users", ""); got.status != http.StatusSeeOther {
				t.Errorf("a page with %s: %d", c.name, got.status)
			}
		}
	}
}
