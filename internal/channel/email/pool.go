package email

import (
	"context"
	"slices"
	"sync"
	"time"
)

// pool bounds the connections and keeps the idle ones. Whoever holds a slot may hold one session: a holder dials only
// when no session is idle, or after it closed one, so the sessions never outnumber the slots.
type pool struct {
	slots       chan struct{}
	idleTimeout time.Duration
	closing     chan struct{} // closed when no more hand-overs begin

	mu       sync.Mutex
	idle     []*session // the most recently used last
	farewell sync.WaitGroup
}

func newPool(size int, idleTimeout time.Duration) *pool {
	return &pool{slots: make(chan struct{}, size), idleTimeout: idleTimeout, closing: make(chan struct{})}
}

// acquire waits for a slot until ctx ends or the pool closes.
func (p *pool) acquire(ctx context.Context) error {
	select {
	case <-p.closing:
		return errClosed
	default:
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-p.closing:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *pool) release() { <-p.slots }

// take gives the most recently used idle session, which is the least likely to have gone stale, or nil.
func (p *pool) take() *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return nil
	}
	last := len(p.idle) - 1
	c := p.idle[last]
	p.idle = p.idle[:last]
	c.expiry.Stop()
	return c
}

// put keeps a session for the next hand-over.
func (p *pool) put(c *session) {
	if !c.unwatch() { // its context ended after the last word, so the connection is closed or about to be
		c.close()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.closing:
		p.farewell.Go(c.quit)
	default:
		c.expiry = time.AfterFunc(p.idleTimeout, func() { p.expire(c) })
		p.idle = append(p.idle, c)
	}
}

// expire says goodbye to a session that was idle for too long, unless someone took it at the same moment.
func (p *pool) expire(c *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.idle, c); i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
		p.farewell.Go(c.quit)
	}
}

// shut lets no further hand-over begin and says goodbye to the idle sessions.
func (p *pool) shut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.closing)
	for _, c := range p.idle {
		c.expiry.Stop()
		p.farewell.Go(c.quit)
	}
	p.idle = nil
}

// drain waits until the hand-overs that had begun are over; abandon is called, once, when ctx ends before that.
func (p *pool) drain(ctx context.Context, abandon func()) error {
	var err error
	for range cap(p.slots) {
		select {
		case p.slots <- struct{}{}:
		case <-ctx.Done():
			if err == nil {
				err = ctx.Err()
				abandon()
			}
			p.slots <- struct{}{}
		}
	}
	p.farewell.Wait()
	return err
}
