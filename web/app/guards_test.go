package app

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/internal/testdb"
)

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
