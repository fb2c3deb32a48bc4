// Command look makes a picture of a page and says what is wrong with it:
//
//	go run ./dev/browser/look -url http://127.0.0.1:8080/ -out page.png -width 390 -dark
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/silquetech/silque-notifications/dev/browser"
	"github.com/silquetech/silque-notifications/internal/wiring"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// run gives the exit code: 0 when nothing is wrong with the page, 1 when something is, 2 for wrong usage.
func run(ctx context.Context, arguments []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("look", flag.ContinueOnError)
	flags.SetOutput(stderr)
	url := flags.String("url", "http://127.0.0.1:8080/", "the page")
	out := flags.String("out", "page.png", "where the picture goes")
	width := flags.Int64("width", browser.Desktop.Width, "the window's width in CSS pixels; below 600 it is a phone")
	height := flags.Int64("height", browser.Desktop.Height, "the window's height")
	dark := flags.Bool("dark", false, "prefer dark")
	whole := flags.Bool("whole", false, "the whole page, not only what the window shows")
	before := flags.String("do", "", "JavaScript to run in the page before the picture is made")
	if err := flags.Parse(arguments); err != nil {
		return wiring.UsageCode(err)
	}
	b, err := browser.Start(ctx)
	if err != nil {
		fmt.Fprintln(stderr, "look:", err)
		return 1
	}
	defer b.Close()
	view := browser.View{Width: *width, Height: *height, Phone: *width < 600, Dark: *dark}
	wrong, weight, err := look(b, view, *url, *before, *out, *whole)
	if err != nil {
		fmt.Fprintln(stderr, "look:", err)
		return 1
	}
	fmt.Fprintf(stdout, "%s: %s, %d KB\n", *out, view, (weight+1023)/1024)
	for _, w := range wrong {
		fmt.Fprintln(stdout, " ", w)
	}
	return min(1, len(wrong))
}

func look(b *browser.Browser, view browser.View, url, before, out string, whole bool) (wrong []string, weight int64, err error) {
	p, err := b.Open(view)
	if err != nil {
		return nil, 0, err
	}
	defer p.Close()
	if _, err := p.Go(url); err != nil {
		return nil, 0, err
	}
	weight = p.Weight()
	if before != "" {
		if err := p.Do(before); err != nil {
			return nil, 0, err
		}
	}
	if wrong, err = p.Check(); err != nil {
		return nil, 0, err
	}
	if weight > browser.MaxWeight {
		wrong = append(wrong, fmt.Sprintf("heavier than %d KB", browser.MaxWeight>>10))
	}
	return wrong, weight, p.Keep(filepath.Dir(out), strings.TrimSuffix(filepath.Base(out), ".png"), whole)
}
