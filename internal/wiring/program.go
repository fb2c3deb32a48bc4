package wiring

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/signal"
	"syscall"
	"time"
)

// UntilStopped gives a context that ends at Ctrl-C or SIGTERM. A second signal kills the process as usual.
func UntilStopped(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(parent, syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// probeTimeout bounds one health check.
const probeTimeout = 5 * time.Second

// Probe asks a program that listens at addr whether it is ready: the health check of a container without a shell.
func Probe(ctx context.Context, addr string) error {
	if addr == "" {
		return errors.New("probe: the setting that says where to listen is empty, so there is nothing to ask")
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("address to probe: %w", err)
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	direct := &http.Transport{DisableKeepAlives: true} // without the environment's proxy: the program is on this machine
	response, err := direct.RoundTrip(request)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("probe: not ready, status %d", response.StatusCode)
	}
	return nil
}
