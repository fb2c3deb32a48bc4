package temporalui_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/dev/temporalserver/servertest"
	"github.com/silquetech/silque-notifications/dev/temporalui"
)

func startUI(t *testing.T, o temporalui.Options) *temporalui.Server {
	t.Helper()
	ui, err := temporalui.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := ui.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return ui
}

func get(t *testing.T, url string) (status int, contentType string, body []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err = io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header.Get("Content-Type"), body
}

func TestTheUIShowsTheServer(t *testing.T) {
	t.Parallel()
	server := servertest.Start(t)
	ui := startUI(t, temporalui.Options{
		Addr: "127.0.0.1:0", TemporalAddr: server.Addr(), Namespace: server.Namespace(),
	})

	t.Run("with its first page", func(t *testing.T) {
		status, contentType, body := get(t, ui.URL()+"/")
		if status != http.StatusOK || !strings.HasPrefix(contentType, "text/html") || !strings.Contains(string(body), "svelte") {
			t.Fatalf("%d %s, %d bytes", status, contentType, len(body))
		}
	})
	t.Run("with the namespaces that the server has", func(t *testing.T) {
		status, _, body := get(t, ui.URL()+"/api/v1/namespaces")
		if status != http.StatusOK || !strings.Contains(string(body), `"default"`) {
			t.Fatalf("%d %s", status, body)
		}
	})
	t.Run("without news from outside", func(t *testing.T) {
		_, _, body := get(t, ui.URL()+"/api/v1/settings")
		var settings struct {
			DisableNewsFetch bool
			DefaultNamespace string
		}
		if err := json.Unmarshal(body, &settings); err != nil {
			t.Fatal(err)
		}
		if !settings.DisableNewsFetch || settings.DefaultNamespace != "default" {
			t.Fatalf("settings %s", body)
		}
	})
}

func TestTheUIRunsWithoutAServerAndGivesItsPortBack(t *testing.T) {
	t.Parallel()
	ui, err := temporalui.Start(t.Context(), temporalui.Options{Addr: "127.0.0.1:0", TemporalAddr: "127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if status, _, _ := get(t, ui.URL()+"/"); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	if err := ui.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", strings.TrimPrefix(ui.URL(), "http://"))
	if err != nil {
		t.Fatalf("the port is not free after Stop: %v", err)
	}
	_ = listener.Close()
}

func TestOptionsThatCannotWorkAreRefusedInOneLine(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() }) // after the parallel subtests, unlike a defer

	for name, tc := range map[string]struct {
		options temporalui.Options
		says    string
	}{
		"a port that is taken":    {temporalui.Options{Addr: taken.Addr().String(), TemporalAddr: "127.0.0.1:7233"}, taken.Addr().String()},
		"no server":               {temporalui.Options{Addr: "127.0.0.1:0"}, `Temporal's address ""`},
		"a server without a port": {temporalui.Options{Addr: "127.0.0.1:0", TemporalAddr: "localhost"}, `"localhost"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ui, err := temporalui.Start(t.Context(), tc.options)
			if err == nil {
				_ = ui.Stop(context.Background())
				t.Fatal("started")
			}
			if !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("error %q does not say %q in one line", err, tc.says)
			}
		})
	}
}
