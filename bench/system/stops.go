package system

import (
	"context"
	"errors"
)

// Stops ends what a system has started. The zero value has nothing to end.
type Stops struct {
	functions []func(ctx context.Context) error
}

// Add is called after each successful start, with what ends it.
func (s *Stops) Add(stop func(ctx context.Context) error) { s.functions = append(s.functions, stop) }

// Close ends everything, the last started first, and goes on after an error.
func (s *Stops) Close(ctx context.Context) error {
	var problems []error
	for i := len(s.functions) - 1; i >= 0; i-- {
		problems = append(problems, s.functions[i](ctx))
	}
	s.functions = nil
	return errors.Join(problems...)
}
