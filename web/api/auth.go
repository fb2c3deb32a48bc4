package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"strings"

	"github.com/gin-gonic/gin"
)

// authorised lets a call through that carries the bearer token.
func (a *API) authorised(c *gin.Context) {
	if a.config.Token == "" {
		a.refuse(c, unauthorized(c, "the API has no token and refuses every call: set NOTIFY_API_TOKEN and start again"))
		return
	}
	scheme, token, _ := strings.Cut(c.GetHeader("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		a.refuse(c, unauthorized(c, `send the header "Authorization: Bearer …" with the API's token`))
		return
	}
	if !sameSecret(strings.TrimSpace(token), a.config.Token) {
		a.refuse(c, unauthorized(c, "the token is not the API's"))
	}
}

// sameSecret takes the same time wherever the two differ, and however long they are.
func sameSecret(given, secret string) bool {
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

func unauthorized(c *gin.Context, message string) *failure {
	c.Header("WWW-Authenticate", `Bearer realm="silque-notifications"`)
	return &failure{status: 401, code: "unauthorized", message: message}
}
