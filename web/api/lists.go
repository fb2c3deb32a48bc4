package api

import (
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// listNameLimit is in characters.
const listNameLimit = 255

// listInput is a saved list as clients send it.
type listInput struct {
	Name    string           `json:"name"`
	Entries []rule.ListEntry `json:"entries"`
}

func (a *API) listLists(c *gin.Context) error {
	q := readQuery(c)
	paging := q.paging()
	if err := q.err(); err != nil {
		return err
	}
	page, err := a.lists.List(c.Request.Context(), paging)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, listOf(page, func(l *store.List) *store.List { return l }))
}

func (a *API) getList(c *gin.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	l, err := a.lists.Get(c.Request.Context(), id)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, l)
}

func (a *API) createList(c *gin.Context) error {
	var in listInput
	if err := a.readBody(c, &in); err != nil {
		return err
	}
	l, err := a.savedList(in)
	if err != nil {
		return err
	}
	if err := a.lists.Create(c.Request.Context(), l, actor(c)); err != nil {
		return nameTaken(err)
	}
	c.Header("Location", c.FullPath()+"/"+l.ID)
	return answer(c, http.StatusCreated, l)
}

func (a *API) replaceList(c *gin.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var in listInput
	if err := a.readBody(c, &in); err != nil {
		return err
	}
	l, err := a.savedList(in)
	if err != nil {
		return err
	}
	l.ID = id
	if err := a.lists.Update(c.Request.Context(), l, actor(c)); err != nil {
		return nameTaken(err)
	}
	return answer(c, http.StatusOK, l)
}

// deleteList refuses to remove a list that a notification names: it would lose its recipients without a word.
func (a *API) deleteList(c *gin.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	err = a.lists.Delete(ctx, id, actor(c))
	if errors.Is(err, store.ErrListInUse) {
		return &failure{status: http.StatusConflict, code: "list_in_use",
			message: "a notification names this list: change its recipients first"}
	}
	if err != nil {
		return err
	}
	return noContent(c)
}

// savedList checks a list, and gives it in the form that is stored.
func (a *API) savedList(in listInput) (*store.List, error) {
	wrong := map[string]string{}
	name := strings.TrimSpace(in.Name)
	switch {
	case name == "":
		wrong["name"] = "give the list a name"
	case utf8.RuneCountInString(name) > listNameLimit:
		wrong["name"] = "at most 255 characters"
	}
	for field, message := range rule.ValidateList(in.Entries, a.config.Addresses) {
		wrong[field] = message
	}
	if len(wrong) > 0 {
		return nil, invalid(wrong)
	}
	return &store.List{Name: name, Entries: filled(in.Entries)}, nil
}

func nameTaken(err error) error {
	if errors.Is(err, store.ErrNameTaken) {
		return invalid(map[string]string{"name": "another list has this name"})
	}
	return err
}
