// Package browser looks at pages as people do: in a real headless Chromium, at the size of a desk or of a phone, in light
// or dark. It collects what a person would not see but a page must not do, and asks axe-core who is left out.
package browser

import (
	"context"
	"errors"
	"fmt"
	"os/exec"

	"github.com/chromedp/chromedp"
)

// names are what Chromium is called on the systems that have it: Debian's package comes first.
var names = []string{"chromium", "chromium-browser", "google-chrome"}

// ErrMissing says that no Chromium is installed.
var ErrMissing = errors.New("browser: no chromium, chromium-browser or google-chrome is on the PATH; on Debian: apt-get install chromium")

// Find gives the path of Chromium, or ErrMissing.
func Find() (string, error) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", ErrMissing
}

// Browser is a Chromium of its own, with a profile that is thrown away. Close it.
type Browser struct {
	ctx   context.Context
	close func()
	group *processGroup
}

// Start starts Chromium; it ends with ctx at the latest. It asks no host for anything by itself.
func Start(ctx context.Context) (*Browser, error) {
	path, err := Find()
	if err != nil {
		return nil, err
	}
	group := new(processGroup)
	options := append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...)
	options = append(options,
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.ModifyCmdFunc(group.adopt),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("no-pings", true),
		// The HTML of a message stands in a sandboxed frame; in a process of its own, its requests would go unseen.
		chromedp.Flag("disable-features", "Translate,IsolateSandboxedIframes,MediaRouter,OptimizationHints"),
		chromedp.Flag("hide-scrollbars", true), chromedp.Flag("font-render-hinting", "none"),
	)
	allocator, endAllocator := chromedp.NewExecAllocator(ctx, options...)
	first, endFirst := chromedp.NewContext(allocator)
	b := &Browser{ctx: first, group: group}
	b.close = func() {
		endFirst()
		endAllocator()
		group.kill()
	}
	if err := chromedp.Do(first); err != nil {
		b.close()
		return nil, fmt.Errorf("browser: start %s: %w", path, err)
	}
	return b, nil
}

// Close ends Chromium with all its processes and removes its profile.
func (b *Browser) Close() { b.close() }

// Group is the number of the process group that Chromium and its children are in; 0 on systems without groups.
func (b *Browser) Group() int { return b.group.id() }
