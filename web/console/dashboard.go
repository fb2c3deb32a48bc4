package console

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/web/ui"
)

func (s *Console) dashboardRoutes() []Route {
	return []Route{{http.MethodGet, "/", account.Viewer, (*Console).showDashboard}}
}

func (s *Console) showDashboard(c *gin.Context) error {
	return s.show(c, http.StatusOK, "dashboard", &ui.Page{Title: "Dashboard", Area: "/"})
}
