package api

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// suppression is an entry of the suppression list as clients see it.
type suppression struct {
	ID             string                  `json:"id"`
	Channel        rule.Channel            `json:"channel"`
	Address        string                  `json:"address"`
	NotificationID string                  `json:"notification_id"`
	Reason         store.SuppressionReason `json:"reason"`
	Source         store.SuppressionSource `json:"source"`
	DeliveryID     string                  `json:"delivery_id"`
	Detail         string                  `json:"detail"`
	CreatedAt      time.Time               `json:"created_at"`
	CreatedBy      string                  `json:"created_by"`
}

func suppressionOf(s *store.Suppression) suppression {
	return suppression{
		ID: s.ID, Channel: s.Channel, Address: s.Address, NotificationID: s.NotificationID, Reason: s.Reason, Source: s.Source,
		DeliveryID: s.DeliveryID, Detail: s.Detail, CreatedAt: s.CreatedAt.UTC(), CreatedBy: s.CreatedBy,
	}
}

// suppressionInput is an entry as clients send it.
type suppressionInput struct {
	Channel        rule.Channel `json:"channel"`
	Address        string       `json:"address"`
	NotificationID string       `json:"notification_id"`
	Detail         string       `json:"detail"`
}

func (a *API) listSuppressions(c *gin.Context) error {
	q := readQuery(c)
	filter := store.SuppressionFilter{
		Channel:        oneOf(q, "channel", rule.Channels),
		Address:        q.filter("address"),
		Reason:         oneOf(q, "reason", store.SuppressionReasons),
		NotificationID: q.id("notification_id"),
	}
	paging := q.paging()
	if err := q.err(); err != nil {
		return err
	}
	page, err := a.suppressions.List(c.Request.Context(), filter, paging)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, listOf(page, suppressionOf))
}

func (a *API) getSuppression(c *gin.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	s, err := a.suppressions.Get(c.Request.Context(), id)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, suppressionOf(s))
}

// addSuppression answers with what stands: what was asked for, or what stood against the address already.
func (a *API) addSuppression(c *gin.Context) error {
	var in suppressionInput
	if err := a.readBody(c, &in); err != nil {
		return err
	}
	added, err := a.newSuppression(c, in)
	if err != nil {
		return err
	}
	fresh, err := a.suppressions.Add(c.Request.Context(), added)
	if err != nil {
		return err
	}
	if !fresh {
		return answer(c, http.StatusOK, suppressionOf(added))
	}
	c.Header("Location", c.FullPath()+"/"+added.ID)
	return answer(c, http.StatusCreated, suppressionOf(added))
}

// newSuppression checks an entry, and gives it in the form that is stored.
func (a *API) newSuppression(c *gin.Context, in suppressionInput) (*store.Suppression, error) {
	wrong := map[string]string{}
	added := &store.Suppression{
		Channel: in.Channel, NotificationID: in.NotificationID, Reason: store.SuppressedManual, Source: store.SuppressedByAPI,
		Detail: strings.TrimSpace(in.Detail), CreatedBy: actor(c),
	}
	if !slices.Contains(rule.Channels, in.Channel) {
		wrong["channel"] = "must be " + alternatives(rule.Channels)
	} else if address, err := a.config.Addresses.Normalize(in.Channel, in.Address); err != nil {
		wrong["address"] = err.Error()
	} else {
		added.Address = address
	}
	if utf8.RuneCountInString(added.Detail) > store.SuppressionDetailLimit {
		wrong["detail"] = "at most 500 characters"
	}
	if in.NotificationID != "" {
		err := a.notificationKnown(c, in.NotificationID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		if err != nil {
			wrong["notification_id"] = "no notification has this ID; leave it out to keep every message from the address"
		}
	}
	if len(wrong) > 0 {
		return nil, invalid(wrong)
	}
	return added, nil
}

func (a *API) notificationKnown(c *gin.Context, id string) error {
	if !isID(id) {
		return store.ErrNotFound
	}
	_, err := a.notifications.Get(c.Request.Context(), id)
	return err
}

// liftSuppression lets messages go to the address again.
func (a *API) liftSuppression(c *gin.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	if _, err := a.suppressions.Remove(c.Request.Context(), id, actor(c)); err != nil {
		return err
	}
	return noContent(c)
}
