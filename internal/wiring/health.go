package wiring

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Health answers /healthz, /readyz and /metrics for a program that serves nothing else.
type Health struct {
	ready    atomic.Bool
	listener net.Listener
	server   *http.Server
	done     chan struct{}
}

// headerTimeout keeps a slow client from holding a connection for ever.
const headerTimeout = 5 * time.Second

// ServeHealth listens at addr; with an empty addr it does nothing. Close it.
func ServeHealth(addr string, metrics prometheus.Gatherer) (*Health, error) {
	h := &Health{done: make(chan struct{})}
	if addr == "" {
		close(h.done)
		return h, nil
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("NOTIFY_HEALTH_ADDR: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !h.ready.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	h.listener, h.server = listener, &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout}
	go func() { defer close(h.done); _ = h.server.Serve(listener) }()
	return h, nil
}

// Ready says that the program does its work from now on.
func (h *Health) Ready() { h.ready.Store(true) }

// Close stops answering.
func (h *Health) Close(ctx context.Context) error {
	if h.server == nil {
		return nil
	}
	err := h.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, h.server.Close())
	}
	<-h.done
	return err
}
