package api

import (
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// The number of events of a comparison.
const (
	compareDefault = 50
	compareMax     = 500
)

// compareInput names a changed notification, and the saved one that it is compared with: none for a new one.
type compareInput struct {
	Notification   *notificationInput `json:"notification"`
	NotificationID string             `json:"notification_id"`
	Limit          int                `json:"limit"`
}

// compareNotification runs a changed notification, and the saved one, against the model's last recorded events.
func (a *API) compareNotification(c *gin.Context) error {
	in := compareInput{Limit: compareDefault}
	if err := a.readBody(c, &in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	ctx := c.Request.Context()
	reader, err := a.book.Reader(ctx)
	if err != nil {
		return err
	}
	changed := in.Notification.notification(true)
	changed.ID, changed.Active = in.NotificationID, true // how it would be if it fired
	if err := check(reader, changed, "notification."); err != nil {
		return err
	}
	var before *rule.Notification
	if in.NotificationID != "" {
		if before, err = a.saved(ctx, in.NotificationID); err != nil {
			return err
		}
	}
	result, err := a.previews.Compare(ctx, reader, before, changed, in.Limit)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, result)
}

func (in compareInput) check() error {
	wrong := map[string]string{}
	if in.Notification == nil {
		wrong["notification"] = "the changed notification is needed"
	}
	if in.NotificationID != "" && !isID(in.NotificationID) {
		wrong["notification_id"] = "must be an ID"
	}
	if in.Limit < 1 || in.Limit > compareMax {
		wrong["limit"] = fmt.Sprintf("must be from 1 to %d", compareMax)
	}
	if len(wrong) > 0 {
		return invalid(wrong)
	}
	return nil
}
