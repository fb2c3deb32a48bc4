package access

import (
	"context"
	"errors"
	"mime/multipart"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"
	"github.com/justinas/nosurf"
)

// csrfCookie carries the secret that forms repeat.
const csrfCookie = "silque_csrf"

// sameOrigin refuses what another site's page asks a browser to change.
func (a *Access) sameOrigin(c *gin.Context) {
	if err := a.origins.Check(c.Request); err != nil {
		a.refuse(c, errForeign)
	}
}

// verdict is what the check of a form's token found out.
type verdict struct {
	token string
	right bool
	// request is the one whose form was read: a body can be read only once.
	request *http.Request
}

type verdictKey struct{}

// newForgery makes the check of forms' tokens. It only writes down what it finds: the page goes on in gin's own way.
func (a *Access) newForgery() http.Handler {
	note := func(right bool) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if v, ok := r.Context().Value(verdictKey{}).(*verdict); ok {
				v.token, v.right, v.request = nosurf.Token(r), right, r
			}
		})
	}
	check := nosurf.New(note(true))
	check.SetFailureHandler(note(false))
	check.SetBaseCookie(*a.cookie(csrfCookie, "", "/", nosurf.MaxAge))
	check.SetIsTLSFunc(func(r *http.Request) bool { return r.TLS != nil || a.secure() })
	check.SetIsAllowedOriginFunc(func(origin *url.URL) bool {
		return a.options.PublicURL != "" && origin.Scheme+"://"+origin.Host == a.options.PublicURL
	})
	return check
}

// unforged refuses a form without the token that we gave to this browser.
func (a *Access) unforged(c *gin.Context) {
	if err := readForm(c.Request); err != nil {
		a.refuse(c, err)
		return
	}
	v := new(verdict)
	a.forgery.ServeHTTP(c.Writer, c.Request.WithContext(context.WithValue(c.Request.Context(), verdictKey{}, v)))
	c.Request = v.request
	c.Set(tokenKey, v.token)
	if v.right {
		return
	}
	a.refuse(c, errForged)
}

// formMemory is more than any body may have here, so that no file of a form is written to the disk.
const formMemory = 16 << 20

// readForm reads a form whole, or says why that cannot be: a form that was cut off must not pass for an empty one, which
// handlers would take for a choice. It has to come first: net/http tells what is wrong with a form once.
func readForm(r *http.Request) error {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	err := r.ParseForm()
	if err == nil {
		if err = r.ParseMultipartForm(formMemory); errors.Is(err, http.ErrNotMultipart) {
			return nil
		}
	}
	var large *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &large), errors.Is(err, multipart.ErrMessageTooLarge):
		return errTooLarge
	default:
		return errUnreadable
	}
}

// Token is what a form must send back as csrf_token, or a script as X-CSRF-Token.
func (a *Access) Token(c *gin.Context) string { return c.GetString(tokenKey) }
