package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Getenv, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "library:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. DATABASE_URL names the database, LIBRARY_ADDR where to listen.
func run(ctx context.Context, getenv func(string) string, stderr io.Writer) error {
	log := slog.New(slog.NewTextHandler(stderr, nil))
	library, err := openLibrary(ctx, getenv("DATABASE_URL"), log)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", cmp.Or(getenv("LIBRARY_ADDR"), "127.0.0.1:8070"))
	if err != nil {
		return errors.Join(fmt.Errorf("LIBRARY_ADDR: %w", err), library.close())
	}
	log.Info("The library is open", "addr", listener.Addr().String())
	// Requests end before the plugin does, and the plugin before the database.
	return errors.Join(serve(ctx, listener, library.routes()), library.close())
}

const (
	requestTimeout = 30 * time.Second
	stopTimeout    = 15 * time.Second
)

// serve answers requests until ctx ends, and lets those under way end.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: requestTimeout, ReadTimeout: requestTimeout, WriteTimeout: requestTimeout,
	}
	serving := make(chan error, 1)
	go func() { serving <- server.Serve(listener) }()
	select {
	case err := <-serving:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	err := server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, server.Close())
	}
	if ended := <-serving; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}
