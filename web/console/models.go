package console

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/web/ui"
)

func (s *Console) modelsRoutes() []Route {
	return []Route{{http.MethodGet, "/models", account.Viewer, (*Console).showModels}}
}

// modelRow is a model of the catalog, and how many notifications watch it.
type modelRow struct {
	*rule.Model

	Watching int64
	// Gone says that notifications name it, and the catalog has it no more.
	Gone bool
}

// Key says whether a field is a part of the primary key.
func (m modelRow) Key(field string) bool {
	for _, name := range m.PrimaryKey {
		if name == field {
			return true
		}
	}
	return false
}

func (s *Console) showModels(c *gin.Context) error {
	ctx := c.Request.Context()
	models, err := catalog.Load(ctx, s.config.DB)
	if err != nil {
		return err
	}
	counts, err := s.notifications.PerModel(ctx)
	if err != nil {
		return err
	}
	var rows []modelRow
	for _, name := range modelNames(models, counts) {
		m, known := models.Model(name)
		if !known {
			m = &rule.Model{Name: name, Label: name}
		}
		rows = append(rows, modelRow{Model: m, Watching: counts[name], Gone: !known})
	}
	return s.show(c, http.StatusOK, "models", &ui.Page{Title: "Models", Area: "/models", Data: rows, Styles: []string{"notifications.css"}})
}
