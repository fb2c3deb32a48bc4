package app

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/testdb"
)

// hostileMarkup runs wherever it is not escaped for its place; hostileName is a table's name that does.
const (
	hostileMarkup = planted + `"'></textarea></title><script>alert(1)</script><img src=x onerror=alert(2)>&#x3c;`
	hostileName   = `<img src=x onerror=alert(4)><script>alert(5)</script>`
)

// runsBy says what in a page would run by itself, or by a click, without being a file of ours.
func runsBy(t *testing.T, page string) (found []string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		source := ""
		for _, a := range n.Attr {
			value := strings.ToLower(strings.TrimSpace(a.Val))
			switch {
			case strings.HasPrefix(a.Key, "on"), a.Key == "style", a.Key == "srcdoc":
				found = append(found, n.Data+" "+a.Key)
			case slices.Contains([]string{"href", "src", "action", "formaction", "data", "xlink:href"}, a.Key):
				if strings.HasPrefix(value, "javascript:") || strings.HasPrefix(value, "data:") {
					found = append(found, n.Data+" "+a.Key+"="+value)
				}
				source = a.Val
			}
		}
		if n.Data == "script" && !strings.HasPrefix(source, "/static/") || n.Data == "img" && source == "x" {
			found = append(found, n.Data)
		}
	}
	return found
}

// TestNothingThatIsKeptRunsOnAnyPage: whatever rows, rules, people, tokens, models and providers are called and say, each
// page of the console shows it as text.
func TestNothingThatIsKeptRunsOnAnyPage(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		c := newCrowd(t, db, hostileMarkup, hostileName)
		boss, shows := c.as(admin), 0
		for _, route := range c.app.engine.Routes() {
			if route.Method != http.MethodGet || strings.HasPrefix(route.Path, "/api/") || strings.HasPrefix(route.Path, "/static") || strings.HasSuffix(route.Path, "/html") {
				continue // the HTML of a message stands under a policy of its own, in a sandbox
			}
			path := parameter.ReplaceAllLiteralString(route.Path, url.PathEscape(c.ids[strings.Split(route.Path, "/")[1]]))
			for _, query := range []string{"", "?q=" + url.QueryEscape(hostileMarkup), "?search=" + url.QueryEscape(hostileMarkup), "?model=" + url.QueryEscape(hostileName) + "&version=1",
				"?notification=" + url.QueryEscape(hostileMarkup) + "&actor=" + url.QueryEscape(hostileMarkup) + "&address=" + url.QueryEscape(hostileMarkup)} {
				got := c.ask(boss, http.MethodGet, path+query, "", "")
				if !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") || got.status < http.StatusBadRequest && got.status >= http.StatusMultipleChoices {
					continue
				}
				if strings.Contains(got.body, planted) {
					shows++
				}
				if got.status == http.StatusInternalServerError {
					t.Errorf("%s%s: %d\n%.300s", path, query, got.status, got.body)
				}
				if found := runsBy(t, got.body); len(found) > 0 {
					t.Errorf("%s%s holds %q", path, query, found)
				}
				if policy := got.header.Get("Content-Security-Policy"); !strings.Contains(policy, "script-src") && !strings.Contains(policy, "default-src") || strings.Contains(policy, "unsafe") {
					t.Errorf("%s%s stands under the policy %q", path, query, policy)
				}
			}
		}
		for path, fields := range map[string]url.Values{
			"/notifications/form":    {"model": {hostileName}, "title": {hostileMarkup}, "message": {hostileMarkup}, "conditions": {hostileMarkup}, "channel": {"email"}, "trigger": {"update"}},
			"/notifications/preview": {"model": {hostileName}, "key": {"7"}, "title": {"{{ doc.status }}"}, "message": {"{{ doc.status }}"}, "html_message": {"<p>{{ doc.status }}</p>"}, "channel": {"email"}, "trigger": {"update"}},
			"/notifications/compare": {"model": {hostileName}, "title": {hostileMarkup}, "conditions": {hostileMarkup}, "channel": {"email"}, "trigger": {"update"}},
			"/notifications/new":     {"model": {hostileName}, "title": {hostileMarkup}, "conditions": {hostileMarkup}, "channel": {hostileMarkup}, "trigger": {hostileMarkup}},
			"/notifications/bulk":    {"what": {"delete"}, "id": {c.ids["notifications"]}}, "/lists/new": {"name": {hostileMarkup}, "lines": {hostileMarkup}},
			"/users": {"email": {hostileMarkup}, "name": {hostileMarkup}, "role": {hostileMarkup}}, "/tokens": {"name": {hostileMarkup + hostileMarkup}, "scope": {hostileMarkup}},
			"/health/tests":     {"channel": {"email"}, "to": {hostileMarkup}},
			"/suppressions/new": {"channel": {"email"}, "address": {hostileMarkup}, "notification": {hostileMarkup}, "detail": {hostileMarkup}},
		} {
			got := c.ask(boss, http.MethodPost, path, fields.Encode(), form)
			if found := runsBy(t, got.body); len(found) > 0 || got.status >= http.StatusInternalServerError {
				t.Errorf("POST %s: %d holds %q", path, got.status, found)
			}
			if strings.Contains(got.body, planted) {
				shows++
			}
		}
		if shows < 30 {
			t.Errorf("%d pages show what was planted: this test looks at too little", shows)
		}
	})
}
