package console

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/web/ui"
)

// handler answers a request, or gives the error that becomes the answer.
type handler func(s *Console, c *gin.Context) error

// failure is an error that people may see: what happened, and what to do about it.
type failure struct {
	status  int
	code    string
	title   string
	message string
}

// Error gives code and title.
func (f *failure) Error() string { return f.code + ": " + f.title }

var (
	errNotThere = &failure{status: http.StatusNotFound, code: "not_found", title: "There is nothing here",
		message: "Nothing has this address. It may have been deleted, or have become so old that it is not kept any more."}
	errNotAllowed = &failure{status: http.StatusForbidden, code: "forbidden", title: "You may not do this",
		message: "Your role does not allow it. An admin can change your role under Users."}
)

// wrongInput is a request that the console's own pages never make.
func wrongInput(message string) *failure {
	return &failure{status: http.StatusBadRequest, code: "invalid", title: "This cannot be done", message: message}
}

// handle checks the role, and turns a handler's error into a page.
func (s *Console) handle(route Route) gin.HandlerFunc {
	return func(c *gin.Context) {
		if !s.config.Access.Person(c).May(route.Role) {
			s.refuse(c, errNotAllowed)
			return
		}
		if err := route.handler(s, c); err != nil {
			s.refuse(c, err)
		}
	}
}

// refuse answers with the page of an error; what is not meant for people is logged.
func (s *Console) refuse(c *gin.Context, err error) {
	var f *failure
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &f):
	case errors.Is(err, store.ErrNotFound), errors.Is(err, account.ErrNotFound):
		f = errNotThere
	case errors.As(err, &large):
		f = &failure{status: http.StatusRequestEntityTooLarge, code: "too_large", title: "This is too large",
			message: "The form or the file is larger than 8 MiB. Make it smaller, or split it."}
	case untextual(err):
		f = wrongInput("What was sent holds a character that no text can have. Take it out, and send it again.")
	case unavailable(err):
		f = &failure{status: http.StatusServiceUnavailable, code: "unavailable", title: "The database cannot be reached",
			message: "Nothing was changed. Try again in a moment; if it stays so, look at Health or at the log."}
		s.log(c, err)
	default:
		f = &failure{status: http.StatusInternalServerError, code: "internal", title: "Something went wrong here",
			message: "It is our mistake, not yours, and the log says what. Nothing is lost: changes of rows are kept and told."}
		s.log(c, err)
	}
	c.Abort()
	page := &ui.Page{Title: f.title, Data: map[string]string{"Message": f.message, "Code": f.code}}
	if err := s.show(c, f.status, "failure", page); err != nil {
		s.log(c, err)
		c.String(http.StatusInternalServerError, "Something went wrong here; the log says what.\n")
	}
}

// log names the route and what failed, without values.
func (s *Console) log(c *gin.Context, err error) {
	if c.Request.Context().Err() != nil {
		return // who asked has hung up
	}
	s.config.Log.ErrorContext(c.Request.Context(), "console: page failed", "method", c.Request.Method, "route", c.FullPath(), "error", store.Unquoted(err))
}

// untextual says whether Postgres refused a text: it takes neither NUL nor broken UTF-8, which nobody types.
func untextual(err error) bool {
	var postgres interface{ SQLState() string }
	return errors.As(err, &postgres) && postgres.SQLState() == "22021"
}

func unavailable(err error) bool {
	var network net.Error
	return errors.Is(err, driver.ErrBadConn) || errors.As(err, &network) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// NoRoute gives the handlers of paths that nothing is mounted on: a page for browsers, JSON for everyone else.
func (s *Console) NoRoute() []gin.HandlerFunc {
	handlers := append([]gin.HandlerFunc{forBrowsers, bounded}, s.config.Access.Guard()...)
	return append(handlers, func(c *gin.Context) { s.refuse(c, errNotThere) })
}

// forBrowsers ends a request that does not ask for a page.
func forBrowsers(c *gin.Context) {
	if !strings.Contains(c.GetHeader("Accept"), "text/html") {
		c.AbortWithStatusJSON(http.StatusNotFound, gin.H{"error": gin.H{"code": "not_found", "message": "there is nothing at this path"}})
	}
}
