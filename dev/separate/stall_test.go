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
	all    atomic.Bool // not only from a piece of weight on
	caught atomic.Bool // something of weight, since it is held
	weight atomic.Pointer[func(piece []byte) bool]
}

// begin holds back all that comes from now on.
func (h *hold) begin() {
	const upkeep = 40 // bytes: more than a connection says when nobody asks or answers anything
	h.set(true, func(piece []byte) bool { return len(piece) > upkeep })
}

// beginAt lets everything through until a piece of weight comes, and holds back that and what follows it on the same
// connection.
func (h *hold) beginAt(weight func(piece []byte) bool) { h.set(false, weight) }

func (h *hold) set(all bool, weight func(piece []byte) bool) {
	h.weight.Store(&weight)
	h.all.Store(all)
	h.caught.Store(false)
	h.held.Store(true)
}

func (h *hold) end() { h.held.Store(false) }

// catches says whether a piece is to be held back.
func (h *hold) catches(piece []byte) bool {
	if !h.held.Load() {
		return false
	}
	heavy := (*h.weight.Load())(piece)
	if heavy {
		h.caught.Store(true)
	}
	return heavy || h.all.Load()
}

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
func (s *stall) flow() { s.requests.end(); s.answers.end() }

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
	type piece struct {
		bytes []byte
		stop  bool
	}
	pieces := make(chan piece, 1024)
	go func() {
		defer close(pieces)
		for {
			buffer := make([]byte, 32<<10)
			n, err := from.Read(buffer)
			if n > 0 {
				select {
				case pieces <- piece{buffer[:n], hold.catches(buffer[:n])}:
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
	for p := range pieces {
		for p.stop && hold.held.Load() {
			select {
			case <-gone:
				return
			case <-time.After(time.Millisecond):
			}
		}
		if _, err := to.Write(p.bytes); err != nil {
			return
		}
	}
}
