package api

import (
	"errors"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/doubt"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/retry"
)

// resolved is what became of a delivery in doubt.
type resolved struct {
	Outcome  doubt.Outcome   `json:"outcome"`
	EventID  string          `json:"event_id"`
	Delivery *deliveryDetail `json:"delivery"`
}

// resolveDelivery ends the doubt about a delivery by the caller's word.
func (a *API) resolveDelivery(c *gin.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var in struct {
		Outcome doubt.Outcome `json:"outcome"`
	}
	if err := a.readBody(c, &in); err != nil {
		return err
	}
	if !slices.Contains(doubt.Outcomes, in.Outcome) {
		return invalid(map[string]string{"outcome": "must be " + alternatives(doubt.Outcomes)})
	}
	doubts := doubt.Doubts{DB: a.config.DB, Nudge: a.config.Nudge}
	eventID, err := doubts.End(c.Request.Context(), id, in.Outcome, retry.By{Actor: actor(c), Source: outbox.FromAPI})
	var late *doubt.NotInDoubtError
	switch {
	case errors.As(err, &late):
		return &failure{status: http.StatusConflict, code: "delivery_not_in_doubt", message: late.Error()}
	case errors.Is(err, doubt.ErrSuppressed):
		return &failure{status: http.StatusConflict, code: retry.ReasonSuppressed, message: refusals[retry.ReasonSuppressed]}
	case err != nil:
		return err
	}
	detail, err := a.deliveryDetail(c, id)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, resolved{in.Outcome, eventID, detail})
}
