package api

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

var (
	actions       = []rule.Action{rule.Create, rule.Update, rule.Delete, rule.Test, rule.Retry}
	eventStatuses = []outbox.Status{outbox.Pending, outbox.Started, outbox.Settled}
	eventSources  = []outbox.Source{outbox.FromPlugin, outbox.FromAPI, outbox.FromStarter, outbox.FromConsole}
)

// event is an event as clients see it in a list.
type event struct {
	ID         string        `json:"id"`
	Model      string        `json:"model"`
	Key        string        `json:"key"`
	Action     rule.Action   `json:"action"`
	Status     outbox.Status `json:"status"`
	Reason     string        `json:"reason"`
	WorkflowID string        `json:"workflow_id"`
	Source     outbox.Source `json:"source"`
	CreatedAt  time.Time     `json:"created_at"`
	StartedAt  *time.Time    `json:"started_at"`
	SettledAt  *time.Time    `json:"settled_at"`
}

// eventDetail is an event with all that is known of it.
type eventDetail struct {
	event
	Doc       json.RawMessage `json:"doc"`
	OldDoc    json.RawMessage `json:"old_doc"`
	Decisions json.RawMessage `json:"decisions"`
	// Deliveries lists the IDs of the messages that came of it.
	Deliveries []string `json:"deliveries"`
}

func eventOf(e *outbox.Event) event {
	return event{
		ID: e.ID, Model: e.Model, Key: e.Key, Action: e.Action, Status: e.Status, Reason: e.Reason,
		WorkflowID: e.WorkflowID, Source: e.Source,
		CreatedAt: e.CreatedAt.UTC(), StartedAt: utc(e.StartedAt), SettledAt: utc(e.SettledAt),
	}
}

func (a *API) listEvents(c *gin.Context) error {
	q := readQuery(c)
	filter := store.EventFilter{
		Model:      q.filter("model"),
		Key:        q.filter("key"),
		Action:     oneOf(q, "action", actions),
		Status:     oneOf(q, "status", eventStatuses),
		Source:     oneOf(q, "source", eventSources),
		WorkflowID: q.filter("workflow_id"),
	}
	paging := q.paging()
	if err := q.err(); err != nil {
		return err
	}
	page, err := a.events.List(c.Request.Context(), filter, paging)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, listOf(page, eventOf))
}

func (a *API) getEvent(c *gin.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	e, err := a.events.Get(ctx, id)
	if err != nil {
		return err
	}
	deliveries, err := a.deliveries.OfEvents(ctx, []string{id})
	if err != nil {
		return err
	}
	detail := eventDetail{
		event: eventOf(e), Doc: json.RawMessage(e.Doc), OldDoc: json.RawMessage(e.OldDoc),
		Decisions: json.RawMessage(e.Decisions), Deliveries: make([]string, len(deliveries)),
	}
	for i, d := range deliveries {
		detail.Deliveries[i] = d.ID
	}
	return answer(c, http.StatusOK, detail)
}

// utc gives a time in UTC; Postgres gives it in the zone of the process.
func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	in := t.UTC()
	return &in
}
