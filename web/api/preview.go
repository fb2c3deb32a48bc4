package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/preview"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// previewInput names a notification, whole or by its ID, and a row, whole or by its key.
type previewInput struct {
	Notification   *notificationInput `json:"notification"`
	NotificationID string             `json:"notification_id"`
	Model          string             `json:"model"`
	Key            string             `json:"key"`
	// EventID names a recorded event, whose documents are looked at.
	EventID string          `json:"event_id"`
	Doc     json.RawMessage `json:"doc"`
	OldDoc  json.RawMessage `json:"old_doc"`
}

func (a *API) previewNotification(c *gin.Context) error {
	var in previewInput
	if err := a.readBody(c, &in); err != nil {
		return err
	}
	if wrong := in.wrong(); len(wrong) > 0 {
		return invalid(wrong)
	}
	ctx := c.Request.Context()
	reader, err := a.book.Reader(ctx)
	if err != nil {
		return err
	}
	n, err := a.previewed(ctx, in, reader)
	if err != nil {
		return err
	}
	if _, ok := reader.Models.Model(n.Model); ok && in.Model != "" && in.Model != n.Model {
		return invalid(map[string]string{"model": "the notification is for " + n.Model})
	}
	on := preview.Row{EventID: in.EventID, Key: in.Key, Doc: json.RawMessage(snapshot(in.Doc)), OldDoc: json.RawMessage(snapshot(in.OldDoc))}
	result, err := a.previews.Preview(ctx, reader, n, on)
	if err != nil {
		return in.refused(err)
	}
	return answer(c, http.StatusOK, result)
}

// refused names the notification as the caller did.
func (in previewInput) refused(err error) error {
	var wrong rule.FieldErrors
	if !errors.As(err, &wrong) {
		return err
	}
	if message, ok := wrong["notification"]; ok && in.Notification == nil {
		return invalid(map[string]string{"notification_id": message})
	}
	return invalid(wrong)
}

// wrong says what is wrong with the input itself, all at once.
func (in previewInput) wrong() map[string]string {
	wrong := map[string]string{}
	switch {
	case in.Notification == nil && in.NotificationID == "":
		wrong["notification"] = "name a notification, whole or by notification_id"
	case in.Notification != nil && in.NotificationID != "":
		wrong["notification_id"] = "name either notification or notification_id"
	}
	if in.NotificationID != "" && !isID(in.NotificationID) {
		wrong["notification_id"] = "must be an ID"
	}
	documents := snapshot(in.Doc) != nil || snapshot(in.OldDoc) != nil
	switch {
	case in.EventID != "" && !isID(in.EventID):
		wrong["event_id"] = "must be an ID"
	case in.EventID != "" && (documents || in.Key != ""):
		wrong["event_id"] = "name either an event, or a key, or doc and old_doc"
	case documents && in.Key != "":
		wrong["key"] = "name either a key or doc and old_doc"
	case !documents && in.Key == "" && in.EventID == "":
		wrong["key"] = "name a row, by its key or as doc and old_doc"
	}
	return wrong
}

// previewed gives the notification: the one in the body when it is valid, or the one that has the ID.
func (a *API) previewed(ctx context.Context, in previewInput, reader rule.Reader) (*rule.Notification, error) {
	if in.Notification == nil {
		return a.saved(ctx, in.NotificationID)
	}
	n := in.Notification.notification(true)
	return n, check(reader, n, "notification.")
}

// saved gives the notification that a body names by its ID.
func (a *API) saved(ctx context.Context, id string) (*rule.Notification, error) {
	n, err := a.book.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, invalid(map[string]string{"notification_id": "no notification has this ID"})
	}
	return n, err
}
