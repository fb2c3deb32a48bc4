package tour

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/dev/browser"
	"github.com/silquetech/silque-notifications/web/console"
)

// besides are addresses that the table of routes does not name: filters, an empty list, what is not there, and the
// programs next door.
var besides = []string{
	"/deliveries?status=failed", "/deliveries?q=nothing-has-this", "/errors?q=nothing-has-this", "/events?q=nothing-has-this", "/notifications?q=nothing-has-this",
	"/nothing-is-here", "/deliveries/0190a000-0000-7000-8000-000000000001",
	"/start", "/sandbox", "/sandbox?channel=sms", "/sandbox?q=nothing", "/demo", "/demo/customers", "/demo/customers/new",
}

// unwalked are routes whose pages last only while something long goes on; the tests of their areas look at them.
var unwalked = []string{"/deliveries/retry/:id", "/health/tests/:id", "/notifications/tests/:id", "/notifications/import/:id", "/notifications/import/:id/progress"}

// pages lists every page that can be looked at.
func (h *house) pages(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, route := range console.New(console.Config{DB: h.stack.Database()}).Routes() {
		switch {
		case route.Method != http.MethodGet:
		case !strings.Contains(route.Path, ":"):
			all = append(all, route.Path)
		case len(h.paths[route.Path]) > 0:
			all = append(all, h.paths[route.Path]...)
		default:
			found := h.guess(route.Path)
			if len(found) == 0 && !slices.Contains(unwalked, route.Path) {
				t.Errorf("nothing fills in %s: let the house have one", route.Path)
			}
			all = append(all, found...)
		}
	}
	all = append(all, h.paths["/sandbox/messages/:id"]...)
	for _, path := range besides {
		if base, _, query := strings.Cut(path, "?"); !query || slices.Contains(all, base) || !strings.HasPrefix(path, "/d") {
			all = append(all, path)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// guess fills in a route below one whose paths are known: /deliveries/:id/retry.
func (h *house) guess(route string) (found []string) {
	for known, paths := range h.paths {
		if rest, ok := strings.CutPrefix(route, known); ok && !strings.Contains(rest, ":") {
			found = append(found, paths[0]+rest)
		}
	}
	return found
}

// isPage asks whether a path gives a whole page, rather than a part of one or a file.
func (h *house) isPage(t *testing.T, path string) bool {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.URL+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "text/html")
	jar, _ := cookiejar.New(nil) // development signs in with a cookie
	answer, err := (&http.Client{Jar: jar}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	begin := make([]byte, 9)
	_, _ = io.ReadFull(answer.Body, begin)
	return strings.EqualFold(string(begin), "<!doctype") && answer.Header.Get("Content-Disposition") == ""
}

func TestEveryPageIsGoodForEveryone(t *testing.T) {
	h := enter(t)
	for _, path := range h.pages(t) {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			if !h.isPage(t, path) {
				return // a part of a page, or a file: no page to look at
			}
			for _, view := range []browser.View{browser.Desktop, browser.Phone} {
				h.look(t, path, view)
			}
		})
	}
}

// look opens a page and checks it in light and in dark.
func (h *house) look(t *testing.T, path string, view browser.View) {
	t.Helper()
	v := h.visit(t, view)
	_, err := v.Go(h.URL + path)
	v.must(err)
	if weight := v.Weight(); weight > browser.MaxWeight {
		t.Errorf("at %s it weighs %d KB", view, weight>>10)
	}
	for _, in := range []browser.View{view, view.InDark()} {
		v.must(v.LookAt(in))
		wrong, err := v.Check()
		v.must(err)
		for _, w := range wrong {
			t.Errorf("at %s: %s", in, w)
		}
		v.must(v.Keep(browser.Screenshots(t), fileName(path)+"-"+in.String(), true))
	}
}

func fileName(path string) string {
	name := strings.Trim(strings.NewReplacer("/", "-", "?", "-", "=", "-", "&", "-").Replace(path), "-")
	if name == "" {
		return "dashboard"
	}
	return fmt.Sprintf("%.60s", name)
}
