package console

import (
	"time"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/web/ui"
)

// navigation lists where a person may go.
func (s *Console) navigation(person *ui.Person) []ui.Group {
	groups := []ui.Group{
		{Links: []ui.Link{{Path: "/", Name: "Dashboard"}}},
		{Name: "Tell", Links: []ui.Link{{Path: "/notifications", Name: "Notifications"}, {Path: "/lists", Name: "Saved lists"}, {Path: "/suppressions", Name: "Suppressions"}, {Path: "/models", Name: "Models"}}},
		{Name: "Watch", Links: []ui.Link{{Path: "/deliveries", Name: "Deliveries"}, {Path: "/events", Name: "Events"}, {Path: "/errors", Name: "Errors"}, {Path: "/health", Name: "Health"}}},
	}
	if person.May(account.Admin) {
		groups = append(groups, ui.Group{Name: "Rights", Links: []ui.Link{
			{Path: "/users", Name: "Users"}, {Path: "/tokens", Name: "API tokens"}, {Path: "/audit", Name: "Audit log"}}})
	}
	if len(s.config.Elsewhere) > 0 {
		groups = append(groups, ui.Group{Name: "Development", Links: s.config.Elsewhere})
	}
	return groups
}

// zone is the reader's time zone.
func zone(c *gin.Context) *time.Location { return ui.ZoneOf(c) }
