package shop

import (
	"context"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/store"
)

// failure is an error that the caller may see: a machine code and a message that is safe to show.
type failure struct {
	status  int
	code    string
	message string
	// fields says what is wrong with each field or parameter, by its name in JSON.
	fields map[string]string
}

// Error gives code and message.
func (f *failure) Error() string { return f.code + ": " + f.message }

// invalid gives nil when nothing is wrong.
func invalid(fields map[string]string) error {
	if len(fields) == 0 {
		return nil
	}
	return &failure{status: http.StatusUnprocessableEntity, code: "invalid", fields: fields,
		message: "some fields are not right: see fields"}
}

func malformed(message string) error {
	return &failure{status: http.StatusBadRequest, code: "malformed_json", message: message}
}

func noSuchRow(m *model) error {
	return &failure{status: http.StatusNotFound, code: "not_found", message: "no row of " + m.name + " has this id"}
}

func noSuchModel() error {
	names := ""
	for i, m := range models {
		if i > 0 {
			names += ", "
		}
		names += m.name
	}
	return &failure{status: http.StatusNotFound, code: "not_found", message: "no such model: there are " + names}
}

func errCrossSite() *failure {
	return &failure{status: http.StatusForbidden, code: "cross_site",
		message: "this request came from another web site: use the shop's own pages"}
}

// seen gives an error as the caller may see it; what is not a failure is logged and shown as an internal one.
func (s *Shop) seen(c *gin.Context, err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	// Someone who has hung up is no failure of ours.
	if ctx := c.Request.Context(); !errors.Is(ctx.Err(), context.Canceled) {
		s.log.ErrorContext(ctx, "shop: a request failed",
			"method", c.Request.Method, "route", c.FullPath(), "error", store.Unquoted(err))
	}
	return &failure{status: http.StatusInternalServerError, code: "internal",
		message: "something went wrong in the shop: the log says what"}
}
