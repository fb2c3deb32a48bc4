package canary

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/silquetech/silque-notifications/dev/apiclient"
)

// live lets everything happen to the person that can: messages that go, that fail for a while and for good, that stay in
// doubt, people who sign in and who try to, requests that cannot be read, and mistakes of our own.
func (h *house) live() {
	for _, part := range []struct {
		what string
		do   func()
	}{
		{"people", h.people}, {"notifications", h.notifications}, {"messages", h.messages}, {"comebacks", h.comebacks},
		{"mistakes of callers", h.mistakesOfCallers}, {"mistakes of ours", h.mistakesOfOurs},
	} {
		begun := time.Now()
		part.do()
		h.took(part.what, begun)
	}
}

// people sign in, with passwords and cookies of which each is a secret.
func (h *house) people() {
	t := h.t
	admin := h.browser()
	if got := admin.ask(http.MethodGet, "/account", nil); got.status == http.StatusSeeOther { // development signs in whoever comes from this machine
		t.Fatalf("the admin is sent to %s", got.location)
	}
	h.secrets["admin's session"] = admin.cookie("silque_session")
	h.secrets["admin's form token"] = admin.cookie("silque_csrf")
	made := admin.send("/tokens", "name", "a shop", "scope", "read", "scope", "write", "days", "1")
	h.secrets["API token"] = find(h, made.body, `silque_[A-Z2-7]{20,}`)

	address := h.person.address("viewer")
	invited := admin.send("/users", "email", address, "name", h.person.canaries["name"], "role", "viewer")
	h.secrets["invitation"] = strings.TrimPrefix(find(h, invited.body, `/welcome/[\w-]{16,}`), "/welcome/")
	h.secrets["password"], h.secrets["wrong password"] = word(), word()
	viewer := h.browser()
	if got := viewer.send("/welcome/"+h.secrets["invitation"], "name", h.person.canaries["name"], "password", h.secrets["password"], "again", h.secrets["password"]); got.status != http.StatusSeeOther {
		t.Fatalf("welcome: %d\n%s", got.status, got.body)
	}
	h.secrets["viewer's session"] = viewer.cookie("silque_session")
	_ = viewer.ask(http.MethodGet, "/welcome/"+h.secrets["invitation"], nil) // it is used up

	stranger := h.browser()
	stranger.ask(http.MethodGet, "/", nil)
	stranger.send("/sign-out")
	for range 3 {
		if got := stranger.send("/sign-in", "email", address, "password", h.secrets["wrong password"]); got.status != http.StatusUnprocessableEntity {
			t.Errorf("a wrong password: %d", got.status)
		}
	}
	for _, code := range []string{"refused", "garbage", "forged"} {
		h.secrets["code "+code] = code + word()
		begun := stranger.ask(http.MethodGet, "/oidc/start", nil)
		where, err := url.Parse(begun.location)
		must(t, err)
		back := stranger.ask(http.MethodGet, "/oidc/callback?code="+h.secrets["code "+code]+"&state="+where.Query().Get("state"), nil)
		if back.status != http.StatusForbidden || !strings.Contains(back.body, "does not hold") {
			t.Errorf("a code that does not hold: %d\n%s", back.status, back.body)
		}
	}
	_ = stranger.ask(http.MethodGet, "/account", nil, "Cookie", "silque_session="+h.secrets["wrong password"])
	_ = h.call("wrong token", http.MethodGet, "/api/v1/notifications", nil)
}

// find gives what a pattern finds.
func find(h *house, body, pattern string) string {
	h.t.Helper()
	found := regexp.MustCompile(pattern).FindString(body)
	if found == "" {
		h.t.Fatalf("there is no %s in\n%s", pattern, body)
	}
	return found
}

// call makes a call with another token, and gives the answer's status.
func (h *house) call(token, method, path string, body any) int {
	h.t.Helper()
	client := h.Client
	if token != "" {
		h.secrets["wrong API token"] = word()
		client.Token = h.secrets["wrong API token"]
	}
	err := client.Call(waiting(h.t), method, path, body, nil)
	var refused *apiclient.Refused
	switch {
	case err == nil:
		return http.StatusOK
	case errors.As(err, &refused):
		return refused.Status
	default:
		h.t.Fatal(err)
		return 0
	}
}

