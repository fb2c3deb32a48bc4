package browser

import (
	"fmt"

	"github.com/chromedp/chromedp"
)

// Do runs JavaScript in the page, and waits until what it began has settled.
func (p *Page) Do(script string) error {
	if _, err := chromedp.Run(p.ctx, chromedp.Evaluate[chromedp.Void](script, chromedp.EvalAwaitPromise)); err != nil {
		return fmt.Errorf("browser: %q: %w", script, err)
	}
	return p.Settle()
}
