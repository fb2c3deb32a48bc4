package hooks

import (
	"log/slog"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/store"
)

// logFailure names the call and what failed, without the values that a database or a driver quotes in its errors.
func logFailure(c *gin.Context, log *slog.Logger, err error) {
	ctx := c.Request.Context()
	if ctx.Err() != nil {
		return // who asked has hung up
	}
	log.ErrorContext(ctx, "hooks: call failed", "method", c.Request.Method, "route", c.FullPath(), "error", store.Unquoted(err))
}
