// Package temporalui serves Temporal's Web UI from inside this process.
package temporalui

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	uiserver "github.com/temporalio/ui-server/v2/server"
	"github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/server_options"

	"github.com/silquetech/silque-notifications/dev/temporalserver/port"
)

// DefaultAddr is where Temporal's own development server puts its Web UI.
const DefaultAddr = "127.0.0.1:8233"

// readyWithin bounds the wait for the first answer; it takes some milliseconds.
const readyWithin = 10 * time.Second

// Options says where the Web UI listens and what it shows.
type Options struct {
	// Addr is the IP:port to listen on, DefaultAddr if empty; port 0 picks a free one. The
	// UI asks nobody for a password: keep it on loopback.
	Addr string
	// TemporalAddr is the server's frontend, host:port.
	TemporalAddr string
	// Namespace is the one that opens first; "default" if empty.
	Namespace string
}

// Server is a running Web UI.
type Server struct {
	addr netip.AddrPort
	ui   *uiserver.Server
	done chan struct{}
}

// Start serves the Web UI and returns when it answers. The Temporal server need not be up
// yet. An address that is taken is named in the error. Neither the UI nor its pages ask
// anything of the outside world.
func Start(ctx context.Context, o Options) (*Server, error) {
	if _, _, err := net.SplitHostPort(o.TemporalAddr); err != nil {
		return nil, fmt.Errorf("start Temporal Web UI: Temporal's address %q is not host:port: %w", o.TemporalAddr, err)
	}
	if o.Addr == "" {
		o.Addr = DefaultAddr
	}
	if o.Namespace == "" {
		o.Namespace = "default"
	}
	// The UI ends the process if it cannot listen, so its port is tried first.
	addr, err := port.Claim(o.Addr)
	if err != nil {
		return nil, fmt.Errorf("start Temporal Web UI: %w", err)
	}
	s := &Server{addr: addr, ui: newUI(addr, o), done: make(chan struct{})}
	go func() {
		defer close(s.done)
		_ = s.ui.Start() // returns nil after Stop; any other end is the process's
	}()
	if err := s.awaitReady(ctx); err != nil {
		s.ui.Stop()
		return nil, fmt.Errorf("start Temporal Web UI on %s: %w", addr, err)
	}
	return s, nil
}

func newUI(addr netip.AddrPort, o Options) *uiserver.Server {
	host := addr.Addr().String()
	if addr.Addr().Is6() {
		host = "[" + host + "]" // the UI joins host and port with a plain colon
	}
	return uiserver.NewServer(server_options.WithConfigProvider(&config.Config{
		Host:                host,
		Port:                int(addr.Port()),
		TemporalGRPCAddress: o.TemporalAddr,
		DefaultNamespace:    o.Namespace,
		EnableUI:            true,
		DisableNewsFetch:    true,
		HideLogs:            true,
		CORS:                config.CORS{CookieInsecure: true}, // plain HTTP: a Secure cookie would not come back
	}))
}

// URL returns the address to open in a browser on this machine, without a slash at the end.
func (s *Server) URL() string {
	addr := s.addr
	if addr.Addr().IsUnspecified() {
		addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), addr.Port())
	}
	return "http://" + addr.String()
}

// Stop closes the UI, with the requests it is answering, and waits for it to end or for the context.
func (s *Server) Stop(ctx context.Context) error {
	s.ui.Stop()
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop Temporal Web UI: %w", context.Cause(ctx))
	}
}

func (s *Server) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	transport := &http.Transport{} // unlike the default one, it never goes through a proxy
	defer transport.CloseIdleConnections()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.probe(ctx, transport)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("it did not answer: %w (%w)", err, context.Cause(ctx))
		}
	}
}

func (s *Server) probe(ctx context.Context, transport *http.Transport) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+"/healthz", nil)
	if err != nil {
		return err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, response.Body)
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET /healthz: %s", response.Status)
	}
	return nil
}
