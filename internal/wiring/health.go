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

// What a client may take: there is nothing here to read slowly, and only one who watches asks.
const (
	healthReadTimeout  = 5 * time.Second
	healthWriteTimeout = 30 * time.Second
	healthIdleTimeout  = 2 * time.Minute
	healthMaxHeader    = 16 << 10
)

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
	h.listener, h.server = listener, &http.Server{
		Handler: mux, ReadTimeout: healthReadTimeout, WriteTimeout: healthWriteTimeout, IdleTimeout: healthIdleTimeout, MaxHeaderBytes: healthMaxHeader,
	}
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
