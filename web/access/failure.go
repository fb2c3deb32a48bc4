package access

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/web/ui"
)

// failure is an error that people may see.
type failure struct {
	status               int
	code, title, message string
}

// Error gives code and title.
func (f *failure) Error() string { return f.code + ": " + f.title }

var (
	errForbidden = &failure{http.StatusForbidden, "forbidden", "You may not do this",
		"Your role does not allow it. An admin can change your role under Users."}
	errForeign = &failure{http.StatusForbidden, "foreign_origin", "This came from another site",
		"A page of another site asked for a change here in your name. Nothing was changed. If it was you, open the page here and do it again. " +
			"If it is always so, NOTIFY_PUBLIC_URL is not the address in your browser."}
	errForged = &failure{http.StatusForbidden, "csrf", "This form is too old",
		"The form does not carry the token that this browser was given. Nothing was changed. Go back, load the page anew and send it again."}
	errLink = &failure{http.StatusNotFound, "invitation", "This link cannot be used",
		"It was used before, it is older than 24 hours, or a newer link took its place. Ask an admin for a new one."}
	errInternal = &failure{http.StatusInternalServerError, "internal", "Something went wrong here",
		"It is our mistake, not yours, and the log says what."}
	errUnavailable = &failure{http.StatusServiceUnavailable, "unavailable", "The database cannot be reached",
		"Nothing was changed. Try again in a moment."}
	errUnreadable = &failure{http.StatusBadRequest, "malformed_form", "This form cannot be read",
		"It did not arrive whole, or is not written as forms are. Nothing was changed. Go back, load the page anew and send it again."}
	errTooLarge = &failure{http.StatusRequestEntityTooLarge, "too_large", "This is too large",
		"No form here is as large as this. A file of notifications may have 8 MiB: split it, or import it with: starter import FILE"}
)

func isNotFound(err error) bool { return errors.Is(err, account.ErrNotFound) }

// handle turns a handler's error into a page.
func (a *Access) handle(h func(c *gin.Context) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := h(c); err != nil {
			a.refuse(c, err)
		}
	}
}

// refuse ends a request with the page of an error; what is not meant for people is logged.
func (a *Access) refuse(c *gin.Context, err error) {
	var f *failure
	var network net.Error
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &f):
	case errors.As(err, &large):
		f = errTooLarge
	case errors.Is(err, account.ErrInvitation):
		f = errLink
	case errors.Is(err, driver.ErrBadConn), errors.As(err, &network), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		f = errUnavailable
		a.log(c, err)
	default:
		f = errInternal
		a.log(c, err)
	}
	c.Abort()
	page := &ui.Page{Title: f.title, Data: map[string]string{"Message": f.message, "Code": f.code}}
	if err := a.show(c, f.status, "failure", page); err != nil {
		a.log(c, err)
		c.String(http.StatusInternalServerError, "Something went wrong here; the log says what.\n")
	}
}

// show answers with a page outside the console.
func (a *Access) show(c *gin.Context, status int, name string, p *ui.Page) error {
	p.Bare, p.Person, p.Token = true, a.Person(c), a.Token(c)
	p.Zone, p.Now, p.Theme = ui.ZoneOf(c), time.Now(), ui.ThemeOf(c)
	return a.ui.Render(c, status, name, p)
}

// log names the route and what failed, without values.
func (a *Access) log(c *gin.Context, err error) {
	if c.Request.Context().Err() != nil {
		return // who asked has hung up
	}
	a.options.Log.ErrorContext(c.Request.Context(), "access: request failed", "method", c.Request.Method, "route", c.FullPath(), "error", store.Unquoted(err))
}
