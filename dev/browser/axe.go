package browser

import (
	"context"
	_ "embed" // axe-core
	"fmt"
	"strings"

	"github.com/chromedp/chromedp"
)

// axe is axe-core 4.14.1 (MPL-2.0, unchanged), which knows when a page leaves someone out.
//
//go:embed testdata/axe.min.js
var axe string

// Violation is a rule of WCAG 2.2 (A, AA), or of good practice, that a page breaks.
type Violation struct {
	ID     string `json:"id"`
	Impact string `json:"impact"`
	Help   string `json:"help"`
	Nodes  []struct {
		HTML    string   `json:"html"`
		Target  []any    `json:"target"`
		Summary string   `json:"failureSummary"`
		Any     []detail `json:"any"`
	} `json:"nodes"`
}

type detail struct {
	Message string `json:"message"`
}

// String says what is wrong, and where, for whoever mends it.
func (v Violation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "axe %s (%s): %s", v.ID, v.Impact, v.Help)
	for i, n := range v.Nodes {
		if i == 4 {
			fmt.Fprintf(&b, "\n      and %d more", len(v.Nodes)-i)
			break
		}
		fmt.Fprintf(&b, "\n      %v  %s", n.Target, shortened(n.HTML))
		for line := range strings.Lines(n.Summary) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "Fix ") {
				b.WriteString("\n        " + line)
			}
		}
	}
	return b.String()
}

func shortened(html string) string {
	html = strings.Join(strings.Fields(html), " ")
	if len(html) > 160 {
		return strings.ToValidUTF8(html[:160], "") + "…"
	}
	return html
}

// runAxe leaves the HTML of messages out: it is someone else's, in a frame that runs no script.
const runAxe = `axe.run(document, {
	iframes: false, preload: false, resultTypes: ["violations"],
	runOnly: {type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]},
}).then((r) => r.violations)`

// Axe lists what axe-core finds on the page as it is now. The script comes through the debugger, so that the page's
// Content-Security-Policy stays as it is.
func (p *Page) Axe() ([]Violation, error) {
	ctx, cancel := context.WithTimeout(p.ctx, 2*patience)
	defer cancel()
	there, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("typeof axe === 'object'"))
	if err == nil && !there {
		_, err = chromedp.Run(ctx, chromedp.Evaluate[chromedp.Void](axe))
	}
	if err != nil {
		return nil, fmt.Errorf("browser: load axe-core: %w", err)
	}
	found, err := chromedp.Run(ctx, chromedp.Evaluate[[]Violation](runAxe, chromedp.EvalAwaitPromise))
	if err != nil {
		return nil, fmt.Errorf("browser: run axe-core: %w", err)
	}
	return found, nil
}
