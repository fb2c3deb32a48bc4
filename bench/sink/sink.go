// Package sink is the mail server that every system sends to: it takes everything and remembers when.
package sink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/silquetech/silque-notifications/bench/system"
)

// Sink is a running mail server on loopback.
type Sink struct {
	server   *smtp.Server
	listener net.Listener
	served   chan error

	mutex    sync.Mutex
	arrivals map[int]time.Time
	// doubles counts emails to an address that had one already; strangers those to nobody.
	doubles, strangers int
	last               time.Time
	change             chan struct{}
}

// Start listens on a free port.
func Start() (*Sink, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("sink: %w", err)
	}
	s := &Sink{listener: listener, served: make(chan error, 1), arrivals: map[int]time.Time{}, change: make(chan struct{})}
	s.server = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{sink: s}, nil }))
	s.server.Domain = "sink.example.com"
	s.server.MaxRecipients = 100
	go func() { s.served <- s.server.Serve(listener) }()
	return s, nil
}

// Addr is host:port.
func (s *Sink) Addr() string { return s.listener.Addr().String() }

// Close ends it.
func (s *Sink) Close() error {
	err := s.server.Close()
	if serving := <-s.served; !errors.Is(serving, smtp.ErrServerClosed) {
		err = errors.Join(err, serving)
	}
	return err
}

// Reset forgets what has arrived.
func (s *Sink) Reset() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.arrivals, s.doubles, s.strangers = map[int]time.Time{}, 0, 0
}

// Arrived is what came since the last Reset.
type Arrived struct {
	// At tells when each customer's first email came.
	At map[int]time.Time
	// Last is when the last first email came.
	Last time.Time
	// Doubles are emails beyond the first to a customer; Strangers went to nobody's address.
	Doubles, Strangers int
}

// Wait returns when n customers have got an email, or ctx ends; either way it gives what has arrived.
func (s *Sink) Wait(ctx context.Context, n int) (Arrived, error) {
	for {
		count, change := s.progress()
		if count >= n {
			return s.arrived(), nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return Arrived{}, fmt.Errorf("sink: %d of %d emails have arrived: %w", count, n, ctx.Err())
		}
	}
}

// progress gives how many have arrived, and a channel that is closed when another does.
func (s *Sink) progress() (int, <-chan struct{}) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return len(s.arrivals), s.change
}

func (s *Sink) arrived() Arrived {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return Arrived{At: maps.Clone(s.arrivals), Last: s.last, Doubles: s.doubles, Strangers: s.strangers}
}

// Count is how many customers have got an email.
func (s *Sink) Count() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return len(s.arrivals)
}

func (s *Sink) take(address string, at time.Time) {
	i, known := system.Number(address)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	switch _, double := s.arrivals[i]; {
	case !known:
		s.strangers++
	case double:
		s.doubles++
	default:
		s.arrivals[i], s.last = at, at
		close(s.change)
		s.change = make(chan struct{})
	}
}

// session is one connection.
type session struct {
	sink *Sink
	to   []string
}

// Mail begins a message.
func (c *session) Mail(string, *smtp.MailOptions) error { return nil }

// Rcpt names one recipient.
func (c *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.to = append(c.to, to)
	return nil
}

// Data reads the content: the message has arrived when all of it has.
func (c *session) Data(r io.Reader) error {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	now := time.Now()
	for _, to := range c.to {
		c.sink.take(to, now)
	}
	return nil
}

// Reset forgets the recipients.
func (c *session) Reset() { c.to = nil }

// Logout ends the connection.
func (c *session) Logout() error { return nil }
