package wiring

import (
	"context"
	"log/slog"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
)

// passedNotice tells relays in other processes that a workflow's first pass is over: on Postgres by a notice; on SQLite
// they look by themselves. A lost notice costs a relay a moment.
type passedNotice struct {
	db  *gorm.DB
	log *slog.Logger
}

func (p passedNotice) send(ctx context.Context, workflowID string) {
	if p.db.Name() != "postgres" {
		return
	}
	err := p.db.WithContext(ctx).Exec("SELECT pg_notify(?, ?)", outbox.PassedChannel, workflowID).Error
	if err != nil && ctx.Err() == nil {
		p.log.Debug("A relay was not told of a pass", "workflow", workflowID, "error", err)
	}
}
