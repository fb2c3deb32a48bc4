package app

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

// readyTimeout bounds the checks of one look at /readyz.
const readyTimeout = 3 * time.Second

// ready answers 200 when requests and saves work. A Temporal that is away does not change that: events wait for it; the
// body says so.
func (a *App) ready(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), readyTimeout)
	defer cancel()
	status, parts := http.StatusOK, gin.H{"relay": "ok"}
	switch {
	case a.relay.Unable():
		parts["relay"] = "events cannot be claimed; they are kept and flow when the database can be written"
	case a.relay.Stalled():
		parts["relay"] = "waiting for Temporal; events are kept and flow when it is back"
	}
	checks := map[string]Check{"database": a.database}
	for name, check := range a.config.Checks {
		checks[name] = check
	}
	for name, check := range checks {
		parts[name] = "ok"
		if err := check(ctx); err != nil {
			a.config.Log.Info("Not ready", "part", name, "error", err)
			status, parts[name] = http.StatusServiceUnavailable, "not ready"
		}
	}
	c.JSON(status, gin.H{"ready": status == http.StatusOK, "parts": parts})
}

// database asks whether the database answers and its tables are there.
func (a *App) database(ctx context.Context) error {
	var revision int64
	return a.config.DB.WithContext(ctx).Raw("SELECT revision FROM notify_revision WHERE id = 1").Scan(&revision).Error
}
