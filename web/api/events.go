package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

var (
	actions       = []rule.Action{rule.Create, rule.Update, rule.Delete, rule.Alert, rule.Test, rule.Retry}
	eventStatuses = []outbox.Status{outbox.Pending, outbox.Started, outbox.Settled}
	eventSources  = []outbox.Source{outbox.FromPlugin, outbox.FromAPI, outbox.FromStarter, outbox.FromConsole, outbox.FromAlert}
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
	Decisions []decision      `json:"decisions"`
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
	decisions, err := a.decisions(ctx, e)
	if err != nil {
		return err
	}
	detail := eventDetail{
		event: eventOf(e), Doc: json.RawMessage(e.Doc), OldDoc: json.RawMessage(e.OldDoc),
		Decisions: decisions, Deliveries: make([]string, len(deliveries)),
	}
	for i, d := range deliveries {
		detail.Deliveries[i] = d.ID
	}
	return answer(c, http.StatusOK, detail)
}

// decision is what one candidate notification did with an event, and what became of that notification since.
type decision struct {
	NotificationID string        `json:"notification_id"`
	Version        int64         `json:"version"`
	Outcome        rule.Decision `json:"outcome"`
	Detail         string        `json:"detail"`
	Deliveries     int           `json:"deliveries"`
	// Title is the notification's as it is now; empty when it is gone.
	Title string `json:"title"`
	// Since is changed, deactivated or deleted when the notification is no longer as it was when the row changed, which
	// is how it was judged; empty otherwise.
	Since string `json:"since"`
}

func (a *API) decisions(ctx context.Context, e *outbox.Event) ([]decision, error) {
	if e.Decisions == nil {
		return nil, nil // it has not been resolved
	}
	var found []decision
	if err := json.Unmarshal(e.Decisions, &found); err != nil {
		return nil, fmt.Errorf("api: decisions of event %s: %w", e.ID, err)
	}
	ids := make([]string, len(found))
	for i, d := range found {
		ids[i] = d.NotificationID
	}
	current, err := a.notifications.Current(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i := range found {
		found[i].Title, found[i].Since = became(current[found[i].NotificationID], found[i].Version)
	}
	return filled(found), nil
}

// became says what a notification is now that was judged in a version.
func became(n *rule.Notification, version int64) (title, since string) {
	switch {
	case n == nil:
		return "", "deleted"
	case !n.Active:
		return n.Title, "deactivated"
	case n.Version != version:
		return n.Title, "changed"
	default:
		return n.Title, ""
	}
}

// utc gives a time in UTC; Postgres gives it in the zone of the process.
func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	in := t.UTC()
	return &in
}
