// Package servertest gives a test a Temporal server of its own.
package servertest

import (
	"context"
	"log/slog"
	"testing"

	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"github.com/silquetech/silque-notifications/dev/temporalserver"
)

// Start runs a Temporal server in memory on a free loopback port and stops it when the test
// ends. It takes about half a second, and another to stop: share one among subtests. The
// test fails if the server does not start or meets a fatal fault.
func Start(t testing.TB) *temporalserver.Server {
	t.Helper()
	server, err := temporalserver.Start(context.Background(), temporalserver.Options{Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Stop()
		select {
		case fault := <-server.Failed():
			t.Errorf("Temporal server failed during the test: %v", fault)
		default:
		}
	})
	return server
}

// Dial returns a client of the server's namespace that says nothing and is closed when the test ends.
func Dial(t testing.TB, server *temporalserver.Server) client.Client {
	t.Helper()
	c, err := client.Dial(client.Options{
		HostPort:  server.Addr(),
		Namespace: server.Namespace(),
		Logger:    sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}
