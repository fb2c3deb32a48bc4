package console

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/saying"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/rules"
	"github.com/silquetech/silque-notifications/web/ui"
)

// historyPage is how a notification came to be what it is.
type historyPage struct {
	ID, Called string
	// Deleted says that it is not there any more; Newest is its last version.
	Deleted bool
	Newest  int64
	States  []historyState
	// Older is the version before which to look further; 0 at the end.
	Older int64
}

// historyState is one version, and how it differs from the one before.
type historyState struct {
	store.Version

	// Whole says that there is none before to compare with on this page.
	Whole       bool
	Differences []saying.Difference
}

// historyPart is how many versions a page shows.
const historyPart = 20

func (s *Console) showHistory(c *gin.Context) error {
	id := c.Param("id")
	if _, err := uuid.Parse(id); err != nil {
		return store.ErrNotFound
	}
	ctx := c.Request.Context()
	before, err := strconv.ParseInt(c.DefaultQuery("before", "0"), 10, 64)
	if err != nil {
		before = 0
	}
	versions, err := s.notifications.Versions(ctx, id, before, historyPart+1)
	if err != nil {
		return err
	}
	if len(versions) == 0 {
		return store.ErrNotFound
	}
	newest := versions[0]
	if before > 0 {
		last, err := s.notifications.Versions(ctx, id, 0, 1)
		if err != nil {
			return err
		}
		newest = last[0]
	}
	names, err := s.lists.Names(ctx)
	if err != nil {
		return err
	}
	p := historyPage{ID: id, Called: called(newest.Notification), Deleted: newest.Change == store.Deleted, Newest: newest.Notification.Version}
	p.States = historyStates(versions, saying.Names{List: func(id string) string { return names[id] }})
	if len(versions) > historyPart {
		p.Older = versions[historyPart-1].Notification.Version
	}
	return s.show(c, http.StatusOK, "notifications_history", &ui.Page{
		Title: "History of " + p.Called, Area: "/notifications", Data: p, Styles: []string{"notifications.css"},
	})
}

// historyStates compares each version with the one before it; the last is there for that alone when the page is full.
func historyStates(versions []store.Version, names saying.Names) []historyState {
	states := make([]historyState, 0, len(versions))
	for i, v := range versions[:min(len(versions), historyPart)] {
		state := historyState{Version: v, Whole: i+1 == len(versions)}
		before := &rule.Notification{}
		if !state.Whole {
			before = versions[i+1].Notification
		}
		if v.Change != store.Deleted {
			state.Differences = saying.Differences(before, v.Notification, names)
		}
		states = append(states, state)
	}
	return states
}

// restorePage asks whether an earlier version, or a deleted notification, is to come back.
type restorePage struct {
	ID, Called string
	// Version is 0 for a deleted notification that comes back as it was.
	Version     int64
	State       store.Version
	Differences []saying.Difference
	Deleted     bool
	// Problems are why it cannot come back.
	Problems rule.FieldErrors
}

// Label is the form's word for a field.
func (restorePage) Label(field string) string { return saying.Label(field) }

// restoring reads what is to come back.
func (s *Console) restoring(c *gin.Context, version string) (restorePage, error) {
	p := restorePage{ID: c.Param("id")}
	if _, err := uuid.Parse(p.ID); err != nil {
		return p, store.ErrNotFound
	}
	ctx := c.Request.Context()
	last, err := s.notifications.Versions(ctx, p.ID, 0, 1)
	if err != nil {
		return p, err
	}
	if len(last) == 0 {
		return p, store.ErrNotFound
	}
	p.State, p.Called, p.Deleted = last[0], called(last[0].Notification), last[0].Change == store.Deleted
	if version == "" {
		return p, nil
	}
	if p.Version, err = strconv.ParseInt(version, 10, 64); err != nil {
		return p, store.ErrNotFound
	}
	if p.State, err = s.notifications.Version(ctx, p.ID, p.Version); err != nil {
		return p, err
	}
	names, err := s.lists.Names(ctx)
	if err != nil {
		return p, err
	}
	comes := *p.State.Notification
	if comes.Active = last[0].Notification.Active; p.Deleted {
		comes.Active = false
	}
	p.Differences = saying.Differences(last[0].Notification, &comes, saying.Names{List: func(id string) string { return names[id] }})
	return p, nil
}

func (s *Console) askRestore(c *gin.Context) error {
	p, err := s.restoring(c, c.Query("version"))
	if err != nil {
		return err
	}
	if p.Version == 0 && !p.Deleted {
		c.Redirect(http.StatusSeeOther, "/notifications/"+p.ID+"/history")
		return nil
	}
	return s.showRestore(c, http.StatusOK, p)
}

func (s *Console) showRestore(c *gin.Context, status int, p restorePage) error {
	return s.show(c, status, "notifications_restore", &ui.Page{
		Title: "Restore " + p.Called + "?", Area: "/notifications", Data: p, Styles: []string{"notifications.css"},
	})
}

func (s *Console) restoreNotification(c *gin.Context) error {
	p, err := s.restoring(c, c.PostForm("version"))
	if err != nil {
		return err
	}
	ctx, history := c.Request.Context(), "/notifications/"+p.ID+"/history"
	said := "Restored as it was."
	if p.Version == 0 {
		_, err = s.book.Restore(ctx, p.ID, s.actor(c))
	} else {
		said = "Restored as it was in version " + strconv.FormatInt(p.Version, 10) + "."
		_, err = s.book.RestoreVersion(ctx, p.ID, p.Version, s.actor(c))
	}
	if wrong, ok := rules.IsInvalid(err); ok {
		p.Problems = wrong
		return s.showRestore(c, http.StatusUnprocessableEntity, p)
	}
	if errors.Is(err, rules.ErrNotDeleted) {
		return s.done(c, history, ui.Flash{Problem: true, Text: "It is there already: somebody else has restored it."})
	}
	if err != nil {
		return err
	}
	return s.done(c, history, ui.Flash{Text: said, Path: "/notifications/" + p.ID, Label: "Open it"})
}
