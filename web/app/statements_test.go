package app

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/testdb"
)

// hostileTexts are what somebody sends who hopes that it becomes a part of a statement. Each parameter gets the first few
// by itself, and all of them together with its neighbours.
var hostileTexts = []string{
	`'`, `"; DROP TABLE witness; --`, "zz\x00", "\xff\xfe",
	`' OR '1'='1`, `' OR 1=1 --`, `') OR ('1'='1`, `" OR ""="`, "` OR ``=`", `'; DROP TABLE witness; --`, `'); DELETE FROM witness; --`, `1; UPDATE witness SET secret = 'gone'`,
	`' UNION SELECT secret FROM witness --`, `' UNION ALL SELECT NULL,NULL,NULL,NULL --`, `x' AND (SELECT secret FROM witness) LIKE 't%`, `'||(SELECT secret FROM witness)||'`,
	`%`, `_`, `\`, `\'`, `%27`, `%' ESCAPE '!`, `*`, `?`, `$1`, `:p`, `@p`, `;`, `--`, `/*`, `zz*/`, `(SELECT pg_sleep(600))`, `'; ATTACH DATABASE '/nowhere/x' AS x; --`,
	`id DESC; DROP TABLE witness`, `CASE WHEN 1=1 THEN id ELSE title END`, `created_at`, `witness.secret`, `"witness"."secret"`, `~~~ct~~~`, "zz\r\nzz", "ʼ ＇ ‘", "\u202ezz", strings.Repeat("'", 5000),
}

// singles are those that each parameter gets by itself.
const singles = 4

// nobodyHas is a text like any other, which nothing here has.
const nobodyHas = "nobody-has-this"

// storable says whether a text can be looked for at all: what Postgres cannot hold is refused, or is no filter.
func storable(text string) bool {
	return !strings.ContainsRune(text, 0) && strings.ToValidUTF8(text, "") == text && len(text) < 300
}

// stands fails the test when something was taken, changed or told.
func (c *crowd) stands(what string) {
	c.t.Helper()
	var secrets []string
	if err := c.db.Raw("SELECT secret FROM witness").Scan(&secrets).Error; err != nil || !slices.Equal(secrets, []string{"the secret"}) {
		c.t.Fatalf("%s: the witness is %q, %v", what, secrets, err)
	}
	var rows int64
	if err := c.db.Table(c.model).Count(&rows).Error; err != nil || rows != 1 {
		c.t.Fatalf("%s: %d orders, %v", what, rows, err)
	}
}

// as gives the caller with a need.
func (c *crowd) as(has need) caller {
	return c.callers[slices.IndexFunc(c.callers, func(one caller) bool { return slices.Contains(one.has, has) })]
}

// ask calls a route in the process: thousands of connections would only take time.
func (c *crowd) ask(who caller, method, target, body, kind string) reply {
	c.t.Helper()
	r := httptest.NewRequestWithContext(c.t.Context(), method, "/", strings.NewReader(body))
	u, err := url.ParseRequestURI(target)
	if err != nil {
		c.t.Fatalf("%s: %v", target, err)
	}
	host := c.server.Listener.Addr().String()
	r.URL, r.RequestURI, r.Host, r.RemoteAddr = u, target, host, "127.0.0.1:1"
	for name, value := range map[string]string{"Cookie": who.cookie, "X-CSRF-Token": who.form, "Content-Type": kind, "Origin": "http://" + host, "Accept": "text/html"} {
		r.Header.Set(name, value)
	}
	if who.bearer != "" {
		r.Header.Set("Authorization", "Bearer "+who.bearer)
	}
	w := httptest.NewRecorder()
	c.app.Handler().ServeHTTP(w, r)
	return reply{w.Code, w.Header(), w.Body.String()}
}

// answer is what counts of a reply: its status, and how much of what the lists hold it shows.
type answer struct{ status, rows int }

func answerOf(r reply) answer { return answer{r.status, strings.Count(r.body, planted)} }

// sound fails the test when an answer is a failure of ours, or tells what it must not.
func (c *crowd) sound(what, text string, got reply) {
	c.t.Helper()
	if got.status >= http.StatusInternalServerError {
		c.t.Errorf("%s with %.60q: %d\n%.300s", what, text, got.status, got.body)
	}
	for _, secret := range []string{"the secret", "syntax error", "SQLSTATE", "SQL logic error"} {
		if strings.Contains(got.body, secret) {
			c.t.Errorf("%s with %.60q tells %q:\n%.600s", what, text, secret, got.body)
		}
	}
}

// heeds asks with texts, and with one that nobody has, whose answer all others get.
func (c *crowd) heeds(what string, texts []string, ask func(text string) reply) {
	c.t.Helper()
	usual := answerOf(ask(nobodyHas))
	for _, text := range texts {
		reply := ask(text)
		c.sound(what, text, reply)
		if got := answerOf(reply); storable(text) && got != usual {
			c.t.Errorf("%s with %.60q: %+v, and any other text gives %+v", what, text, got, usual)
		}
	}
}

// each tries every parameter of a page or a call by itself with a few texts, and all of them together with each. A cursor is
// a place in an order, and different texts are different places.
func (c *crowd) each(what string, parameters []string, ask func(values url.Values) reply) {
	c.t.Helper()
	for _, name := range parameters {
		if name == "cursor" {
			for _, text := range hostileTexts {
				c.sound(what+" "+name, text, ask(url.Values{name: {text}}))
			}
			continue
		}
		c.heeds(what+" "+name, hostileTexts[:singles], func(text string) reply { return ask(url.Values{name: {text}}) })
	}
	c.heeds(what+" with a parameter of that name", hostileTexts[:singles], func(text string) reply { return ask(url.Values{text: {"x"}}) })
	c.heeds(what+" all parameters", hostileTexts, func(text string) reply {
		values := url.Values{}
		for _, name := range parameters {
			if name != "cursor" {
				values.Set(name, text)
			}
		}
		return ask(values)
	})
	c.stands(what)
}

// fill tries the fields of a form, as each does those of a page. A form does something, so its answers are not alike.
func (c *crowd) fill(path string, fields []string, who caller) {
	c.t.Helper()
	for i, text := range hostileTexts {
		values := url.Values{}
		for _, name := range fields {
			values.Set(name, text)
			if i < singles {
				c.sound("POST "+path+" "+name, text, c.ask(who, http.MethodPost, path, url.Values{name: {text}}.Encode(), form))
			}
		}
		c.sound("POST "+path+" all fields", text, c.ask(who, http.MethodPost, path, values.Encode(), form))
	}
	c.stands(path)
}

const form = "application/x-www-form-urlencoded"

// reads lists the API's calls that read, with their parameters, as its description has them. What takes any text is told
// from what does not by asking: one that is refused would keep its neighbours from being looked at.
func (c *crowd) reads() (free, strict map[string][]string) {
	c.t.Helper()
	type parameter struct {
		Name, In string
		Ref      string `json:"$ref"`
	}
	var description struct {
		Paths      map[string]map[string]json.RawMessage
		Components struct{ Parameters map[string]parameter }
	}
	if err := json.Unmarshal([]byte(c.ask(c.as(read), http.MethodGet, "/api/v1/openapi.json", "", "").body), &description); err != nil {
		c.t.Fatal(err)
	}
	free, strict = map[string][]string{}, map[string][]string{}
	for path, methods := range description.Paths {
		var get struct{ Parameters []parameter }
		if methods["get"] == nil || json.Unmarshal(methods["get"], &get) != nil {
			continue
		}
		path = "/api/v1" + strings.ReplaceAll(strings.ReplaceAll(path, "{model}", "orders"), "{id}", c.ids[strings.Split(path, "/")[1]])
		free[path] = nil
		for _, p := range get.Parameters {
			if p.Ref != "" {
				p = description.Components.Parameters[p.Ref[strings.LastIndex(p.Ref, "/")+1:]]
			}
			if c.ask(c.as(read), http.MethodGet, path+"?"+url.Values{p.Name: {nobodyHas}}.Encode(), "", "").status == http.StatusOK {
				free[path] = append(free[path], p.Name)
			} else {
				strict[path] = append(strict[path], p.Name)
			}
		}
	}
	return free, strict
}

// pages are the console's parameters, by page.
var pages = map[string][]string{
	"/": {"span"}, "/dashboard.csv": {"span"}, "/audit": {"actor", "action", "target", "target_id", "cursor"}, "/users": {"cursor"}, "/tokens": {"cursor"},
	"/notifications":        {"search", "active", "channel", "trigger", "model", "list", "created_from", "created_until", "changed_from", "changed_until", "sort", "cursor"},
	"/notifications/export": {"search", "active", "channel", "trigger", "model", "list", "sort", "id", "everything"}, "/notifications/new": {"model", "channel", "trigger"},
	"/deliveries":       {"q", "event", "notification", "channel", "address", "status", "provider", "code", "workflow", "period", "from", "to", "cursor"},
	"/deliveries.csv":   {"q", "event", "notification", "channel", "address", "status", "provider", "code", "workflow", "period", "from", "to"},
	"/deliveries/retry": {"q", "event", "notification", "address", "provider", "code", "workflow", "id", "hit"},
	"/events":           {"q", "model", "key", "action", "status", "source", "workflow", "outcome", "period", "from", "to", "cursor"},
	"/events.csv":       {"q", "model", "key", "action", "status", "source", "workflow", "outcome", "period", "from", "to"},
	"/errors":           {"q", "code", "source", "event", "delivery", "notification", "state", "period", "from", "to", "cursor", "id"},
	"/errors.csv":       {"q", "code", "source", "event", "delivery", "notification", "state", "period", "from", "to"},
	"/suppressions":     {"q", "channel", "reason", "address", "notification", "period", "from", "to", "cursor"},
	"/suppressions.csv": {"q", "channel", "reason", "address", "notification", "period", "from", "to"}, "/suppressions/new": {"channel", "address", "notification"},
	"/lists": {"cursor"}, "/models": {"model"}, "/health": {}, "/account": {}, "/lists/new": {}, "/notifications/import": {}, "/sign-in": {"next", "out"},
}

// forms are what the console is sent, by the need of who sends it. What they would change for the people of this test stays
// out.
var forms = map[string][]string{
	"/notifications/complete": {"kind", "model", "field", "text", "channel"}, "/notifications/form": {"id", "model", "trigger", "channel", "do", "version", "date_field"},
	"/notifications/preview": {"id", "model", "key", "event", "title", "message", "conditions", "channel", "trigger"}, "/notifications/compare": {"id", "model", "trigger", "conditions"},
	"/notifications/new":  {"title", "message", "model", "channel", "trigger", "conditions", "value_change_field", "date_field", "recipient", "where_field", "where_value"},
	"/notifications/test": {"id", "model", "key", "to", "channel"}, "/notifications/bulk": {"what", "id", "filter", "page"}, "/notifications/undo": {"revision", "back"},
	"/notifications/export": {"id", "filter", "everything"}, "/deliveries/retry": {"id", "query"}, "/errors/resolve": {"id", "query", "newest"}, "/errors/reopen": {"at"},
	"/health/tests": {"channel", "to"}, "/lists/new": {"name", "lines"}, "/users": {"email", "name", "role"}, "/tokens": {"name", "scope", "days"}, "/account/name": {"name"},
	"/suppressions/new": {"channel", "address", "notification", "detail"}, "/suppressions/restore": {"entry", "proof"}, "/notifications/preview/html": {"html"},
}

// untried are forms that would take the session or the patience of this test's people.
var untried = []string{"/account/password", "/account/sessions/end", "/notifications/import"}

// bodies are what the API is sent; every text in them is tried.
var bodies = map[string]string{
	"POST /api/v1/notifications": `{"title":"a","message":"b","channel":"email","model":"orders","trigger":"value_change","value_change_field":"status","date_field":"x","conditions":"doc.id == 1",
		"recipients":[{"address":"a@example.com"},{"document_field":"doc.status"},{"list_id":"x"},{"query":{"model":"orders","field":"status","where":[{"field":"status","value":"x"}]}}]}`,
	"POST /api/v1/notifications/preview": `{"model":"orders","key":"7","notification":{"title":"a","message":"b","channel":"email","model":"orders","trigger":"update","conditions":"doc.status == 'a'",
		"recipients":[{"document_field":"doc.twin.status"},{"query":{"model":"orders","field":"twin.status","where":[{"field":"status","value":"x"}]}}]}}`,
	"POST /api/v1/notifications/compare":  `{"notification":{"title":"a","message":"b","channel":"email","model":"orders","trigger":"update","recipients":[{"address":"a@example.com"}]}}`,
	"POST /api/v1/notifications/activate": `{"ids":["x"]}`,
	"POST /api/v1/lists":                  `{"name":"a","entries":[{"email":"a@example.com","number":"+12025550123","locale":"en"}]}`,
	"POST /api/v1/events":                 `{"model":"orders","action":"update","key":"7","doc":{"id":7,"status":"a"},"old_doc":{"id":7,"status":"b"},"idempotency_key":"k","tenant":"t"}`,
	"POST /api/v1/deliveries/retry":       `{"filter":{"event_id":"x","notification_id":"x","channel":"email","address":"x","status":"failed","error_code":"x"}}`,
	"POST /api/v1/suppressions":           `{"channel":"email","address":"a@example.com","notification_id":"x","detail":"x"}`,
	"POST /api/v1/test":                   `{"channel":"email","to":"a@example.com"}`,
}

func TestNoTextBecomesPartOfAStatement(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		c := newCrowd(t, db, planted, "orders")
		boss, token := c.as(admin), c.as(write)
		get := func(who caller, path string) func(url.Values) reply {
			return func(values url.Values) reply { return c.ask(who, http.MethodGet, path+"?"+values.Encode(), "", "") }
		}
		free, strict := c.reads()
		if len(free) < 12 || len(free["/api/v1/deliveries"]) < 4 {
			t.Fatalf("the description has lost its parameters: %v", free)
		}
		for _, some := range []map[string][]string{free, strict} {
			for path, parameters := range some {
				c.each(path, parameters, get(c.as(read), path))
			}
		}
		c.covered()
		for path, parameters := range pages {
			if got := c.ask(boss, http.MethodGet, path, "", ""); got.status != http.StatusOK && path != "/sign-in" && path != "/deliveries/retry" {
				t.Errorf("%s without parameters: %d", path, got.status)
			}
			c.each(path, parameters, get(boss, path))
		}
		for path, fields := range forms {
			c.fill(path, fields, boss)
		}
		c.inPaths(boss, token)
		c.inBodies(token)
		c.stands("after all")
	})
}

// covered fails the test for a page or a form that the tables above do not have: a new one is to be tried too.
func (c *crowd) covered() {
	for _, route := range c.app.engine.Routes() {
		if needed := needs[route.Method+" "+route.Path]; strings.Contains(route.Path, ":") || !slices.Contains([]need{viewer, editor, admin}, needed) {
			continue
		}
		_, known := pages[route.Path]
		if route.Method == http.MethodPost {
			_, known = forms[route.Path]
			known = known || slices.Contains(untried, route.Path)
		}
		if !known {
			c.t.Errorf("%s %s: say in the tables of this test what it reads", route.Method, route.Path)
		}
	}
}

// inPaths puts the texts where a path names a thing.
func (c *crowd) inPaths(boss, token caller) {
	for _, route := range c.app.engine.Routes() {
		if !strings.Contains(route.Path, ":") || route.Method == http.MethodDelete {
			continue
		}
		who := boss
		if strings.HasPrefix(route.Path, "/api/") {
			who = token
			if needs[route.Method+" "+route.Path] == read {
				who = c.as(read)
			}
		}
		segments := slices.DeleteFunc(slices.Clone(hostileTexts), func(text string) bool { return strings.Contains(text, "/") || len(text) > 300 })
		c.heeds(route.Method+" "+route.Path, segments, func(text string) reply {
			return c.ask(who, route.Method, parameter.ReplaceAllLiteralString(route.Path, url.PathEscape(text)), "", form)
		})
		c.stands(route.Path)
	}
}

// inBodies puts the texts into the place of every text of a JSON body, and of every name.
func (c *crowd) inBodies(token caller) {
	for call, body := range bodies {
		method, path, _ := strings.Cut(call, " ")
		for place := 0; ; place++ {
			var tree any
			if err := json.Unmarshal([]byte(body), &tree); err != nil {
				c.t.Fatalf("%s: %v", call, err)
			}
			if _, put := replaced(tree, new(place), ""); !put {
				break
			}
			for _, text := range hostileTexts {
				said, _ := replaced(tree, new(place), text)
				sent, err := json.Marshal(said)
				if err != nil {
					c.t.Fatal(err)
				}
				c.sound(fmt.Sprintf("%s at %d", call, place), text, c.ask(token, method, path, string(sent), "application/json"))
			}
		}
		c.stands(call)
	}
}

// replaced gives a copy of a JSON tree with the text in the place of one of its texts or names, counted in their order.
func replaced(tree any, place *int, text string) (any, bool) {
	switch v := tree.(type) {
	case string:
		*place--
		if *place == -1 {
			return text, true
		}
		return v, false
	case []any:
		list, put := make([]any, len(v)), false
		for i := range v {
			var here bool
			list[i], here = replaced(v[i], place, text)
			put = put || here
		}
		return list, put
	case map[string]any:
		object, put := map[string]any{}, false
		for _, name := range slices.Sorted(maps.Keys(v)) {
			value, here := replaced(v[name], place, text)
			*place--
			if *place == -1 {
				name, here = text, true
			}
			object[name] = value
			put = put || here
		}
		return object, put
	default:
		return tree, false
	}
}
