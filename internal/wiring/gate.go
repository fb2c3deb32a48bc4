package wiring

import (
	"context"
	"log/slog"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/config"
	"github.com/silquetech/silque-notifications/internal/pace"
	"github.com/silquetech/silque-notifications/internal/rule"
)

// gate lets the activities, which know no database, ask what all workers together may hand over.
type gate struct {
	*pace.Gate
	limits map[rule.Channel]pace.Limits
	log    *slog.Logger
}

func newGate(db *gorm.DB, c config.Limits, log *slog.Logger) gate {
	all := limits(c)
	return gate{pace.New(db, all), all, log}
}

func limits(c config.Limits) map[rule.Channel]pace.Limits {
	return map[rule.Channel]pace.Limits{
		rule.Email:    {PerSecond: c.EmailPerSecond, Concurrency: c.EmailConcurrency},
		rule.SMS:      {PerSecond: c.SMSPerSecond, Concurrency: c.SMSConcurrency},
		rule.WhatsApp: {PerSecond: c.WhatsAppPerSecond, Concurrency: c.WhatsAppConcurrency},
	}
}

// Admit asks for hand-overs.
func (g gate) Admit(
	ctx context.Context, channel rule.Channel, want int, patience time.Duration,
) (granted int, wait time.Duration, release func(ctx context.Context, unused int), err error) {
	if g.limits[channel].Concurrency > 0 {
		want = min(want, 1) // each comes free by itself, and does not wait for the slowest of several
	}
	admission, err := g.Gate.Admit(ctx, channel, want, patience)
	release = func(ctx context.Context, unused int) {
		if err := admission.Release(ctx, unused); err != nil {
			g.log.Warn("A channel's concurrency comes free only when its lease ends", "channel", channel, "error", err)
		}
	}
	return admission.Granted, admission.Wait, release, err
}

// Slow slows the channel down when the code means all of it.
func (g gate) Slow(ctx context.Context, channel rule.Channel, code string, wait time.Duration) {
	if !pace.AsksToSlow(code) {
		return
	}
	g.log.Warn("A provider asks to slow down", "channel", channel, "code", code, "wait", wait)
	if err := g.Gate.Slow(ctx, channel, wait); err != nil {
		g.log.Warn("Other workers do not hear that a provider asks to slow down", "channel", channel, "error", err)
	}
}
