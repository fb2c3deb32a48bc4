package stack

import (
	"context"
	"errors"
	"fmt"
	"net"
)

// listen takes the web app's port before anything else starts, and tries the other two, so that every port that is taken
// is named at once. The three are held together: two flags with one address are found, too.
func (s *Stack) listen(context.Context) error {
	listener, problem := tryAddress("-addr", s.options.Addr)
	problems := []error{problem}
	if problem == nil {
		s.listener = listener
		s.atStop(func(context.Context) error { _ = listener.Close(); return nil })
	}
	// Temporal and its Web UI open their listeners themselves, a moment later.
	var held []net.Listener
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	for _, other := range []struct{ flag, addr string }{
		{"-ui-addr", s.options.UIAddr}, {"-temporal-addr", s.options.TemporalAddr},
	} {
		if other.addr == "" {
			continue // their own default
		}
		tried, problem := tryAddress(other.flag, other.addr)
		problems = append(problems, problem)
		if problem == nil {
			held = append(held, tried)
		}
	}
	return errors.Join(problems...)
}

// tryAddress listens, or says in one line which flag to change.
func tryAddress(flag, addr string) (net.Listener, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%w; choose another with %s", err, flag)
	}
	return listener, nil
}
