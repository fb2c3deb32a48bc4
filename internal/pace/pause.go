package pace

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/silquetech/silque-notifications/internal/rule"
)

const (
	// MaxPause is the longest pause that Slow sets: that of a Retry-After, see internal/twilio.
	MaxPause = 6 * time.Hour
	// DefaultPause is the pause after a "slow down" that does not say how long. It is short: a channel is entered gently
	// after it, and the next "slow down" pauses it again.
	DefaultPause = 2 * time.Second
	// lookInterval is how old what a worker knows of a pause may be, and so how long another worker's may go unnoticed.
	lookInterval = 250 * time.Millisecond
)

// pause is what a worker knows of the pause of one channel.
type pause struct {
	// turn lets one goroutine at a time look, and the others have what it saw.
	turn turn
	// looked and until are by the worker's clock; until is when the pause ends or ended.
	looked, until time.Time
}

// know keeps how long a pause goes on, or, below zero, since when it is over.
func (p *pause) know(now time.Time, left time.Duration) {
	p.looked, p.until = now, now.Add(left)
}

// Slow says that the provider of a channel asked to be left alone for so long: no worker begins hand-overs of the channel
// before that, except those that were granted already. Zero, or less, stands for DefaultPause, and more than MaxPause for
// MaxPause. A longer pause that is set already goes on.
//
// This Gate heeds it at once, even when the database cannot be written (the error then says so), others on the channel
// without a rate within 250 ms. After the pause the channel is entered gently: 8 hand-overs in the first second, twice as
// many each second, and from the ninth on as before.
func (g *Gate) Slow(ctx context.Context, channel rule.Channel, wait time.Duration) error {
	p := g.pauses[channel]
	if p == nil {
		return fmt.Errorf("pace: slow: %q is no channel", channel)
	}
	if wait <= 0 {
		wait = DefaultPause
	}
	wait = min(wait, MaxPause)
	if err := p.turn.enter(ctx); err != nil {
		return fmt.Errorf("pace: slow channel %s: %w", channel, err)
	}
	defer p.turn.leave()
	left, err := g.writePause(ctx, channel, wait)
	now := g.now()
	if err != nil {
		p.know(now, max(wait, p.until.Sub(now)))
		return fmt.Errorf("pace: slow channel %s: %w", channel, err)
	}
	p.know(now, left)
	return nil
}

// writePause tells the others, and gives how long the pause goes on.
func (g *Gate) writePause(ctx context.Context, channel rule.Channel, wait time.Duration) (time.Duration, error) {
	if err := g.writing.enter(ctx); err != nil {
		return 0, err
	}
	defer g.writing.leave()
	var left int64
	err := g.db.WithContext(ctx).Raw(g.sql(`INSERT INTO notify_pace (channel, paused_until) VALUES (?, :NOW + CAST(? AS BIGINT))
		ON CONFLICT (channel) DO UPDATE SET paused_until = :GREATEST(excluded.paused_until,
			CASE WHEN notify_pace.paused_until > :NOW + CAST(? AS BIGINT) THEN 0 ELSE notify_pace.paused_until END)
		RETURNING paused_until - :NOW`), channel, wait.Microseconds(), maxPauseAhead.Microseconds()).Scan(&left).Error
	return time.Duration(left) * time.Microsecond, err
}

// look gives when a channel's pause ends or ended, and whether its schedule counts because of it. It asks the database
// when what the worker knows is old.
func (g *Gate) look(ctx context.Context, channel rule.Channel) (until time.Time, gentle bool, err error) {
	p := g.pauses[channel]
	if err := p.turn.enter(ctx); err != nil {
		return time.Time{}, false, fmt.Errorf("pace: look at channel %s: %w", channel, err)
	}
	defer p.turn.leave()
	now := g.now()
	if p.looked.IsZero() || now.Sub(p.looked) >= lookInterval {
		left, err := g.readPause(ctx, channel)
		if err != nil {
			return time.Time{}, false, fmt.Errorf("pace: look at channel %s: %w", channel, err)
		}
		now = g.now()
		p.know(now, left)
	}
	return p.until, now.Before(p.until.Add(gentleTime)), nil
}

// Paused gives how long the pause of a channel goes on, and zero when there is none. What it knows is 250 ms old at most:
// a caller that was granted many hand-overs, or has waited for them, asks before each whether it still may.
func (g *Gate) Paused(ctx context.Context, channel rule.Channel) (time.Duration, error) {
	if g.pauses[channel] == nil {
		return 0, fmt.Errorf("pace: paused: %q is no channel", channel)
	}
	until, _, err := g.look(ctx, channel)
	return max(0, until.Sub(g.now())), err
}

// readPause gives how long the pause goes on, or, below zero, since when it is over.
func (g *Gate) readPause(ctx context.Context, channel rule.Channel) (time.Duration, error) {
	var left []int64
	err := g.db.WithContext(ctx).Raw(g.sql("SELECT paused_until - :NOW FROM notify_pace WHERE channel = ?"), channel).Scan(&left).Error
	if err != nil || len(left) == 0 || left[0] > maxPauseAhead.Microseconds() {
		return -MaxPause, err
	}
	return time.Duration(max(left[0], -MaxPause.Microseconds())) * time.Microsecond, nil
}

// slowCodes are the codes of refusals by which a provider means the channel, not this recipient. Each stands
// for itself and for what has an enhanced code after it.
var slowCodes = []string{
	"twilio_20429", "twilio_http_429", // too many requests
	"twilio_63018",                               // WhatsApp: too many messages from this sender
	"smtp_421",                                   // RFC 5321: service not available; Gmail's 421-4.7.28 and others' for too much mail
	"smtp_432",                                   // Exchange Online: too many connections at once
	"smtp_454", "smtp_auth_421", "smtp_auth_454", // Amazon SES: "Throttling failure"
}

// slowEnhanced are enhanced codes (RFC 3463) of the same meaning: system full, system not accepting messages, congestion.
var slowEnhanced = []string{"_4.3.1", "_4.3.2", "_4.4.5", "_4.7.28"}

// AsksToSlow says whether the code of a refusal (see internal/channel) means that the provider wants less of everything:
// the caller then calls Slow with the refusal's RetryAfter. A refusal that concerns one recipient, such as greylisting or a
// full mailbox, does not count, nor that of a whole day's quota: a pause of some seconds would not help.
func AsksToSlow(code string) bool {
	for _, slow := range slowCodes {
		if code == slow || strings.HasPrefix(code, slow+"_") {
			return true
		}
	}
	for _, enhanced := range slowEnhanced {
		if strings.HasPrefix(code, "smtp_4") && strings.HasSuffix(code, enhanced) {
			return true
		}
	}
	return false
}
