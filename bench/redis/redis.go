// Package redis runs a Redis server for the systems that queue in one, as durable as Redis's documentation advises.
package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/silquetech/silque-notifications/bench/process"
	"github.com/silquetech/silque-notifications/bench/system"
)

// startTimeout bounds the wait for a started server to answer.
const startTimeout = 20 * time.Second

// Server is a running server, a child of this process.
type Server struct {
	process *process.Process
	socket  string
}

// Start runs a server that listens on a Unix socket in the folder, and keeps its data there. It gives
// system.ErrNotInstalled when there is no Redis.
//
// Every write is appended to a log that is on the disk within a second: what Redis's documentation calls its suggested
// and default policy, beside the snapshots that are on by default.
// https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/
func Start(ctx context.Context, folder string) (*Server, error) {
	program := process.Find("redis-server", "/usr/bin", "/usr/local/bin")
	if program == "" {
		return nil, fmt.Errorf("redis-server (Debian: apt-get install redis-server): %w", system.ErrNotInstalled)
	}
	data := filepath.Join(folder, "redis")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	s := &Server{socket: filepath.Join(data, "socket")}
	command := exec.Command(program, "--dir", data, "--port", "0", "--unixsocket", s.socket, //nolint:gosec // the program found above
		"--appendonly", "yes", "--appendfsync", "everysec", "--loglevel", "warning")
	command.Stderr = os.Stderr
	var err error
	if s.process, err = process.Start(command); err != nil {
		return nil, fmt.Errorf("redis: start: %w", err)
	}
	if err := s.awaitReady(ctx); err != nil {
		return nil, errors.Join(err, s.Stop(context.WithoutCancel(ctx)))
	}
	return s, nil
}

func (s *Server) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		err := s.ping(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.process.Ended():
			return errors.New("redis: the server ended at once")
		case <-ctx.Done():
			return fmt.Errorf("redis: the server did not come up: %w", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// ping asks in Redis's own protocol whether the server takes commands.
func (s *Server) ping(ctx context.Context) error {
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "unix", s.socket)
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }()
	if _, err := io.WriteString(connection, "PING\r\n"); err != nil {
		return err
	}
	answer := make([]byte, len("+PONG"))
	if _, err := io.ReadFull(connection, answer); err != nil {
		return err
	}
	if string(answer) != "+PONG" {
		return fmt.Errorf("redis: the server said %q to PING", answer)
	}
	return nil
}

// Socket is the path of the Unix socket.
func (s *Server) Socket() string { return s.socket }

// Stop ends the server.
func (s *Server) Stop(ctx context.Context) error {
	if err := s.process.Stop(ctx); err != nil {
		return fmt.Errorf("redis: stop: %w", err)
	}
	return nil
}
