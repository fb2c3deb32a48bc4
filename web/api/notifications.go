package api

import (
	"context"
	"fmt"
	"math"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// duplicatePrefix marks a copy's title, as in the original app's admin.
const duplicatePrefix = "Duplicate - "

// maxIDs bounds the IDs of one bulk call.
const maxIDs = 1000

func (a *API) listNotifications(c *gin.Context) error {
	q := readQuery(c)
	filter := store.NotificationFilter{
		Active:  q.flag("active"),
		Channel: oneOf(q, "channel", rule.Channels),
		Trigger: oneOf(q, "trigger", rule.Triggers),
		Model:   q.filter("model"),
		Search:  q.filter("search"),
	}
	paging := q.paging()
	if err := q.err(); err != nil {
		return err
	}
	page, err := a.notifications.List(c.Request.Context(), filter, paging)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, listOf(page, notificationOf))
}

func (a *API) getNotification(c *gin.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	n, err := a.notifications.Get(c.Request.Context(), id)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, notificationOf(n))
}

func (a *API) createNotification(c *gin.Context) error {
	var in notificationInput
	if err := a.readBody(c, &in); err != nil {
		return err
	}
	ctx := c.Request.Context()
	n := in.notification(true)
	if err := a.validate(ctx, n); err != nil {
		return err
	}
	if err := a.notifications.Create(ctx, n, changedBy); err != nil {
		return err
	}
	a.config.OnRuleChange(ctx)
	c.Header("Location", c.FullPath()+"/"+n.ID)
	return answer(c, http.StatusCreated, notificationOf(n))
}

// replaceNotification replaces all of a notification, except that it stays as active as it is when the body does not
// say: a rule that was switched off must not come back by an omission.
func (a *API) replaceNotification(c *gin.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var in notificationInput
	if err := a.readBody(c, &in); err != nil {
		return err
	}
	ctx := c.Request.Context()
	before, err := a.notifications.Get(ctx, id)
	if err != nil {
		return err
	}
	n := in.notification(before.Active)
	n.ID = id
	if err := a.validate(ctx, n); err != nil {
		return err
	}
	if err := a.notifications.Update(ctx, n, changedBy); err != nil {
		return err
	}
	a.config.OnRuleChange(ctx)
	return answer(c, http.StatusOK, notificationOf(n))
}

func (a *API) deleteNotification(c *gin.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	if err := a.notifications.Delete(ctx, id, changedBy); err != nil {
		return err
	}
	a.config.OnRuleChange(ctx)
	return noContent(c)
}

// duplicateNotification copies a notification. The copy is not active: both would fire until someone has changed it.
func (a *API) duplicateNotification(c *gin.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	n, err := a.notifications.Get(ctx, id)
	if err != nil {
		return err
	}
	n.Title, n.Active = duplicatePrefix+n.Title, false
	if err := a.notifications.Create(ctx, n, changedBy); err != nil {
		return err
	}
	a.config.OnRuleChange(ctx)
	return answer(c, http.StatusCreated, notificationOf(n))
}

func (a *API) activateNotifications(c *gin.Context) error   { return a.setActive(c, true) }
func (a *API) deactivateNotifications(c *gin.Context) error { return a.setActive(c, false) }

func (a *API) setActive(c *gin.Context, active bool) error {
	var in struct {
		IDs []string `json:"ids"`
	}
	if err := a.readBody(c, &in); err != nil {
		return err
	}
	if err := checkIDs(in.IDs); err != nil {
		return err
	}
	ctx := c.Request.Context()
	changed, err := a.notifications.SetActive(ctx, in.IDs, active, changedBy)
	if err != nil {
		return err
	}
	if changed > 0 {
		a.config.OnRuleChange(ctx)
	}
	return answer(c, http.StatusOK, gin.H{"changed": changed})
}

func checkIDs(ids []string) error {
	switch {
	case len(ids) == 0:
		return invalid(map[string]string{"ids": "name at least one ID"})
	case len(ids) > maxIDs:
		return invalid(map[string]string{"ids": fmt.Sprintf("at most %d IDs at a time", maxIDs)})
	}
	return nil
}

// reader gives what notifications are read with at this moment, and the catalog.
func (a *API) reader(ctx context.Context) (rule.Reader, catalog.Set, error) {
	models, err := catalog.Load(ctx, a.config.DB)
	if err != nil {
		return rule.Reader{}, nil, err
	}
	lists, err := a.lists.IDs(ctx)
	if err != nil {
		return rule.Reader{}, nil, err
	}
	return a.readerOf(models, lists), models, nil
}

func (a *API) readerOf(models catalog.Set, lists map[string]bool) rule.Reader {
	return rule.Reader{
		Models: models, Addresses: a.config.Addresses, Settings: a.config.Rules,
		HasList: func(id string) bool { return lists[id] },
	}
}

// validate holds a notification to the rules, with everything that is wrong at once.
func (a *API) validate(ctx context.Context, n *rule.Notification) error {
	reader, _, err := a.reader(ctx)
	if err != nil {
		return err
	}
	return check(reader, n, "")
}

// maxAlertDays is what the column holds on both databases.
const maxAlertDays = math.MaxInt32

// check gives what is wrong with a notification, by field; prefix goes before each field's name.
func check(reader rule.Reader, n *rule.Notification, prefix string) error {
	wrong := map[string]string{}
	for name, message := range reader.Validate(n) {
		wrong[prefix+name] = message
	}
	if days := n.AlertDays; days != nil && (*days < 0 || *days > maxAlertDays) {
		wrong[prefix+"alert_days"] = fmt.Sprintf("must be a whole number from 0 to %d", maxAlertDays)
	}
	if len(wrong) > 0 {
		return invalid(wrong)
	}
	return nil
}
