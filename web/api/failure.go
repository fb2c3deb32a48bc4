package api

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"strings"

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

// badRequest says that a request cannot be understood; fields may be nil.
func badRequest(code, message string, fields map[string]string) *failure {
	return &failure{status: http.StatusBadRequest, code: code, message: message, fields: fields}
}

// invalid says that a request is understood and cannot be done as it is.
func invalid(fields map[string]string) *failure {
	return &failure{status: http.StatusUnprocessableEntity, code: "invalid", fields: fields,
		message: "some fields are not right: see fields"}
}

func notFound(what string) *failure {
	return &failure{status: http.StatusNotFound, code: "not_found", message: what}
}

// handler answers a call, or gives the error that becomes the answer.
type handler func(c *gin.Context) error

// handle turns a handler's error into the answer, the same way for all of them.
func (a *API) handle(h handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := h(c); err != nil {
			a.refuse(c, err)
		}
	}
}

// refuse ends a call with an error: as it is when it is a failure, otherwise as an internal one that is only logged.
func (a *API) refuse(c *gin.Context, err error) {
	var f *failure
	switch {
	case errors.As(err, &f):
	case errors.Is(err, store.ErrNotFound):
		f = notFound("nothing has this ID")
	case unavailable(err):
		f = &failure{status: http.StatusServiceUnavailable, code: "unavailable",
			message: "the database cannot be reached; try again in a moment"}
		a.log(c, err)
	default:
		f = &failure{status: http.StatusInternalServerError, code: "internal",
			message: "something went wrong on our side; the log says what"}
		a.log(c, err)
	}
	writeFailure(c, f)
}

func writeFailure(c *gin.Context, f *failure) {
	body := gin.H{"code": f.code, "message": f.message}
	if len(f.fields) > 0 {
		body["fields"] = f.fields
	}
	c.Abort()
	c.PureJSON(f.status, gin.H{"error": body})
}

// log names the call and what failed. Someone who has hung up is no failure.
func (a *API) log(c *gin.Context, err error) {
	if c.Request.Context().Err() != nil {
		return
	}
	a.config.Logger.ErrorContext(c.Request.Context(), "api: call failed",
		"method", c.Request.Method, "route", c.FullPath(), "error", store.Unquoted(err))
}

// unavailable says whether an error means that the database cannot be reached, or not in time.
func unavailable(err error) bool {
	var network net.Error
	return errors.Is(err, driver.ErrBadConn) || errors.As(err, &network) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// recovered turns a panic into an internal error; the log gets the place, and the value only when the runtime made it.
func (a *API) recovered(c *gin.Context) {
	defer func() {
		value := recover()
		if value == nil {
			return
		}
		if err, ok := value.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(value) // net/http's own way to drop a connection
		}
		cause := fmt.Sprintf("panic with a %T", value)
		if err, ok := value.(interface{ RuntimeError() }); ok {
			cause = fmt.Sprint("panic: ", err)
		}
		a.config.Logger.ErrorContext(c.Request.Context(), "api: call failed", "method", c.Request.Method,
			"route", c.FullPath(), "error", cause, "stack", string(debug.Stack()))
		if c.Writer.Written() {
			c.Abort()
			return
		}
		writeFailure(c, &failure{status: http.StatusInternalServerError, code: "internal",
			message: "something went wrong on our side; the log says what"})
	}()
	c.Next()
}

// NoRoute answers for paths under /api that nothing is mounted on, and leaves every other path to the handlers after it:
//
//	engine.NoRoute(api.NoRoute, console.NoRoute)
func NoRoute(c *gin.Context) {
	if underAPI(c) {
		private(c)
		writeFailure(c, notFound("no such path; /api/v1/openapi.json lists them"))
	}
}

// NoMethod answers for methods that a path under /api does not have, and leaves every other path to the handlers after
// it. It is called only by an engine with HandleMethodNotAllowed, which also sets the header Allow.
func NoMethod(c *gin.Context) {
	if underAPI(c) {
		private(c)
		writeFailure(c, &failure{status: http.StatusMethodNotAllowed, code: "method_not_allowed",
			message: fmt.Sprintf("this path does not have the method; it has %s", c.Writer.Header().Get("Allow"))})
	}
}

func underAPI(c *gin.Context) bool {
	path := c.Request.URL.Path
	return path == "/api" || strings.HasPrefix(path, "/api/")
}
