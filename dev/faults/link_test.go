package faults_test

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// link is a line between the programs and a server, which a test can cut, and can make slow.
type link struct {
	listener net.Listener
	// dial reaches the server.
	dial func() (net.Conn, error)

	mutex sync.Mutex
	cut   bool
	slow  time.Duration
	open  map[net.Conn]bool
}

// newLink makes a line that works; its address is on loopback.
func newLink(t testing.TB, network, address string) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{
		listener: listener, open: make(map[net.Conn]bool),
		dial: func() (net.Conn, error) { return net.Dial(network, address) },
	}
	go l.serve()
	t.Cleanup(func() { _ = listener.Close(); l.Cut() })
	return l
}

func (l *link) addr() string { return l.listener.Addr().String() }

func (l *link) serve() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		go l.carry(near)
	}
}

func (l *link) carry(near net.Conn) {
	defer func() { _ = near.Close() }()
	if !l.add(near) {
		return
	}
	defer l.remove(near)
	far, err := l.dial()
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }()
	go func() { l.copy(near, far); _ = near.Close() }()
	l.copy(far, near)
}

// copy carries one direction until it breaks.
func (l *link) copy(to io.Writer, from io.Reader) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			time.Sleep(l.delay())
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (l *link) delay() time.Duration {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.slow
}

func (l *link) add(c net.Conn) bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if !l.cut {
		l.open[c] = true
	}
	return !l.cut
}

func (l *link) remove(c net.Conn) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	delete(l.open, c)
}

// Cut breaks every connection, and refuses new ones.
func (l *link) Cut() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.cut = true
	for c := range l.open {
		_ = c.Close()
	}
}

// Mend lets connections through again.
func (l *link) Mend() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.cut = false
}

// Slow makes each piece of data wait.
func (l *link) Slow(wait time.Duration) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.slow = wait
}
