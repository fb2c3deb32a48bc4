package api

import (
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
)

// sendTest puts a test message on the ordinary way.
func (a *API) sendTest(c *gin.Context) error {
	var in struct {
		Channel rule.Channel `json:"channel"`
		To      string       `json:"to"`
	}
	if err := a.readBody(c, &in); err != nil {
		return err
	}
	if !slices.Contains(rule.Channels, in.Channel) {
		return invalid(map[string]string{"channel": "must be " + alternatives(rule.Channels)})
	}
	to, err := a.config.Addresses.Normalize(in.Channel, in.To)
	if err != nil {
		return invalid(map[string]string{"to": err.Error()})
	}
	message := rule.TestMessage{Channel: in.Channel, To: to}
	id, err := a.events.AppendTest(c.Request.Context(), message, outbox.FromAPI, actor(c))
	if err != nil {
		return err
	}
	a.config.Nudge()
	return answer(c, http.StatusAccepted, gin.H{"event_id": id})
}
