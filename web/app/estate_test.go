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
	"github.com/silquetech/silque-notifications/web/access"
	"github.com/silquetech/silque-notifications/web/hooks"
)

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
		Twilio:       hooks.TwilioConfig{AccountSID: "AC" + strings.Repeat("0", 32), AuthToken: "the-token-of-the-account", PublicURLs: []string{site}},
		WorkflowLink: func(id string) string { return "http://127.0.0.1:8233/workflows/" + url.PathEscape(id) },
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
		c.name, c.has = "a session of the role "+string(role), append(slices.Clone(roles[role]), formToken)
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
