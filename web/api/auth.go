package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/account"
)

// settingsActor names, in histories, whoever comes with the token of the settings.
const settingsActor = "api"

// actorKey is where a call keeps who makes it.
const actorKey = "silque.actor"

// actor names who makes a call, for histories: "token NAME", or "api" for the token of the settings.
func actor(c *gin.Context) string { return c.GetString(actorKey) }

// authorised lets a call through that carries the bearer token of the settings, or one of the tokens that admins make and
// that has the scope which the call needs.
func (a *API) authorised(c *gin.Context) {
	scheme, given, _ := strings.Cut(c.GetHeader("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		a.refuse(c, unauthorized(c, `send the header "Authorization: Bearer …" with a token that an admin made in the console, or with the one of NOTIFY_API_TOKEN`))
		return
	}
	given = strings.TrimSpace(given)
	if a.config.Token != "" && sameSecret(given, a.config.Token) {
		c.Set(actorKey, settingsActor)
		return
	}
	token, err := a.tokens.BySecret(c.Request.Context(), given)
	switch {
	case errors.Is(err, account.ErrNotFound) && a.config.Token == "":
		a.refuse(c, unauthorized(c, "this token opens nothing: an admin makes tokens in the console, or set NOTIFY_API_TOKEN and start again"))
	case errors.Is(err, account.ErrNotFound):
		a.refuse(c, unauthorized(c, "this token opens nothing: it is not one of the API's, it was revoked, or its time is over"))
	case err != nil:
		a.refuse(c, err)
	case !token.Has(scopeOf(c.Request.Method, c.FullPath())):
		a.refuse(c, outOfScope(token, scopeOf(c.Request.Method, c.FullPath())))
	default:
		c.Set(actorKey, token.Actor())
	}
}

// scopeOf is what a route needs. Everything that changes something needs Write; two calls are made by POST only because
// what they ask is long.
func scopeOf(method, route string) account.Scope {
	switch call := method + " " + strings.TrimPrefix(route, prefix); {
	case method == http.MethodGet, call == "POST /notifications/preview", call == "POST /notifications/compare":
		return account.Read
	case call == "POST /events":
		return account.Events
	default:
		return account.Write
	}
}

func outOfScope(t *account.Token, needed account.Scope) *failure {
	missing := string(needed)
	if needed == account.Events {
		missing = "events or write"
	}
	return &failure{status: http.StatusForbidden, code: "forbidden",
		message: fmt.Sprintf("this call needs the scope %s; the token has %s", missing, strings.Join(t.ScopeNames(), ", "))}
}

// sameSecret takes the same time wherever the two differ, and however long they are.
func sameSecret(given, secret string) bool {
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

func unauthorized(c *gin.Context, message string) *failure {
	c.Header("WWW-Authenticate", `Bearer realm="silque-notifications"`)
	return &failure{status: http.StatusUnauthorized, code: "unauthorized", message: message}
}
