package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/chromedp/chromedp"
)

// MaxWeight is the most that a page may take with everything it loads, in bytes.
const MaxWeight = 150 << 10

// narrow is the smallest width at which a page must still fit (WCAG 1.4.10).
const narrow = 320

// overflow names what sticks out of the window at the right, when one can scroll the page that way.
const overflow = `(() => {
	const width = document.documentElement.clientWidth;
	if (document.documentElement.scrollWidth <= width && document.body.scrollWidth <= width) return [];
	const clipped = (e) => {
		for (let up = e.parentElement; up && up !== document.body; up = up.parentElement) if (getComputedStyle(up).overflowX !== "visible") return true;
		return false;
	};
	const names = [...document.body.querySelectorAll("*")].filter((e) => {
		const box = e.getBoundingClientRect();
		return box.width > 0 && box.right > width + 1 && !clipped(e);
	}).map((e) => e.tagName.toLowerCase() + (e.id ? "#" + e.id : "") + [...e.classList].map((c) => "." + c).join("") + " to " + Math.round(e.getBoundingClientRect().right) + " px");
	return names.length ? names.slice(-5) : ["something, to " + document.documentElement.scrollWidth + " px"];
})()`

// Overflow names what makes the page wider than the window; nothing when it fits.
func (p *Page) Overflow() ([]string, error) {
	return chromedp.Run(p.ctx, chromedp.Evaluate[[]string](overflow))
}

// Check gives everything that is wrong with the page as it is looked at now, in words: its troubles, what axe-core
// finds, what sticks out, on a phone also at 320 pixels.
func (p *Page) Check() ([]string, error) {
	wrong := p.Troubles()
	violations, err := p.Axe()
	if err != nil {
		return nil, err
	}
	for _, v := range violations {
		wrong = append(wrong, v.String())
	}
	views := []View{p.view}
	if p.view.Phone && p.view.Width > narrow {
		views = append(views, View{Width: narrow, Height: p.view.Height, Phone: true, Dark: p.view.Dark})
	}
	now := p.view
	for _, v := range views {
		if err := p.LookAt(v); err != nil {
			return nil, err
		}
		wide, err := p.Overflow()
		if err != nil {
			return nil, err
		}
		if len(wide) > 0 {
			wrong = append(wrong, fmt.Sprintf("wider than %d px: %s", v.Width, strings.Join(wide, "; ")))
		}
	}
	if err := p.LookAt(now); err != nil {
		return nil, err
	}
	return append(wrong, p.Troubles()...), nil
}

// Keep writes a picture of the page to folder/name.png.
func (p *Page) Keep(folder, name string, whole bool) error {
	picture, err := p.Screenshot(whole)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o600)
}
