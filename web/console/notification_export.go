package console

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/ruleset"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/rules"
	"github.com/silquetech/silque-notifications/web/ui"
)

// ruleSet is what files of notifications are written from and read into.
func (s *Console) ruleSet() ruleset.Set {
	return ruleset.Set{DB: s.config.DB, Options: rules.Options{
		Addresses: s.config.Addresses, Settings: s.config.Rules, OnChange: s.config.OnRuleChange,
	}}
}

// exportPage says what a file would hold.
type exportPage struct {
	rulesQuery

	All, Matching, Lists int64
}

func (s *Console) askExport(c *gin.Context) error {
	ctx := c.Request.Context()
	p := exportPage{rulesQuery: rulesQueryOf(c.Request.URL.Query(), zone(c))}
	var err error
	if p.All, err = s.notifications.Count(ctx, store.NotificationFilter{}); err != nil {
		return err
	}
	if p.Matching, err = s.notifications.Count(ctx, p.Filter); err != nil {
		return err
	}
	lists, err := s.lists.Names(ctx)
	if err != nil {
		return err
	}
	p.Lists = int64(len(lists))
	return s.show(c, http.StatusOK, "notifications_export", &ui.Page{
		Title: "Export notifications", Area: "/notifications", Data: p, Styles: []string{"notifications.css"},
	})
}

// exportNotifications answers with a file: of the chosen ones, of all that match, or of everything.
func (s *Console) exportNotifications(c *gin.Context) error {
	of, form, q, err := chosenOf(c)
	if err != nil {
		return err
	}
	selection := &of
	if form.Get("everything") != "" {
		selection = nil
	} else if of.Matching == nil && len(of.IDs) == 0 {
		return s.done(c, q.Link(), ui.Flash{Problem: true, Text: "Nothing is chosen: tick the boxes of the notifications that you mean."})
	}
	name := "silque-notifications-" + time.Now().In(zone(c)).Format("2006-01-02") + ".json"
	c.Header("Content-Type", "application/json; charset=utf-8")
	c.Header("Content-Disposition", `attachment; filename="`+name+`"`)
	c.Header("Cache-Control", "no-store")
	c.Header("X-Content-Type-Options", "nosniff")
	_, err = s.ruleSet().Export(c.Request.Context(), c.Writer, selection)
	if err != nil && c.Writer.Written() {
		s.log(c, err)
		panic(http.ErrAbortHandler) // half a file must not look like a whole one
	}
	return err
}
