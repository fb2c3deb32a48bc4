package browser

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// shared is the one browser of a test binary: tabs are cheap, a Chromium is not.
var shared struct {
	sync.Mutex
	browser *Browser
}

// Run runs the tests of a package that uses ForTest, and gives the exit code: TestMain ends with it.
func Run(m *testing.M) int {
	defer func() {
		shared.Lock()
		defer shared.Unlock()
		if shared.browser != nil {
			shared.browser.Close()
		}
	}()
	return m.Run()
}

// ForTest gives the browser of this test binary. Without a Chromium the test is skipped, or fails where CI is set.
func ForTest(t testing.TB) *Browser {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.browser != nil {
		return shared.browser
	}
	b, err := Start(context.Background())
	switch {
	case errors.Is(err, ErrMissing) && os.Getenv("CI") == "":
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	shared.browser = b
	return b
}

// Screenshots gives the folder for a test's pictures: the one that SILQUE_SCREENSHOTS names, so that a person can look at
// them, or the test's own, which go test -artifacts keeps.
func Screenshots(t testing.TB) string {
	t.Helper()
	if folder := os.Getenv("SILQUE_SCREENSHOTS"); folder != "" {
		folder, err := filepath.Abs(folder)
		if err != nil {
			t.Fatal(err)
		}
		return folder
	}
	return t.ArtifactDir()
}
