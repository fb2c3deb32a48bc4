package app

import (
	"context"
	"time"

	"github.com/silquetech/silque-notifications/internal/store"
)

const (
	// foldInterval is how often the counts of deliveries by hour are brought together: they are exact before that, too,
	// but more rows have to be read.
	foldInterval = 5 * time.Second
	// hoursKept is how far back charts can look.
	hoursKept = 400 * 24 * time.Hour
)

// foldHours brings the counts together now and then until ctx ends.
func (a *App) foldHours(ctx context.Context) {
	ticker := time.NewTicker(foldInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := store.DeliveryHours{DB: a.config.DB}.Fold(ctx, time.Now().Add(-hoursKept))
		if err != nil && ctx.Err() == nil {
			a.config.Log.Warn("The counts of deliveries could not be brought together; trying again", "error", err, "in", foldInterval)
		}
	}
}
