package relay

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/silquetech/silque-notifications/internal/outbox"
)

// listenAgainAfter is the wait before a broken connection is replaced. Meanwhile the poll finds the events.
const listenAgainAfter = time.Second

// listen turns other processes' notices of new events into nudges. On Postgres the plugin sends one after a commit; on
// other databases there is nothing to listen to, and the poll finds the events.
func (r *Relay) listen(ctx context.Context) {
	if r.db.Name() != "postgres" {
		return
	}
	for ctx.Err() == nil {
		if err := r.listenOnce(ctx); err != nil && ctx.Err() == nil {
			r.options.Log.Debug("Not listening for events; trying again", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(listenAgainAfter):
		}
	}
}

// listenOnce holds one connection until it breaks or ctx ends; the connection is then closed, not reused.
func (r *Relay) listenOnce(ctx context.Context) error {
	pool, err := r.db.DB()
	if err != nil {
		return err
	}
	connection, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }()
	return connection.Raw(func(driver any) error {
		postgres, ok := driver.(*stdlib.Conn)
		if !ok {
			return errors.New("relay: the connection is not pgx's")
		}
		defer func() { _ = postgres.Conn().Close(context.WithoutCancel(ctx)) }()
		if _, err := postgres.Conn().Exec(ctx, "LISTEN "+outbox.Channel+"; LISTEN "+outbox.PassedChannel); err != nil {
			return err
		}
		for {
			notice, err := postgres.Conn().WaitForNotification(ctx)
			if err != nil {
				return err
			}
			if notice.Channel == outbox.PassedChannel {
				r.Passed(notice.Payload)
			} else {
				r.Nudge()
			}
		}
	})
}
