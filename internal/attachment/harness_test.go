package attachment_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/internal/attachment"
	"github.com/silquetech/silque-notifications/internal/channel"
)

// fetcher gives a Fetcher with a limit of 1,000 bytes.
func fetcher(t *testing.T, set func(c *attachment.Config)) *attachment.Fetcher {
	t.Helper()
	cfg := attachment.Config{MaxBytes: 1000}
	if set != nil {
		set(&cfg)
	}
	f, err := attachment.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// serve starts a web server and gives its address.
func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// wantRefusal checks the class and the code of a refusal, and that its text keeps the location to itself.
func wantRefusal(t *testing.T, err error, class channel.Class, code, location string) {
	t.Helper()
	var refusal *channel.Error
	if !errors.As(err, &refusal) {
		t.Fatalf("got %v (%T), want a *channel.Error with code %s", err, err, code)
	}
	if refusal.Class != class || refusal.Code != code {
		t.Errorf("got %s %s (%s), want %s %s", refusal.Class, refusal.Code, refusal.Detail, class, code)
	}
	if strings.Contains(err.Error(), "secret") || location != "" && strings.Contains(err.Error(), location) {
		t.Errorf("the error tells the location: %v", err)
	}
	if !strings.Contains(refusal.Detail, location) {
		t.Errorf("the detail does not tell the location %q: %s", location, refusal.Detail)
	}
}