// notifications watch customers; each row decides by its name how it ends.
func (h *house) notifications() {
	t, p := h.t, h.person
	must(t, h.OnlyNotifications(waiting(t)))
	var list struct{ ID string }
	must(t, h.Call(waiting(t), http.MethodPost, "/api/v1/lists", map[string]any{
		"name": p.canaries["list entry"], "entries": []map[string]any{{"name": p.canaries["name"], "email": p.address("ok"), "number": p.number}},
	}, &list))
	for _, channel := range []string{"email", "sms", "whatsapp"} {
		n := map[string]any{
			"title": p.canaries["subject"] + " {{ doc.name }}", "message": p.canaries["text"] + " for {{ doc.name }}", "channel": channel, "model": "customers", "trigger": "new",
			"recipients": []map[string]any{{"document_field": map[bool]string{true: "doc.email", false: "doc.phone"}[channel == "email"]}},
		}
		if channel == "email" {
			n["html_message"] = "<p>" + p.canaries["html"] + " {{ doc.name }}</p>"
			n["conditions"] = `doc.name != "` + p.canaries["condition"] + `"`
		}
		must(t, h.Call(waiting(t), http.MethodPost, "/api/v1/notifications", n, nil))
	}
}

// messages go to the person, with each outcome.
func (h *house) messages() {
	t, p := h.t, h.person
	for _, outcome := range []string{"ok", "temporary", "permanent", "doubtful", "spam", "hang", "garbage"} {
		event := h.customer(outcome)
		if outcome != "permanent" {
			continue
		}
		deliveries, err := h.Deliveries(waiting(t), event)
		must(t, err)
		for _, d := range deliveries {
			if d.Status == "failed" {
				must(t, h.Call(waiting(t), http.MethodPost, "/api/v1/deliveries/"+d.ID+"/retry", nil, nil))
			}
		}
	}
	h.mail.locked.Store(true)
	h.customer("locked")
	h.mail.locked.Store(false)
	var accepted struct {
		EventID string `json:"event_id"`
	}
	must(t, h.Call(waiting(t), http.MethodPost, "/api/v1/test", map[string]any{"channel": "email", "to": p.address("ok")}, &accepted))
	_, err := h.Settled(waiting(t), accepted.EventID)
	must(t, err)
	var foreign struct{ ID string }
	must(t, h.Call(waiting(t), http.MethodPost, "/api/v1/events", map[string]any{
		"model": "customers", "action": "create", "key": p.canaries["row key"], "doc": map[string]any{"name": p.canaries["name"] + " ok", "email": p.address("ok"), "phone": p.number},
	}, &foreign))
	_, err = h.Settled(waiting(t), foreign.ID)
	must(t, err)
	if h.mail.taken.Load() < 3 {
		t.Errorf("the mail server has taken %d messages", h.mail.taken.Load())
	}
}

// row is a customer who decides by the name how messages end.
func (h *house) row(outcome string) map[string]any {
	p := h.person
	return map[string]any{"name": p.canaries["name"] + " " + outcome, "email": p.address(strings.Fields(outcome)[0]), "phone": p.number}
}

// customer saves one, and waits until its event is settled.
func (h *house) customer(outcome string) (eventID string) {
	h.t.Helper()
	return h.saved("customers", h.row(outcome))
}

// saved saves a row, and waits until its event is settled.
func (h *house) saved(model string, row map[string]any) (eventID string) {
	h.t.Helper()
	eventID = h.save(model, row)
	_, err := h.Settled(waiting(h.t), eventID)
	must(h.t, err)
	return eventID
}

// save saves a row, and gives its event.
func (h *house) save(model string, row map[string]any) (eventID string) {
	t := h.t
	t.Helper()
	key, err := h.Save(waiting(t), model, row)
	must(t, err)
	event, err := h.EventOf(waiting(t), model, key)
	must(t, err)
	return event.ID
}

