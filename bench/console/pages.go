package main

import (
	"net/url"
	"time"
)

// page is one that is measured.
type page struct {
	name, path string
	// deep follows so many links to the next page first.
	deep int
}

// furtherPages is how deep a deep page is, by links; deeper ones are reached by the ID of what stands in the middle.
const furtherPages = 10

// pages lists what is measured: every list with nothing asked for, with each filter alone, with the worst ones together,
// deep within, with searches that find and that find nothing; then the page of one thing, and the dashboard.
func (s *seeder) pages() ([]page, error) {
	ids := map[string]string{}
	for name, from := range map[string][2]string{
		"delivery": {"notify_deliveries", "status = 'sent'"}, "failed": {"notify_deliveries", "status = 'failed'"},
		"event": {"notify_events", "reason = ''"}, "silent": {"notify_events", "reason <> ''"}, "error": {"notify_errors", "1 = 1"},
		"rule": {"notify_notifications", "version = 1"},
	} {
		id, err := s.one(from[0], from[1])
		if err != nil {
			return nil, err
		}
		ids[name] = id
	}
	var busy, workflow, middle string
	for into, query := range map[*string]string{
		&busy:     "SELECT " + s.ruleID("1"),
		&workflow: "SELECT workflow_id FROM notify_deliveries WHERE id = '" + ids["delivery"] + "'",
		&middle:   "SELECT " + s.eventID("n") + " FROM " + s.numbers(s.events()/2, s.events()/2+1),
	} {
		if err := s.db.Raw(query).Scan(into).Error; err != nil {
			return nil, err
		}
	}
	day := func(ago time.Duration) string { return time.Now().Add(-ago).UTC().Format("2006-01-02T15:04") }
	month := url.Values{"from": {day(60 * 24 * time.Hour)}, "to": {day(59 * 24 * time.Hour)}}.Encode()

	all := []page{
		{name: "dashboard", path: "/"}, {name: "dashboard, a week", path: "/?span=week"}, {name: "dashboard, a month", path: "/?span=month"},
		{name: "deliveries", path: "/deliveries"}, {name: "deliveries, tenth page", path: "/deliveries", deep: furtherPages},
		{name: "deliveries, in the middle", path: "/deliveries?cursor=" + middle},
	}
	for _, list := range []struct {
		path, name string
		filters    []string
	}{
		{"/deliveries", "deliveries", []string{
			"status=sent", "status=failed", "status=pending", "status=unknown", "status=suppressed", "channel=email", "channel=whatsapp",
			"code=smtp_550_5.1.1", "code=none", "address=customer7919@example.com", "address=nobody@example.com", "event=" + ids["event"],
			"notification=" + busy, "notification=" + ids["rule"], "provider=SM4711", "workflow=" + workflow, "period=hour", "period=month", month,
			"status=failed&channel=whatsapp&period=month", "status=failed&notification=" + busy, "status=suppressed&channel=sms&code=smtp_timeout",
			"status=unknown&notification=" + ids["rule"], "channel=email&cursor=" + middle, "status=failed&cursor=" + middle, month + "&channel=sms&status=failed",
			"q=customer7919@example.com", "q=customer79", "q=zzzznothing", "q=" + ids["delivery"], "q=N-42+is", "q=zzzz&status=failed", "q=zzzz&status=sent&channel=email",
		}},
		{"/events", "events", []string{
			"model=orders", "model=invoices", "model=none", "key=7", "action=create", "action=test", "status=settled", "status=pending", "source=plugin", "source=api",
			"source=starter", "outcome=told", "outcome=silent", "workflow=" + workflow, "period=hour", month, "model=invoices&action=test&source=api",
			"model=orders&outcome=silent", "cursor=" + middle, "q=4711", "q=zzzznothing", "q=" + ids["event"], "q=zzzz&model=orders",
		}},
		{"/errors", "errors", []string{
			"code=smtp_550_5.1.1", "code=none", "source=send", "source=none", "state=open", "state=resolved", "state=all", "notification=" + busy, "event=" + ids["event"],
			"delivery=" + ids["failed"], "period=hour", month, "code=twilio_21211&state=open&notification=" + ids["rule"], "q=refused", "q=zzzznothing",
		}},
		{"/notifications", "notifications", []string{
			"active=true", "active=false", "channel=email", "channel=whatsapp", "trigger=new", "trigger=days_before", "model=orders", "model=none",
			"created_from=2026-01-01", "changed_until=2026-01-01", "sort=title", "sort=-title", "sort=changed", "sort=-changed", "sort=created",
			"search=order", "search=large+order+777", "search=zzzznothing", "search=zzzz&active=true&channel=email&sort=title", "active=false&channel=whatsapp&trigger=update&model=orders",
		}},
	} {
		if list.path != "/deliveries" {
			all = append(all, page{name: list.name, path: list.path}, page{name: list.name + ", tenth page", path: list.path, deep: furtherPages})
		}
		for _, filter := range list.filters {
			all = append(all, page{name: list.name + ": " + short(filter), path: list.path + "?" + filter})
		}
	}
	return append(all,
		page{name: "a delivery", path: "/deliveries/" + ids["delivery"]}, page{name: "a delivery that failed", path: "/deliveries/" + ids["failed"]},
		page{name: "retry of all that failed, asked", path: "/deliveries/retry?status=failed"},
		page{name: "an event", path: "/events/" + ids["event"]}, page{name: "an event that told nobody", path: "/events/" + ids["silent"]},
		page{name: "an error", path: "/errors/" + ids["error"]}, page{name: "a notification", path: "/notifications/" + ids["rule"]},
		page{name: "a notification's history", path: "/notifications/" + ids["rule"] + "/history"},
		page{name: "a new notification", path: "/notifications/new"}, page{name: "import of notifications", path: "/notifications/import"},
		page{name: "export of notifications", path: "/notifications/export"},
		page{name: "saved lists", path: "/lists"}, page{name: "models", path: "/models"}, page{name: "health", path: "/health"},
		page{name: "account", path: "/account"}, page{name: "users", path: "/users"}, page{name: "tokens", path: "/tokens"}, page{name: "audit log", path: "/audit"},
		page{name: "a page that is not there", path: "/nothing"},
	), nil
}

// short keeps a filter's name readable: IDs are cut.
func short(filter string) string {
	text, err := url.QueryUnescape(filter)
	if err != nil {
		text = filter
	}
	return longID.ReplaceAllString(text, "…")
}
