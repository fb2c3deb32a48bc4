package email_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/silquetech/silque-notifications/internal/channel"
	"github.com/silquetech/silque-notifications/internal/channel/email"
)

func TestIdleConnectionsAreClosed(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	out := sender(t, s, func(c *email.Config) { c.IdleTimeout = 30 * time.Millisecond })
	for i, id := range []string{"d1", "d2"} {
		if _, err := out.Send(t.Context(), message(id)); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the idle connection is closed", func() bool { return s.open.Load() == 0 })
		if n := int(s.accepted.Load()); n != i+1 {
			t.Errorf("%d connections, want %d", n, i+1)
		}
	}
}

func TestCheckConnectsAndSaysNothing(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	if err := sender(t, s, nil).Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.accepted.Load() != 1 || s.mails.Load() != 0 {
		t.Errorf("%d connections, %d MAIL commands", s.accepted.Load(), s.mails.Load())
	}
	broken := script(t, map[string]string{"NOOP": "421 closing"})
	err := sender(t, &server{port: broken.port}, nil).Check(t.Context())
	wantRefusal(t, err, channel.Temporary, "smtp_421")
}

func TestAClosedSenderRefuses(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	out := sender(t, s, nil)
	if _, err := out.Send(t.Context(), message("d1")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := out.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the connection is closed", func() bool { return s.open.Load() == 0 })
	_, err := out.Send(t.Context(), message("d2"))
	wantRefusal(t, err, channel.Temporary, "smtp_closed")
}

func TestCloseWaitsForWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	arrived, carryOn := make(chan struct{}), make(chan struct{})
	s := start(t, func(s *server) {
		s.onData = func(*smtp.Conn, io.Reader) error { close(arrived); <-carryOn; return nil }
	})
	out := sender(t, s, nil)
	sent := make(chan error, 1)
	go func() { _, err := out.Send(t.Context(), message("d1")); sent <- err }()
	<-arrived
	closed := make(chan error, 1)
	go func() { closed <- out.Close(t.Context()) }()
	eventually(t, "the sender takes no more", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
		defer cancel()
		_, err := out.Send(ctx, message("d2"))
		var refusal *channel.Error
		return errors.As(err, &refusal) && refusal.Code == "smtp_closed"
	})
	select {
	case err := <-closed:
		t.Fatalf("Close did not wait: %v", err)
	default:
	}
	close(carryOn)
	if err := <-sent; err != nil {
		t.Errorf("the message under way: %v", err)
	}
	if err := <-closed; err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestCloseGivesUpWhenItsContextEnds(t *testing.T) {
	t.Parallel()
	hang, arrived := hanging(t)
	s := start(t, func(s *server) {
		s.onData = func(_ *smtp.Conn, r io.Reader) error { _, _ = io.ReadAll(r); return hang() }
	})
	out := sender(t, s, nil)
	sent := make(chan error, 1)
	go func() { _, err := out.Send(t.Context(), message("d1")); sent <- err }()
	<-arrived
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := out.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close: %v", err)
	}
	wantRefusal(t, <-sent, channel.Unknown, "smtp_canceled")
}
