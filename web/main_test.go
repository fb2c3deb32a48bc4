package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// ran runs the program until it ends, and gives its exit code and what it said.
func ran(ctx context.Context, t *testing.T, arguments string, environ ...string) (code int, stderr string) {
	t.Helper()
	var out strings.Builder
	environ = append([]string{"DATABASE_URL=sqlite://" + filepath.Join(t.TempDir(), "test.db"), "TEMPORAL_ADDRESS=127.0.0.1:1",
		"TEMPORAL_CONFIG_FILE=" + filepath.Join(t.TempDir(), "none.toml")}, environ...)
	code = run(ctx, strings.Fields(arguments), environ, io.Discard, &out)
	return code, out.String()
}

func TestAPortThatIsTakenIsNamed(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	addr := taken.Addr().String()
	code, stderr := ran(t.Context(), t, "", "NOTIFY_ADDR="+addr)
	if code != 1 || !strings.Contains(stderr, "web: NOTIFY_ADDR: ") || !strings.Contains(stderr, addr) {
		t.Errorf("exit code %d, said:\n%s", code, stderr)
	}
}

func TestTheWebAppServesWithoutTemporalUntilItIsStopped(t *testing.T) {
	t.Parallel()
	addr := freeAddr(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan int, 1)
	go func() { code, _ := ran(ctx, t, "", "NOTIFY_ADDR="+addr); ended <- code }()
	eventually(t, "the web app is healthy", func() bool {
		response, err := http.Get("http://" + addr + "/healthz")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	if code, stderr := ran(ctx, t, "--healthcheck", "NOTIFY_ADDR="+addr); code != 0 {
		t.Errorf("the health check says %d:\n%s", code, stderr)
	}
	stop()
	if code := <-ended; code != 0 {
		t.Errorf("exit code %d after a stop", code)
	}
	if code, stderr := ran(t.Context(), t, "--healthcheck", "NOTIFY_ADDR="+addr); code != 1 || !strings.Contains(stderr, "probe") {
		t.Errorf("the health check of a stopped web app says %d:\n%s", code, stderr)
	}
}

// freeAddr gives an address at which nothing listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not in 20 s: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
