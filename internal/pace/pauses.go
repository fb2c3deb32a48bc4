package pace

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// Pauses gives how long the pauses of channels go on that a provider has asked for; a channel without one is not in it.
func Pauses(ctx context.Context, db *gorm.DB) (map[rule.Channel]time.Duration, error) {
	g := New(db, nil)
	var rows []struct {
		Channel rule.Channel
		Remains int64
	}
	err := g.db.WithContext(ctx).Raw(g.sql(`SELECT channel, paused_until - :NOW AS remains FROM notify_pace WHERE paused_until > :NOW`)).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("pace: pauses: %w", err)
	}
	pauses := make(map[rule.Channel]time.Duration, len(rows))
	for _, r := range rows {
		if r.Remains <= maxPauseAhead.Microseconds() {
			pauses[r.Channel] = time.Duration(r.Remains) * time.Microsecond
		}
	}
	return pauses, nil
}