// mistakesOfCallers are requests that cannot be understood, each with a word in it that must not be repeated elsewhere.
func (h *house) mistakesOfCallers() {
	t, p := h.t, h.person
	broken := p.canaries["broken body"]
	for _, path := range []string{"/api/v1/events", "/api/v1/notifications", "/api/v1/test", "/api/v1/lists", "/api/v1/deliveries/retry", "/api/v1/notifications/preview"} {
		for _, body := range []string{`{"` + broken + `": 1}`, `{"channel": "` + broken + `", "to": "` + broken + `@", "model": "` + broken + `"}`, broken} {
			request, err := http.NewRequestWithContext(waiting(t), http.MethodPost, h.URL+path+"?q="+broken, strings.NewReader(body))
			must(t, err)
			request.Header.Set("Authorization", "Bearer "+h.Token)
			request.Header.Set("Content-Type", "application/json")
			response, err := http.DefaultClient.Do(request)
			must(t, err)
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
			if response.StatusCode < 400 || response.StatusCode >= 500 {
				t.Errorf("%s with %s: %d", path, body, response.StatusCode)
			}
		}
	}
	for _, path := range []string{
		"/api/v1/events?model=customers&key=" + url.QueryEscape(p.address("ok")), "/api/v1/deliveries?address=" + url.QueryEscape(p.address("ok")),
		"/api/v1/events/" + p.canaries["row key"], "/api/v1/notifications/" + p.canaries["row key"], "/api/v1/deliveries?from=" + broken,
	} {
		if status := h.call("", http.MethodGet, path, nil); status >= 500 {
			t.Errorf("%s: %d", path, status)
		}
	}
	// A row key that does not fit the column's type: Postgres quotes it in its refusal.
	status := h.call("", http.MethodPost, "/api/v1/notifications/preview", map[string]any{
		"model": "customers", "key": p.canaries["row key"], "notification": map[string]any{
			"title": p.canaries["subject"], "message": p.canaries["text"], "channel": "email", "model": "customers", "trigger": "new",
			"recipients": []map[string]any{{"address": p.address("ok")}},
		},
	})
	if status >= 500 {
		t.Errorf("a preview with a key that is none: %d", status)
	}
	admin := h.browser()
	admin.ask(http.MethodGet, "/", nil)
	for _, path := range []string{"/deliveries", "/events", "/errors", "/notifications", "/audit"} {
		admin.ask(http.MethodGet, path+"?q="+url.QueryEscape(p.address("ok")), nil)
	}
	admin.send("/health/tests", "channel", "email", "to", p.address("ok"))
	admin.send("/notifications/preview", "channel", "email", "model", "customers", "message", p.canaries["text"]+"{{ doc."+broken+" }}", "conditions", "doc."+broken+" == 1", "preview_key", p.canaries["row key"])
}

// mistakesOfOurs lets statements fail with errors that quote a value, and lets the code panic with one: in the web app,
// in the relay and in the worker.
func (h *house) mistakesOfOurs() {
	t, p := h.t, h.person
	admin := h.browser()
	admin.ask(http.MethodGet, "/", nil)
	for _, order := range []string{"refuse", "scan", "panic"} {
		h.order(order, p.canaries["panic"])
		failed := 0
		for range 40 {
			for _, path := range []string{"/notifications", "/deliveries", "/sign-in"} {
				failed += map[bool]int{true: 1}[admin.ask(http.MethodGet, path, nil).status >= 500]
			}
			failed += map[bool]int{true: 1}[h.call("", http.MethodGet, "/api/v1/notifications", nil) >= 500]
			if h.heard(spent + order + "\n") {
				break
			}
		}
		t.Logf("%s: %d answers say that something went wrong", order, failed)
	}
	// What was spoiled is tried again after a while: those whiles go by together.
	var events []string
	for _, place := range []string{"activities", "local activities"} {
		for _, order := range []string{"refuse", "scan", "unreachable", "panic"} {
			begun := time.Now()
			h.order(order+" in "+place, p.canaries["panic"])
			events = append(events, h.save("customers", h.row("ok")))
			must(t, apiclient.Until(waiting(t), func() (bool, error) { return h.heard(spent + order + " in " + place + "\n"), nil }))
			h.took(order+" in "+place, begun)
		}
	}
	events = append(events, h.save("customers", h.row("ok ok ok ok")))
	for _, event := range events {
		_, err := h.Settled(waiting(t), event)
		must(t, err)
	}
}
