package browser

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// patience bounds every waiting for a page: loading, settling, finding.
const patience = 20 * time.Second

// View is what a page is looked at with.
type View struct {
	// Width and Height are the window's, in CSS pixels.
	Width, Height int64
	// Phone makes it a touch screen whose pages follow the viewport's meta tag.
	Phone bool
	Dark  bool
}

// The two sizes at which every page must be good.
var (
	Desktop = View{Width: 1280, Height: 900}
	Phone   = View{Width: 390, Height: 844, Phone: true}
)

// InDark is the view in the dark.
func (v View) InDark() View { v.Dark = true; return v }

// String names the view, for messages and for the names of files.
func (v View) String() string {
	theme := "light"
	if v.Dark {
		theme = "dark"
	}
	return fmt.Sprintf("%d-%s", v.Width, theme)
}

// Page is a tab with cookies and a cache of its own. It is for one goroutine. Close it.
type Page struct {
	ctx   context.Context
	close context.CancelFunc
	view  View
	watch *watch
}

// Open opens an empty tab.
func (b *Browser) Open(v View) (*Page, error) {
	w := newWatch()
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext(), chromedp.WithListener(w.see))
	p := &Page{ctx: ctx, close: cancel, watch: w}
	err := chromedp.Do(ctx)
	if err == nil {
		go w.answerDialogs(ctx)
		_, err = chromedp.Call(ctx, audits.Enable, cdp.Empty{})
	}
	if err == nil {
		_, err = chromedp.Call(ctx, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true})
	}
	if err == nil {
		err = p.LookAt(v)
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("browser: open a tab: %w", err)
	}
	return p, nil
}

// Close closes the tab and forgets its cookies.
func (p *Page) Close() { p.close() }

// View is what the page is looked at with.
func (p *Page) View() View { return p.view }

// LookAt changes the view; the page that is open stays open.
func (p *Page) LookAt(v View) error {
	theme := "light"
	if v.Dark {
		theme = "dark"
	}
	p.view = v
	if _, err := chromedp.Call(p.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: v.Width, Height: v.Height, DeviceScaleFactor: 1, Mobile: v.Phone,
	}); err != nil {
		return err
	}
	if _, err := chromedp.Call(p.ctx, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: v.Phone}); err != nil {
		return err
	}
	_, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
	return err
}

// Go opens an address, waits until the page has settled, and gives the status of the answer.
func (p *Page) Go(url string) (int, error) {
	p.watch.start(url)
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	answer, err := chromedp.Run(ctx, chromedp.NavigateResponse(url))
	if err != nil {
		return 0, fmt.Errorf("browser: open %s: %w", url, err)
	}
	if err := p.Settle(); err != nil {
		return 0, err
	}
	if answer == nil {
		return http.StatusOK, nil // about:blank and the like
	}
	return int(answer.Status), nil
}

// quiet is how long no request may be under way for a page to count as settled.
const quiet = 120 * time.Millisecond

// Settle waits until the page is loaded and asks for nothing more.
func (p *Page) Settle() error {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	ticker := time.NewTicker(quiet / 6)
	defer ticker.Stop()
	for {
		if p.watch.quietFor(quiet) {
			state, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.readyState"))
			if err == nil && state == "complete" {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("browser: the page asks for more and more, after %s: %v", patience, p.watch.open())
		case <-ticker.C:
		}
	}
}

// Weight is how many bytes the last page took that Go opened, with everything that it loads and nothing in the cache.
func (p *Page) Weight() int64 { return p.watch.bytes() }

// Troubles are what the pages did that they must not, since the last call: errors in the console, exceptions, violations
// of the Content-Security-Policy, requests that failed or went to another host, dialogs.
func (p *Page) Troubles() []string { return p.watch.troubles() }

// Address is the address that the page has now.
func (p *Page) Address() (string, error) { return chromedp.Run(p.ctx, chromedp.Location()) }

// Screenshot gives a PNG of the window, or of the whole page.
func (p *Page) Screenshot(whole bool) ([]byte, error) {
	params := page.CaptureScreenshotParams{CaptureBeyondViewport: new(whole)}
	if whole {
		metrics, err := chromedp.Call(p.ctx, page.GetLayoutMetrics, cdp.Empty{})
		if err != nil {
			return nil, err
		}
		height := max(float64(p.view.Height), metrics.CSSContentSize.Height)
		params.Clip = &page.Viewport{Width: float64(p.view.Width), Height: min(height, 8000), Scale: 1}
	}
	result, err := chromedp.Call(p.ctx, page.CaptureScreenshot, params)
	if err != nil {
		return nil, fmt.Errorf("browser: screenshot: %w", err)
	}
	return result.Data, nil
}
