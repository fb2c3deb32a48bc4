package api

import (
	_ "embed"
	"net/http"

	"github.com/gin-gonic/gin"
)

//go:embed openapi.json
var description []byte

// Description gives the OpenAPI document of this API.
func Description() []byte { return description }

// serveDescription needs no token: the document holds nothing of the installation.
func serveDescription(c *gin.Context) {
	c.Header("Cache-Control", "public, max-age=300")
	c.Data(http.StatusOK, "application/json; charset=utf-8", description)
}
