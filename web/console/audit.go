package console

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/audit"
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
}

// kinds are the things that the log tells of.
var kinds = []string{"notification", "list", "delivery", "event", "error", "user", "token"}

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
	case "token":
		return "/tokens"
	default:
		return ""
	}
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
	return s.show(c, http.StatusOK, "audit", &ui.Page{Title: "Audit log", Area: "/audit", Data: auditView{
		Records: records, Filter: filter, Query: c.Request.URL.Query(), Next: next, Kinds: kinds, Filtered: filter != audit.Filter{},
	}})
}
