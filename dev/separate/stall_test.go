package separate_test

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// stall stands between a program and a server, and can hold back what the one says to the other: so a process is killed
// at a moment that is otherwise too short to meet. What a connection holds back is lost when the program dies.
type stall struct {
	listener          net.Listener
	server            string
	requests, answers hold
}

// hold is one direction that can be held back.
type hold struct {
	held   atomic.Bool
	caught atomic.Bool // since it is held: more than the connection's own upkeep
}

// upkeep is the most bytes that a connection of Temporal's carries when nobody asks or answers anything.
const upkeep = 40

func (h *hold) begin() { h.caught.Store(false); h.held.Store(true) }

func stallBefore(t testing.TB, server string) *stall {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s := &stall{listener: listener, server: server}
	go s.accept()
	t.Cleanup(func() { _ = listener.Close() })
	return s
}

func (s *stall) addr() string { return s.listener.Addr().String() }

// flow lets everything through again.
func (s *stall) flow() { s.requests.held.Store(false); s.answers.held.Store(false) }

func (s *stall) accept() {
	for {
		program, err := s.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", s.server)
		if err != nil {
			_ = program.Close()
			continue
		}
		gone := make(chan struct{})
		var once sync.Once
		end := func() { once.Do(func() { close(gone); _ = program.Close(); _ = server.Close() }) }
		go pass(program, server, &s.requests, gone, end)
		go pass(server, program, &s.answers, gone, end)
	}
}

// pass carries one direction. It goes on reading while it holds back, to see the connection end.
func pass(from, to net.Conn, hold *hold, gone <-chan struct{}, end func()) {
	defer end()
	pieces := make(chan []byte, 1024)
	go func() {
		defer close(pieces)
		for {
			piece := make([]byte, 32<<10)
			n, err := from.Read(piece)
			if n > upkeep && hold.held.Load() {
				hold.caught.Store(true)
			}
			if n > 0 {
				select {
				case pieces <- piece[:n]:
				case <-gone:
					return
				}
			}
			if err != nil {
				end()
				return
			}
		}
	}()
	for piece := range pieces {
		for hold.held.Load() {
			select {
			case <-gone:
				return
			case <-time.After(time.Millisecond):
			}
		}
		if _, err := to.Write(piece); err != nil {
			return
		}
	}
}
