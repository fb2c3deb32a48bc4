package api

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/silquetech/silque-notifications/internal/store"
)

// query reads a call's parameters and collects what is wrong with them. A parameter that nobody has asked for is wrong
// too: a mistyped filter would otherwise show everything.
type query struct {
	values url.Values
	asked  map[string]bool
	wrong  map[string]string
	broken bool
}

func readQuery(c *gin.Context) *query {
	values, err := url.ParseQuery(c.Request.URL.RawQuery)
	return &query{values: values, asked: map[string]bool{}, wrong: map[string]string{}, broken: err != nil}
}

// text gives a parameter's value; given says whether it is there.
func (q *query) text(name string) (value string, given bool) {
	q.asked[name] = true
	values := q.values[name]
	switch {
	case len(values) == 0:
		return "", false
	case len(values) > 1:
		q.wrong[name] = "is given more than once"
	case !storable(values[0]):
		q.wrong[name] = "holds characters that no text can have"
	default:
		return values[0], true
	}
	return "", false
}

// filter gives the value of a parameter that may be any text.
func (q *query) filter(name string) string {
	value, _ := q.text(name)
	return value
}

// oneOf gives the value of a parameter that has a fixed set of them.
func oneOf[T ~string](q *query, name string, allowed []T) string {
	value, given := q.text(name)
	if given && !slices.Contains(allowed, T(value)) {
		q.wrong[name] = "must be " + alternatives(allowed)
		return ""
	}
	return value
}

// id gives the value of a parameter that is an ID.
func (q *query) id(name string) string {
	value, given := q.text(name)
	if !given {
		return ""
	}
	if !isID(value) {
		q.wrong[name] = "must be an ID"
	}
	return value
}

// flag gives the value of a parameter that is true or false; nil when it is absent.
func (q *query) flag(name string) *bool {
	value, given := q.text(name)
	if !given {
		return nil
	}
	if value != "true" && value != "false" {
		q.wrong[name] = "must be true or false"
		return nil
	}
	flag := value == "true"
	return &flag
}

// limit gives the number of items asked for; 0 when absent.
func (q *query) limit() int {
	value, given := q.text("limit")
	if !given {
		return 0
	}
	limit, err := strconv.Atoi(value)
	if err != nil || limit < 1 || limit > store.MaxLimit {
		q.wrong["limit"] = fmt.Sprintf("must be a whole number from 1 to %d", store.MaxLimit)
	}
	return limit
}

// paging gives the part of a list asked for, whose cursor is an ID.
func (q *query) paging() store.Paging {
	paging := store.Paging{Limit: q.limit()}
	if value, _ := q.text("cursor"); value != "" {
		if !isID(value) {
			q.wrong["cursor"] = `must be the "next" of an earlier answer`
		}
		paging.Cursor = value
	}
	return paging
}

// err says what is wrong with the parameters, all at once; call it when all have been read.
func (q *query) err() error {
	if q.broken {
		return badRequest("invalid_query", "the query string is not encoded as a query string must be", nil)
	}
	for name := range q.values {
		if !q.asked[name] {
			q.wrong[name] = "is not a parameter of this call"
		}
	}
	if len(q.wrong) > 0 {
		return badRequest("invalid_query", "some parameters are not right: see fields", q.wrong)
	}
	return nil
}

// pathID gives the ID in the path. What cannot be an ID is an ID that nothing has.
func pathID(c *gin.Context) (string, error) {
	id := c.Param("id")
	if !isID(id) {
		return "", store.ErrNotFound
	}
	return id, nil
}

// isID says whether s is an ID in the form in which the system gives them; uuid.Parse takes others too.
func isID(s string) bool {
	id, err := uuid.Parse(s)
	return err == nil && id.String() == s
}

// storable says whether both databases can hold the text: Postgres takes neither NUL nor broken UTF-8.
func storable(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// alternatives lists values for people: "a, b or c".
func alternatives[T ~string](values []T) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = string(v)
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// list is a part of a list as clients see it.
type list[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"`
}

func listOf[S, T any](page store.Page[S], convert func(S) T) list[T] {
	items := make([]T, len(page.Items))
	for i, item := range page.Items {
		items[i] = convert(item)
	}
	return list[T]{Items: items, Next: page.Next}
}
