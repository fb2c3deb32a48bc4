package browser_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/dev/browser"
)

func TestMain(m *testing.M) { os.Exit(browser.Run(m)) }

// good is a page that nothing is wrong with.
const good = `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>A page</title><link rel="icon" href="data:,"></head><body><main><h1>A page</h1>%s</main></body></html>`

// serve answers every path with the good page and something in it, under a strict policy.
func serve(t *testing.T, body string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; img-src 'self' data:; frame-src 'self'; connect-src 'self'")
		switch r.URL.Path {
		case "/":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprintf(w, good, body)
		case "/script.js":
			w.Header().Set("Content-Type", "text/javascript")
			fmt.Fprint(w, r.URL.Query().Get("do"))
		case "/large.js":
			fmt.Fprint(w, "//", strings.Repeat("x", browser.MaxWeight))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func open(t *testing.T, view browser.View, url string) *browser.Page {
	t.Helper()
	page, err := browser.ForTest(t).Open(view)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(page.Close)
	if status, err := page.Go(url); err != nil || status != http.StatusOK {
		t.Fatalf("%s: %d, %v", url, status, err)
	}
	return page
}

func TestAGoodPageHasNothingWrong(t *testing.T) {
	t.Parallel()
	url := serve(t, "<p>Words.</p>")
	for _, view := range []browser.View{browser.Desktop, browser.Phone, browser.Desktop.InDark(), browser.Phone.InDark()} {
		page := open(t, view, url)
		wrong, err := page.Check()
		if err != nil || len(wrong) > 0 {
			t.Errorf("%s: %v, %q", view, err, wrong)
		}
	}
}

func TestWhatAPageMustNotDoIsFoundOut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, want string }{
		"an inline script":        {`<script>document.title = "ran"</script>`, "Content-Security-Policy: script-src"},
		"an inline style":         {`<p style="color: red">x</p>`, "Content-Security-Policy: style-src-attr"},
		"an exception":            {`<script src="/script.js?do=throw+new+Error('broken')"></script>`, "exception: Uncaught Error: broken"},
		"an error in the console": {`<script src="/script.js?do=console.error('oh')"></script>`, "console: oh"},
		"a missing file":          {`<script src="/nothing.js"></script>`, "/nothing.js answered 404"},
		"another host":            {`<script src="http://127.0.0.1:9/x.js"></script>`, "127.0.0.1:9"},
		"a dialog":                {`<script src="/script.js?do=alert('hello')"></script>`, "dialog (alert): hello"},
		"a field without a label": {`<input name="x">`, "axe label"},
		"a skipped heading":       {`<h4>x</h4>`, "axe heading-order"},
		"what sticks out":         {`<img alt="wide" width="3000" height="1" src="data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=">`, "wider than 390 px"},
		"what sticks out at 320":  {`<img alt="wide" width="350" height="1" src="data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=">`, "wider than 320 px"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			page := open(t, browser.Phone, serve(t, c.body))
			wrong, err := page.Check()
			if err != nil || !strings.Contains(strings.Join(wrong, "\n"), c.want) {
				t.Errorf("%v, %q, want %q", err, wrong, c.want)
			}
		})
	}
}

func TestAPageIsWeighedWithWhatItLoads(t *testing.T) {
	t.Parallel()
	if page := open(t, browser.Desktop, serve(t, "")); page.Weight() > 2000 || page.Weight() < 300 {
		t.Errorf("a small page weighs %d bytes", page.Weight())
	}
	page := open(t, browser.Desktop, serve(t, `<script src="/large.js"></script>`))
	if page.Weight() <= browser.MaxWeight {
		t.Errorf("a page with a large script weighs %d bytes", page.Weight())
	}
}

func TestAPictureIsKept(t *testing.T) {
	t.Parallel()
	page := open(t, browser.Phone.InDark(), serve(t, "<p>Words.</p>"))
	folder := filepath.Join(t.TempDir(), "new")
	for _, whole := range []bool{false, true} {
		if err := page.Keep(folder, "page", whole); err != nil {
			t.Fatal(err)
		}
		if content, err := os.ReadFile(filepath.Join(folder, "page.png")); err != nil || !strings.HasPrefix(string(content), "\x89PNG") {
			t.Errorf("no picture: %v", err)
		}
	}
}

func TestAMissingChromiumIsNamedWithTheWayToGetIt(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := browser.Start(t.Context())
	if !errors.Is(err, browser.ErrMissing) || !strings.Contains(err.Error(), "apt-get install chromium") {
		t.Errorf("the error is %v", err)
	}
}

func TestClosingLeavesNoProcessBehind(t *testing.T) {
	t.Parallel()
	browser.ForTest(t) // skips where there is none
	b, err := browser.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	group := b.Group()
	b.Close()
	deadline := time.Now().Add(10 * time.Second)
	for left := alive(group); left != ""; left = alive(group) {
		if time.Now().After(deadline) {
			t.Fatalf("of the process group %d there is left:\n%s", group, left)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// alive lists the processes of a group, without those that are dead and not yet buried.
func alive(group int) string {
	out, _ := exec.Command("ps", "-eo", "pgid=,stat=,pid=,comm=").Output()
	var left []string
	for line := range strings.Lines(string(out)) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[0] == fmt.Sprint(group) && fields[1][0] != 'Z' {
			left = append(left, line)
		}
	}
	return strings.Join(left, "")
}
