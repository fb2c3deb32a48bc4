package api

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/rules"
)

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
	ctx := c.Request.Context()
	page, err := a.notifications.List(ctx, filter, paging)
	if err != nil {
		return err
	}
	reader, err := a.book.Reader(ctx)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, listOf(page, func(n *rule.Notification) notification { return notificationOf(n, reader) }))
}

func (a *API) getNotification(c *gin.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	n, err := a.book.Get(c.Request.Context(), id)
	if err != nil {
		return err
	}
	return a.show(c, http.StatusOK, n)
}

func (a *API) createNotification(c *gin.Context) error {
	var in notificationInput
	if err := a.readBody(c, &in); err != nil {
		return err
	}
	ctx := c.Request.Context()
	n := in.notification(true)
	if err := a.book.Create(ctx, n, actor(c)); err != nil {
		return named(err, "")
	}
	c.Header("Location", c.FullPath()+"/"+n.ID)
	return a.show(c, http.StatusCreated, n)
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
	n := in.notification(false)
	n.ID = id
	version, err := expectedVersion(c)
	if err != nil {
		return err
	}
	err = a.book.Replace(ctx, n, rules.Replacing{From: version, KeepActive: in.Active == nil}, actor(c))
	if errors.Is(err, rules.ErrVersionConflict) {
		return &failure{status: http.StatusPreconditionFailed, code: "version_conflict",
			message: "the notification has been changed since that version: read it again, and send your change on top of it"}
	}
	if err != nil {
		return named(err, "")
	}
	return a.show(c, http.StatusOK, n)
}

// expectedVersion reads the header If-Match: the version that the client has read, as GET gives it in ETag. Without it, or
// with *, any version is replaced.
func expectedVersion(c *gin.Context) (int64, error) {
	text := strings.TrimSpace(c.GetHeader("If-Match"))
	if text == "" || text == "*" {
		return 0, nil
	}
	version, err := strconv.ParseInt(strings.Trim(text, `"`), 10, 64)
	if err != nil || version < 1 {
		return 0, badRequest("invalid_header", "a header is not right: see fields",
			map[string]string{"If-Match": `must be a version such as "3", as ETag says it`})
	}
	return version, nil
}

func (a *API) deleteNotification(c *gin.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	if err := a.book.Delete(ctx, id, actor(c)); err != nil {
		return err
	}
	return noContent(c)
}

// duplicateNotification copies a notification. The copy is not active: both would fire until someone has changed it.
func (a *API) duplicateNotification(c *gin.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	n, err := a.book.Duplicate(ctx, id, actor(c))
	if err != nil {
		return err
	}
	return a.show(c, http.StatusCreated, n)
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
	changed, err := a.book.SetActive(ctx, in.IDs, active, actor(c))
	if err != nil {
		return err
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

// check gives what is wrong with a notification, by field; prefix goes before each field's name.
func check(reader rule.Reader, n *rule.Notification, prefix string) error {
	return named(reader.Validate(n).Err(), prefix)
}

// named turns what is wrong with a notification into the answer; prefix goes before each field's name. Other errors stay
// as they are.
func named(err error, prefix string) error {
	wrong, ok := rules.IsInvalid(err)
	if !ok {
		return err
	}
	fields := make(map[string]string, len(wrong))
	for name, message := range wrong {
		fields[prefix+name] = message
	}
	return invalid(fields)
}

// show answers with a notification as clients see it.
func (a *API) show(c *gin.Context, status int, n *rule.Notification) error {
	reader, err := a.book.Reader(c.Request.Context())
	if err != nil {
		return err
	}
	c.Header("ETag", strconv.Quote(strconv.FormatInt(n.Version, 10)))
	return answer(c, status, notificationOf(n, reader))
}
