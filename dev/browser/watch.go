package browser

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// watch follows what the pages of a tab do.
type watch struct {
	mu      sync.Mutex
	host    string
	main    cdp.FrameID // the page itself, as opposed to frames in it
	found   []string
	under   map[network.RequestID]string // requests under way, by their address
	last    time.Time                    // when a request began or ended
	loaded  int64
	dialogs chan string
}

func newWatch() *watch {
	return &watch{under: map[network.RequestID]string{}, dialogs: make(chan string, 100)}
}

// start forgets the weight of the page before, and takes the host of the address for the page's own.
func (w *watch) start(address string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loaded, w.last = 0, time.Now()
	if u, err := url.Parse(address); err == nil {
		w.host = u.Host
	}
}

// see takes an event. It runs where the messages of the tab are read, so that it must be quick.
func (w *watch) see(event any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		w.begins(e)
	case *network.EventResponseReceived:
		// What the document itself answered is Go's to say.
		if e.Response.Status >= 400 && e.Type != network.ResourceTypeDocument {
			w.note("%s answered %d", e.Response.URL, e.Response.Status)
		}
		// A script may leave an answer unread that it needs no more: then its end never comes.
		if e.Type == network.ResourceTypeFetch {
			w.ends(e.RequestID)
		}
	case *network.EventLoadingFinished:
		w.loaded += int64(e.EncodedDataLength)
		w.ends(e.RequestID)
	case *network.EventLoadingFailed:
		if address, ok := w.under[e.RequestID]; ok && !e.Canceled && e.ErrorText != "net::ERR_ABORTED" {
			w.note("%s failed: %s %s", address, e.ErrorText, e.BlockedReason)
		}
		w.ends(e.RequestID)
	case *runtime.EventExceptionThrown:
		w.note("exception: %s", exception(e.ExceptionDetails))
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeAssert {
			w.note("console: %s", arguments(e.Args))
		}
	case *log.EventEntryAdded:
		w.logged(e.Entry)
	case *audits.EventIssueAdded:
		if p := e.Issue.Details.ContentSecurityPolicyIssueDetails; p != nil {
			w.note("Content-Security-Policy: %s forbids %s %s", p.ViolatedDirective, p.ContentSecurityPolicyViolationType, p.BlockedURL)
		}
	case *page.EventJavascriptDialogOpening:
		if e.Type != page.DialogTypeBeforeunload {
			w.note("dialog (%s): %s", e.Type, e.Message)
		}
		select {
		case w.dialogs <- e.Message:
		default:
		}
	}
}

func (w *watch) begins(e *network.EventRequestWillBeSent) {
	w.last = time.Now()
	// A stream never ends. A frame that is loaded late may wait until someone scrolls to it; the others hold up the page
	// itself.
	frame := e.Type == network.ResourceTypeDocument && w.main != "" && e.FrameID != w.main
	if e.Type == network.ResourceTypeDocument && w.main == "" {
		w.main = e.FrameID
	}
	if e.Type == network.ResourceTypeDocument && !frame {
		clear(w.under) // of the page before; the end of some of these is never told
	}
	// Nor does anyone wait for the page's icon, which is of no type.
	if e.Type != network.ResourceTypeEventSource && e.Type != network.ResourceTypeOther && !frame {
		w.under[e.RequestID] = e.Request.URL
	}
	u, err := url.Parse(e.Request.URL)
	if err == nil && u.Host != "" && w.host != "" && u.Host != w.host {
		w.note("a request to another host: %s", e.Request.URL)
	}
}

func (w *watch) ends(id network.RequestID) {
	w.last = time.Now()
	delete(w.under, id)
}

// logged takes what the browser itself writes into the console. Answers are counted where they come in.
func (w *watch) logged(e *log.Entry) {
	if e.Level == log.EntryLevelError && e.Source != log.EntrySourceNetwork {
		w.note("browser: %s: %s", e.Source, e.Text)
	}
}

func (w *watch) note(format string, values ...any) {
	text := fmt.Sprintf(format, values...)
	if !slices.Contains(w.found, text) {
		w.found = append(w.found, text)
	}
}

// answerDialogs closes the dialogs that stop a page.
func (w *watch) answerDialogs(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.dialogs:
			_, _ = chromedp.Call(ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
		}
	}
}

// touch begins a quiet time anew, so that what an action begins is waited for.
func (w *watch) touch() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = time.Now()
}

func (w *watch) quietFor(d time.Duration) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.under) == 0 && time.Since(w.last) >= d
}

func (w *watch) open() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Values(w.under))
}

func (w *watch) bytes() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.loaded
}

func (w *watch) troubles() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	found := w.found
	w.found = nil
	return found
}

func exception(d *runtime.ExceptionDetails) string {
	text := d.Text
	if d.Exception != nil && d.Exception.Description != "" {
		text += " " + d.Exception.Description
	}
	return fmt.Sprintf("%s (%s:%d)", text, d.URL, d.LineNumber+1)
}

func arguments(args []*runtime.RemoteObject) string {
	var words []string
	for _, a := range args {
		if a.Description != "" {
			words = append(words, a.Description)
		} else {
			words = append(words, strings.Trim(string(a.Value), `"`))
		}
	}
	return strings.Join(words, " ")
}
