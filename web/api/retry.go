package api

import (
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/retry"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// retried is what became of a bulk retry. More says that the filter matches further deliveries: ask again with Next.
type retried struct {
	Accepted int             `json:"accepted"`
	EventIDs []string        `json:"event_ids"`
	Skipped  []retry.Skipped `json:"skipped"`
	More     bool            `json:"more"`
	Next     string          `json:"next"`
}

type retryInput struct {
	IDs    []string     `json:"ids"`
	Filter *retryFilter `json:"filter"`
	Cursor string       `json:"cursor"`
}

type retryFilter struct {
	EventID        string               `json:"event_id"`
	NotificationID string               `json:"notification_id"`
	Channel        rule.Channel         `json:"channel"`
	Address        string               `json:"address"`
	Status         store.DeliveryStatus `json:"status"`
	ProviderID     string               `json:"provider_id"`
	ErrorCode      string               `json:"error_code"`
	WorkflowID     string               `json:"workflow_id"`
}

// refusals say why a delivery is not handed over again, and what to do.
var refusals = map[string]string{
	retry.ReasonNotFailed: "only a delivery that is failed or unknown is handed over again",
	retry.ReasonSuppressed: "the address is on the suppression list, so nothing is sent to it: remove it from there if the person wants messages " +
		"again, then retry",
}

func (a *API) retryDelivery(c *gin.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	result, err := a.retry(c, []string{id})
	if err != nil {
		return err
	}
	if len(result.Skipped) > 0 {
		reason := result.Skipped[0].Reason
		if reason == retry.ReasonNotFound {
			return store.ErrNotFound
		}
		return &failure{status: http.StatusConflict, code: reason, message: refusals[reason]}
	}
	return answer(c, http.StatusAccepted, gin.H{"event_id": result.EventIDs[0]})
}

func (a *API) retryDeliveries(c *gin.Context) error {
	var in retryInput
	if err := a.readBody(c, &in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	ids, more := in.IDs, false
	if in.Filter != nil {
		var err error
		if ids, more, err = retry.Matching(c.Request.Context(), a.config.DB, in.Filter.filter(), in.Cursor, retry.Max); err != nil {
			return err
		}
	}
	result, err := a.retry(c, ids)
	if err != nil {
		return err
	}
	if more {
		result.More, result.Next = true, ids[len(ids)-1]
	}
	return answer(c, http.StatusAccepted, result)
}

// check says what is wrong with the input, all at once.
func (in retryInput) check() error {
	if in.Filter == nil {
		if in.Cursor != "" {
			return invalid(map[string]string{"cursor": "goes with a filter"})
		}
		return checkIDs(in.IDs)
	}
	wrong := map[string]string{}
	if len(in.IDs) > 0 {
		wrong["ids"] = "name either ids or a filter"
	}
	if in.Cursor != "" && !isID(in.Cursor) {
		wrong["cursor"] = `must be the "next" of an earlier answer`
	}
	if f := in.Filter; f.Channel != "" && !slices.Contains(rule.Channels, f.Channel) {
		wrong["filter.channel"] = "must be " + alternatives(rule.Channels)
	}
	if f := in.Filter; f.Status != "" && !slices.Contains(store.Retryable, f.Status) {
		wrong["filter.status"] = "must be " + alternatives(store.Retryable)
	}
	for name, id := range map[string]string{
		"filter.event_id": in.Filter.EventID, "filter.notification_id": in.Filter.NotificationID,
	} {
		if id != "" && !isID(id) {
			wrong[name] = "must be an ID"
		}
	}
	if len(wrong) > 0 {
		return invalid(wrong)
	}
	return nil
}

// filter gives the deliveries that the input means.
func (f retryFilter) filter() store.DeliveryFilter {
	return store.DeliveryFilter{
		EventID: f.EventID, NotificationID: f.NotificationID, Channel: string(f.Channel), Address: f.Address,
		Status: string(f.Status), ProviderID: f.ProviderID, ErrorCode: f.ErrorCode, WorkflowID: f.WorkflowID,
	}
}

// retry asks for another hand-over of each delivery that has failed.
func (a *API) retry(c *gin.Context, ids []string) (retried, error) {
	r := retry.Retries{DB: a.config.DB, Nudge: a.config.Nudge}
	result, err := r.Deliveries(c.Request.Context(), ids, retry.By{Actor: actor(c), Source: outbox.FromAPI})
	if err != nil {
		return retried{}, err
	}
	return retried{Accepted: len(result.EventIDs), EventIDs: result.EventIDs, Skipped: result.Skipped}, nil
}
