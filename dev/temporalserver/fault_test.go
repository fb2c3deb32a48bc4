package temporalserver

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"

	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
	"go.temporal.io/server/common/primitives"
)

// The frontend's port is tried before the start; one of the inner ports can still be lost
// to another program in the moment between, and the server's own answer is to exit.
func TestAnInnerPortThatIsTakenFailsTheStartAndNotTheProcess(t *testing.T) {
	t.Parallel()
	for _, service := range []primitives.ServiceName{primitives.HistoryService, primitives.FrontendService} {
		t.Run(string(service), func(t *testing.T) {
			t.Parallel()
			taken, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = taken.Close() }()
			listen, err := claimAddresses("127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			listen[service] = netip.MustParseAddrPort(taken.Addr().String())
			options, err := Options{}.withDefaults()
			if err != nil {
				t.Fatal(err)
			}
			server, err := start(t.Context(), options, listen)
			if err == nil {
				server.Stop()
				t.Fatal("started")
			}
			if !strings.Contains(err.Error(), taken.Addr().String()) {
				t.Fatalf("error %q does not name %s", err, taken.Addr())
			}
		})
	}
}

func TestAFatalLineEndsItsGoroutineAndReachesTheOwner(t *testing.T) {
	t.Parallel()
	faults := make(chan error, 1)
	l := log.With(newLogger(nil, slog.LevelWarn, faults), tag.NewStringTag("service", "history"))
	for _, msg := range []string{"first", "second"} {
		returned, ended := false, make(chan struct{})
		go func() {
			defer close(ended)
			l.Fatal(msg, tag.Error(errors.New("address in use")))
			returned = true
		}()
		<-ended
		if returned {
			t.Fatal("Fatal returned")
		}
	}
	if got := (<-faults).Error(); got != "first, error address in use" {
		t.Fatalf("fault %q, want the first one", got)
	}
}

func TestTheLogKeepsToItsLevelAndItsTags(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	handler := slog.NewTextHandler(&out, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	})
	l := newLogger(slog.New(handler), slog.LevelWarn, make(chan error, 1))
	l.Debug("debug")
	l.Info("info")
	l.Warn("warn", tag.NewInt("n", 1))
	log.With(l, tag.NewStringTag("service", "history")).Error("error", tag.NewInt("n", 2))
	l.With().Info("info")
	l.SLog().InfoContext(context.Background(), "info")
	l.SLog().With("a", 1).WithGroup("g").Info("info")

	want := "level=WARN msg=warn n=1\nlevel=ERROR msg=error service=history n=2\n"
	if out.String() != want {
		t.Fatalf("log:\n%swant:\n%s", out.String(), want)
	}
}

func TestAPathIsSafeInASQLiteURI(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/data/temporal.db":     "/data/temporal.db",
		"/my data/100%41?#.db":  "/my%20data/100%2541%3F%23.db",
		`C:/Users/ada/.data/db`: "/C:/Users/ada/.data/db",
	} {
		if got := uriPath(path); got != want {
			t.Errorf("uriPath(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestAnAddressForListeningOnAllIsDialedOnLoopback(t *testing.T) {
	t.Parallel()
	for listen, dial := range map[string]string{
		"127.0.0.1:7233": "127.0.0.1:7233",
		"0.0.0.0:7233":   "127.0.0.1:7233",
		"[::]:7233":      "[::1]:7233",
	} {
		a := addresses{primitives.FrontendService: netip.MustParseAddrPort(listen)}
		if got := a.dialable(primitives.FrontendService); got != dial {
			t.Errorf("dialable(%s) = %s, want %s", listen, got, dial)
		}
	}
}
