package email_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/silquetech/silque-notifications/internal/channel"
	"github.com/silquetech/silque-notifications/internal/channel/email"
)

func TestAHandOverBeginsOnlyWithTimeEnough(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		allowed time.Duration
		begins  bool
	}{
		"more than the timeout":                {time.Hour, true},
		"just the timeout":                     {time.Minute, true},
		"a little more than three quarters":    {50 * time.Second, true},
		"a little less than three quarters":    {44 * time.Second, false},
		"a moment":                             {time.Second, false},
		"nothing: the deadline is past by now": {-time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, nil)
			out := sender(t, s, func(c *email.Config) { c.Timeout = time.Minute; c.MaxConnections = 1 })
			ctx, cancel := context.WithTimeout(t.Context(), tc.allowed)
			defer cancel()
			_, err := out.Send(ctx, message("d1"))
			if tc.begins {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if after := refusalOf(t, err, channel.Temporary, "smtp_busy").RetryAfter; after < time.Second || after > 10*time.Second {
				t.Errorf("RetryAfter = %v, want a few seconds", after)
			}
			if n := s.accepted.Load(); n != 0 {
				t.Errorf("%d connections, want none", n)
			}
			if _, err := out.Send(t.Context(), message("d2")); err != nil {
				t.Errorf("the next message: %v", err)
			}
		})
	}
}

func TestAMessageThatWaitsForAConnectionObeysItsContext(t *testing.T) {
	t.Parallel()
	hang, arrived := hanging(t)
	s := start(t, func(s *server) { s.onMail = func(*smtp.Conn, int32) error { return hang() } })
	out := sender(t, s, func(c *email.Config) { c.MaxConnections = 1; c.Timeout = time.Minute })
	first, cancelFirst := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _, _ = out.Send(first, message("d1")) }()
	<-arrived

	// 45 s must be left, so this one may wait for 100 ms.
	begun := time.Now()
	late, cancelLate := context.WithTimeout(t.Context(), 45*time.Second+100*time.Millisecond)
	defer cancelLate()
	_, err := out.Send(late, message("d2"))
	wantRefusal(t, err, channel.Temporary, "smtp_busy")
	if took := time.Since(begun); took < 90*time.Millisecond || took > 40*time.Second {
		t.Errorf("it waited %v, want 100 ms", took)
	}

	canceled, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err = out.Send(canceled, message("d3"))
	wantRefusal(t, err, channel.Temporary, "smtp_canceled")

	cancelFirst()
	<-done
	if n := s.accepted.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

func TestTheTimeoutCountsFromTheConnectionAndNotFromTheWaiting(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	t.Cleanup(func() { close(ended) })
	s := start(t, func(s *server) {
		s.onData = func(_ *smtp.Conn, r io.Reader) error {
			_, _ = io.ReadAll(r)
			if s.mails.Load() <= 2 {
				<-ended
			}
			return nil
		}
	})
	out := sender(t, s, func(c *email.Config) { c.MaxConnections = 1; c.Timeout = 500 * time.Millisecond })
	var wg sync.WaitGroup
	outcomes := make(chan error, 3)
	for i := range 3 { // the third waits for twice the timeout
		wg.Go(func() { _, err := out.Send(t.Context(), message(fmt.Sprint("d", i))); outcomes <- err })
	}
	wg.Wait()
	for range 2 {
		wantRefusal(t, <-outcomes, channel.Unknown, "smtp_timeout")
	}
	if err := <-outcomes; err != nil {
		t.Errorf("the third message: %v", err)
	}
}

// More messages than a slow but healthy server takes in the callers' time: none is cut off, none is in doubt.
func TestABacklogOnASlowServerLeavesNothingInDoubt(t *testing.T) {
	t.Parallel()
	s := start(t, func(s *server) {
		s.onData = func(_ *smtp.Conn, r io.Reader) error {
			_, err := io.ReadAll(r)
			<-time.After(100 * time.Millisecond)
			return err
		}
	})
	out := sender(t, s, func(c *email.Config) { c.Timeout = 2 * time.Second })
	var taken, busy int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 2200*time.Millisecond)
			defer cancel()
			_, err := out.Send(ctx, message(fmt.Sprint("d", i)))
			mu.Lock()
			defer mu.Unlock()
			var refusal *channel.Error
			switch {
			case err == nil:
				taken++
			case errors.As(err, &refusal) && refusal.Class == channel.Temporary && refusal.Code == "smtp_busy":
				busy++
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if taken == 0 || busy == 0 || taken != len(s.received()) {
		t.Errorf("%d taken, %d busy, and the server has %d", taken, busy, len(s.received()))
	}
}
