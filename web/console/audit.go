package console

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/audit"
	"github.com/silquetech/silque-notifications/internal/doubt"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/web/ui"
)

func (s *Console) auditRoutes() []Route {
	return []Route{{http.MethodGet, "/audit", account.Admin, (*Console).showAudit}}
}

// auditView is a page of the audit log.
type auditView struct {
	Records []audit.Record
	Filter  audit.Filter
	Query   url.Values
	Next    string
	Kinds   []string
	// Filtered says that something is left out.
	Filtered bool
	// Channels are those of the deliveries that entries name, by their IDs.
	Channels map[string]rule.Channel
}

// kinds are the things that the log tells of.
var kinds = []string{"notification", "list", "delivery", "event", "error", "suppression", "user", "token"}

// Path is where the thing of an entry can be looked at; empty when it is not known.
func (auditView) Path(r audit.Record) string {
	if r.TargetID == "" {
		return ""
	}
	switch id := url.PathEscape(r.TargetID); r.Target {
	case "notification":
		return "/notifications/" + id + "/history"
	case "user":
		return "/users/" + id
	case "delivery":
		return "/deliveries/" + id
	case "event":
		return "/events/" + id
	case "error":
		return "/errors/" + id
	case "list":
		return "/lists"
	case "suppression":
		return "/suppressions/" + id
	case "token":
		return "/tokens"
	default:
		return ""
	}
}

// deeds say an action in words where the code does not say it by itself.
var deeds = map[string]string{
	"delivery.retried": "retried", doubt.Action: "ended the doubt about a delivery", "delivery.retry_stopped": "stopped the retry of many deliveries",
	"event.test_sent": "sent a test message", "error.reopened": "opened errors again", "error.resolved": "resolved",
	"user.link_made": "made a sign-in link for a user", "user.sessions_ended": "ended the sessions of a user",
	"user.password_changed": "changed a password", "user.password_set": "set a password", "user.role_changed": "changed the role of a user",
	"user.identified": "signed in for the first time through the provider",
}

// articles stand before the kinds of things.
var articles = map[string]string{"list": "a saved list", "event": "an event", "error": "an error", "token": "an API token"} //nolint:gosec // words for people, no secret

// Deed says in words what was done: "restored a notification".
func (auditView) Deed(r audit.Record) string {
	kind, done, _ := strings.Cut(r.Action, ".")
	thing := cmp.Or(articles[kind], "a "+kind)
	switch deed := deeds[r.Action]; {
	case deed == "resolved" || deed == "retried":
		if r.TargetID == "" {
			return deed + " " + map[string]string{"delivery": "deliveries", "error": "errors"}[kind]
		}
		return deed + " " + thing
	case deed != "":
		return deed
	default:
		return strings.ReplaceAll(done, "_", " ") + " " + thing
	}
}

// What names the thing of an entry.
func (v auditView) What(r audit.Record) string {
	if r.Action == "event.test_sent" {
		return messageName(rule.Channel(r.Detail))
	}
	if r.Action == doubt.Action {
		return strings.ReplaceAll(r.Detail, "_", " ")
	}
	if channel := v.Channels[r.TargetID]; channel != "" && r.Detail == "" {
		return messageName(channel)
	}
	return cmp.Or(r.Detail, r.TargetID)
}

// channelsOf reads the channels of the deliveries that entries name; of those that are not kept any more there is none.
func (s *Console) channelsOf(ctx context.Context, records []audit.Record) (map[string]rule.Channel, error) {
	var ids []string
	for _, r := range records {
		if r.Target == "delivery" && r.TargetID != "" {
			ids = append(ids, r.TargetID)
		}
	}
	deliveries, err := s.deliveries.ByIDs(ctx, ids)
	if err != nil {
		return nil, err
	}
	channels := make(map[string]rule.Channel, len(deliveries))
	for _, d := range deliveries {
		channels[d.ID] = d.Channel
	}
	return channels, nil
}

func (s *Console) showAudit(c *gin.Context) error {
	filter := audit.Filter{
		Actor: strings.TrimSpace(c.Query("actor")), Action: strings.TrimSpace(c.Query("action")),
		Target: c.Query("target"), TargetID: strings.TrimSpace(c.Query("target_id")),
	}
	records, next, err := audit.List(c.Request.Context(), s.config.DB, filter, c.Query("cursor"), 0)
	if err != nil {
		return err
	}
	channels, err := s.channelsOf(c.Request.Context(), records)
	if err != nil {
		return err
	}
	return s.show(c, http.StatusOK, "audit", &ui.Page{Title: "Audit log", Area: "/audit", Data: auditView{
		Records: records, Filter: filter, Query: c.Request.URL.Query(), Next: next, Kinds: kinds, Filtered: filter != audit.Filter{}, Channels: channels,
	}})
}
