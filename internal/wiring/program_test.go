package wiring_test

import (
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/silquetech/silque-notifications/internal/config"
	"github.com/silquetech/silque-notifications/internal/wiring"
)

func TestAProbeTellsReadyFromNotReadyAndAway(t *testing.T) {
	t.Parallel()
	status := make(chan int, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" || r.Method != http.MethodGet {
			t.Errorf("asked %s %s", r.Method, r.URL.Path)
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(<-status)
	}))
	t.Cleanup(server.Close)
	addr := server.Listener.Addr().String()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		addr   string
		status int
		says   string
	}{
		{addr, 200, ""}, {":" + port, 200, ""}, {"0.0.0.0:" + port, 200, ""}, {"[::]:" + port, 200, ""},
		{addr, 503, "not ready, status 503"}, {addr, 302, "not ready, status 302"},
	} {
		status <- test.status
		err := wiring.Probe(t.Context(), test.addr)
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s with %d: error %v, want %q", test.addr, test.status, err, test.says)
		}
	}
	for addr, says := range map[string]string{"": "empty", "nowhere": "address to probe", freeAddr(t): "probe"} {
		if err := wiring.Probe(t.Context(), addr); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: error %v, want %q", addr, err, says)
		}
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

func TestHealthSaysReadyOnlyWhenTheProgramIs(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "something_total", Help: "h"})
	registry.MustRegister(counter)
	addr := freeAddr(t)
	h, err := wiring.ServeHealth(addr, registry)
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string) (int, string) {
		t.Helper()
		response, err := http.Get("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(body)
	}
	want := func(path string, status int) {
		t.Helper()
		if got, _ := get(path); got != status {
			t.Errorf("%s answers %d, want %d", path, got, status)
		}
	}
	want("/healthz", 200)
	want("/readyz", 503)
	if err := wiring.Probe(t.Context(), addr); err == nil {
		t.Error("the probe says ready")
	}
	h.Ready()
	want("/readyz", 200)
	want("/other", 404)
	if err := wiring.Probe(t.Context(), addr); err != nil {
		t.Error(err)
	}
	if _, body := get("/metrics"); !strings.Contains(body, "something_total 0") {
		t.Errorf("metrics:\n%s", body)
	}
	if _, err := wiring.ServeHealth(addr, registry); err == nil || !strings.Contains(err.Error(), "NOTIFY_HEALTH_ADDR") {
		t.Errorf("a taken port: %v", err)
	}
	if err := h.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := wiring.Probe(t.Context(), addr); err == nil {
		t.Error("it answers after its end")
	}
}

func TestHealthWithoutAnAddressServesNothing(t *testing.T) {
	t.Parallel()
	h, err := wiring.ServeHealth("", prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	h.Ready()
	if err := h.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAWorkflowLinkHoldsWhateverIDsAre(t *testing.T) {
	t.Parallel()
	for want, in := range map[string][3]string{
		"http://ui/namespaces/default/workflows/send-notification-1":    {"http://ui", "default", "send-notification-1"},
		"http://ui/t/namespaces/a%20b/workflows/x%2Fy%3Fz%23%25":        {"http://ui/t//", "a b", "x/y?z#%"},
		"https://cloud/namespaces/shop.a1b2c/workflows/%C3%BCber%22%3C": {"https://cloud/", "shop.a1b2c", `über"<`},
	} {
		if got := wiring.WorkflowLink(in[0], in[1])(in[2]); got != want {
			t.Errorf("link %s, want %s", got, want)
		}
	}
}

func TestHelpEndsWellAndAMistakeEndsWithTwo(t *testing.T) {
	t.Parallel()
	if wiring.UsageCode(flag.ErrHelp) != 0 || wiring.UsageCode(errors.New("wrong")) != 2 {
		t.Error("the exit codes are wrong")
	}
}

func TestTheLogHasTheFormAndTheLevelOfTheSettings(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		format, level, want string
		quiet               slog.Level
	}{
		{"json", "warn", `"msg":"said"`, slog.LevelInfo},
		{"text", "debug", "msg=said", slog.LevelDebug - 1},
	} {
		var out strings.Builder
		log := wiring.Logger(config.Notify{LogFormat: test.format, LogLevel: test.level}, &out)
		log.Log(context.Background(), test.quiet, "kept quiet")
		log.Error("said")
		if !strings.Contains(out.String(), test.want) || strings.Contains(out.String(), "quiet") {
			t.Errorf("%s at %s: %s", test.format, test.level, &out)
		}
	}
}
