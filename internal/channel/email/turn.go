package email

import (
	"context"
	"errors"
	"time"

	"github.com/silquetech/silque-notifications/internal/channel"
)

// busyPause is the RetryAfter of smtp_busy: by then some of the hand-overs that were in the way have ended.
const busyPause = 5 * time.Second

var errBusy = errors.New("all connections were busy until too little of the caller's time was left for a hand-over")

// needed is how much of the caller's time must be left for a hand-over to begin: three quarters of Config.Timeout. A
// hand-over that is cut off after its content may have been taken, and then another try sends the message twice; so it
// had better not begin. It is not the whole Timeout because what a caller does before Send takes time as well, and a
// caller that allows just Timeout must not be turned away.
func (s *Sender) needed() time.Duration { return s.cfg.Timeout * 3 / 4 }

// turn waits for a free connection, for as long as a hand-over may still begin in the time that ctx leaves.
func (s *Sender) turn(ctx context.Context) error {
	wait, cancel := ctx, context.CancelFunc(func() {})
	if deadline, ok := ctx.Deadline(); ok {
		wait, cancel = context.WithDeadline(ctx, deadline.Add(-s.needed()))
	}
	defer cancel()
	err := s.pool.acquire(wait)
	if err == nil && wait.Err() != nil { // a slot became free in the same moment
		s.pool.release()
		err = wait.Err()
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return &channel.Error{
			Class: channel.Temporary, Code: codeBusy, RetryAfter: busyPause, Detail: errBusy.Error(), Cause: errBusy,
		}
	default:
		return refusal(ctx, err, codeCanceled, false, false)
	}
}
