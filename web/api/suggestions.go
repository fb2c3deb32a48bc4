package api

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/preview"
	"github.com/silquetech/silque-notifications/internal/rule"
)

func (a *API) suggestRecipients(c *gin.Context) error {
	q := readQuery(c)
	channel := oneOf(q, "channel", rule.Channels)
	if _, given := q.text("channel"); !given {
		q.wrong["channel"] = "must be " + alternatives(rule.Channels)
	}
	if err := q.err(); err != nil {
		return err
	}
	m, models, err := a.model(c.Request.Context(), c.Param("model"))
	if err != nil {
		return err
	}
	reader := rule.Reader{Models: models, Addresses: a.config.Addresses, Settings: a.config.Rules}
	return answer(c, http.StatusOK, list[preview.Suggestion]{Items: preview.Suggest(reader, m, rule.Channel(channel))})
}
