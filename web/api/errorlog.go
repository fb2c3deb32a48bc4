package api

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/store"
)

// errorEntry is an entry of the error log as clients see it.
type errorEntry struct {
	ID             string          `json:"id"`
	Code           string          `json:"code"`
	Source         string          `json:"source"`
	Message        string          `json:"message"`
	EventID        string          `json:"event_id"`
	DeliveryID     string          `json:"delivery_id"`
	NotificationID string          `json:"notification_id"`
	Attempt        int             `json:"attempt"`
	Context        json.RawMessage `json:"context"`
	Resolved       bool            `json:"resolved"`
	ResolvedAt     *time.Time      `json:"resolved_at"`
	CreatedAt      time.Time       `json:"created_at"`
}

func errorEntryOf(e *store.ErrorEntry) errorEntry {
	return errorEntry{
		ID: e.ID, Code: e.Code, Source: e.Source, Message: e.Message, EventID: e.EventID, DeliveryID: e.DeliveryID,
		NotificationID: e.NotificationID, Attempt: e.Attempt, Context: json.RawMessage(e.Context),
		Resolved: e.Resolved, ResolvedAt: utc(e.ResolvedAt), CreatedAt: e.CreatedAt.UTC(),
	}
}

func (a *API) listErrors(c *gin.Context) error {
	q := readQuery(c)
	filter := store.ErrorFilter{
		Code:           q.filter("code"),
		Source:         q.filter("source"),
		EventID:        q.id("event_id"),
		DeliveryID:     q.id("delivery_id"),
		NotificationID: q.id("notification_id"),
		Resolved:       q.flag("resolved"),
	}
	paging := q.paging()
	if err := q.err(); err != nil {
		return err
	}
	page, err := a.errors.List(c.Request.Context(), filter, paging)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, listOf(page, errorEntryOf))
}

func (a *API) getError(c *gin.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	e, err := a.errors.Get(c.Request.Context(), id)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, errorEntryOf(e))
}

// resolveError marks an entry as dealt with; it may be so already.
func (a *API) resolveError(c *gin.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	e, err := a.errors.Resolve(c.Request.Context(), id, actor(c))
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, errorEntryOf(e))
}
