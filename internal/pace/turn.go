package pace

import "context"

// turn is a lock that can be waited for as long as a context allows. A nil turn is nobody's: all may enter.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

// enter waits for the turn, and takes it even for an ended context when it is free; leave gives it up.
func (t turn) enter(ctx context.Context) error {
	if t == nil {
		return nil
	}
	select {
	case t <- struct{}{}:
		return nil
	default:
	}
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turn) leave() {
	if t != nil {
		<-t
	}
}
