// Package bare has the two halves of the work with nothing between them: customers saved of whom nobody hears, and emails
// sent that no save asked for. They are the ceilings of what the systems can reach.
package bare

import (
	"context"
	"errors"
	"sync"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/bench/customers"
	"github.com/silquetech/silque-notifications/bench/mailer"
	"github.com/silquetech/silque-notifications/bench/system"
	"github.com/silquetech/silque-notifications/internal/store"
)

// Saver saves with gorm and sends nothing.
type Saver struct{ db *gorm.DB }

// OpenSaver connects to the database.
func OpenSaver(ctx context.Context, setup system.Setup) (system.System, error) {
	db, err := customers.Open(ctx, setup.DatabaseURL)
	if err != nil {
		return nil, err
	}
	return &Saver{db: db}, nil
}

// Save saves customer i.
func (s *Saver) Save(ctx context.Context, i int) error { return customers.Save(ctx, s.db, i) }

// Close disconnects.
func (s *Saver) Close(context.Context) error { return store.Close(s.db) }

// Sender sends with go-mail over all connections at once and saves nothing.
type Sender struct {
	mailer  *mailer.Mailer
	pending chan int
	sending sync.WaitGroup

	mutex sync.Mutex
	err   error
}

// OpenSender prepares the connections.
func OpenSender(_ context.Context, setup system.Setup) (system.System, error) {
	pool, err := mailer.New(setup)
	if err != nil {
		return nil, err
	}
	s := &Sender{mailer: pool, pending: make(chan int)}
	for range setup.Connections {
		s.sending.Go(s.send)
	}
	return s, nil
}

// send is one connection's work.
func (s *Sender) send() {
	for i := range s.pending {
		if err := s.mailer.Send(context.Background(), i); err != nil {
			s.mutex.Lock()
			s.err = errors.Join(s.err, err)
			s.mutex.Unlock()
		}
	}
}

// Save waits for a free connection and lets it send customer i's email; it reports what went wrong with earlier ones.
func (s *Sender) Save(ctx context.Context, i int) error {
	if err := s.failure(); err != nil {
		return err
	}
	select {
	case s.pending <- i:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Sender) failure() error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.err
}

// Close waits for the emails under way and disconnects.
func (s *Sender) Close(context.Context) error {
	close(s.pending)
	s.sending.Wait()
	return errors.Join(s.failure(), s.mailer.Close())
}
