package tour

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/dev/apiclient"
	"github.com/silquetech/silque-notifications/dev/browser"
	"github.com/silquetech/silque-notifications/dev/stack"
)

// house is the running stack that all tours go through.
type house struct {
	apiclient.Client
	stack *stack.Stack
	// paths are the concrete paths of the routes that have parts to fill in.
	paths map[string][]string
}

// the one house; stacks are dear.
var the struct {
	sync.Mutex
	house *house
	err   error
	data  string
}

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	code := browser.Run(m)
	if the.house != nil {
		if err := the.house.stack.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop the stack:", err)
			code = max(code, 1)
		}
	}
	_ = os.RemoveAll(the.data)
	os.Exit(code)
}

// enter gives the house, filled. A test that is skipped for want of a browser starts none.
func enter(t *testing.T) *house {
	t.Helper()
	browser.ForTest(t)
	the.Lock()
	defer the.Unlock()
	if the.house == nil && the.err == nil {
		the.house, the.err = build()
	}
	if the.err != nil {
		t.Fatal(the.err)
	}
	return the.house
}

func build() (*house, error) {
	data, err := os.MkdirTemp("", "silque-tour-")
	if err != nil {
		return nil, err
	}
	the.data = data
	log, err := os.Create(filepath.Join(data, "log"))
	if err != nil {
		return nil, err
	}
	s, err := stack.Start(context.Background(), stack.Options{
		Addr: "127.0.0.1:0", UIAddr: "127.0.0.1:0", TemporalAddr: "127.0.0.1:0", Data: data,
		Token: "a-token-for-the-tests", Environ: []string{"NOTIFY_RETRY_INTERVAL=1s"}, LogTo: log,
	})
	if err != nil {
		return nil, err
	}
	h := &house{Client: apiclient.Client{URL: s.URL(), Token: s.Token()}, stack: s}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := h.fill(ctx); err != nil {
		_ = s.Stop()
		return nil, fmt.Errorf("fill the house: %w", err)
	}
	return h, nil
}

// visitor is someone at a browser. Whatever goes wrong ends the test, with a picture.
type visitor struct {
	*browser.Page
	t     *testing.T
	house *house
}

func (h *house) visit(t *testing.T, view browser.View) *visitor {
	t.Helper()
	page, err := browser.ForTest(t).Open(view)
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{Page: page, t: t, house: h}
	t.Cleanup(func() {
		if t.Failed() {
			v.picture("failed-" + strings.NewReplacer("/", "-", " ", "-").Replace(t.Name()))
		}
		page.Close()
	})
	return v
}

func (v *visitor) must(err error) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
}

func (v *visitor) goTo(path string) {
	v.t.Helper()
	status, err := v.Go(v.house.URL + path)
	v.must(err)
	if status >= 400 {
		v.t.Fatalf("%s: %d", path, status)
	}
}

func (v *visitor) click(role, name string) { v.t.Helper(); v.must(v.Click(role, name)) }
func (v *visitor) fill(name, text string)  { v.t.Helper(); v.must(v.Fill(name, text)) }
func (v *visitor) choose(name, o string)   { v.t.Helper(); v.must(v.Choose(name, o)) }
func (v *visitor) see(words string)        { v.t.Helper(); v.must(v.See(words)) }
func (v *visitor) tabTo(role, name string) { v.t.Helper(); v.must(v.TabTo(role, name)) }
func (v *visitor) press(keys string)       { v.t.Helper(); v.must(v.Press(keys)) }

// picture keeps what the visitor sees.
func (v *visitor) picture(name string) {
	v.t.Helper()
	if err := v.Keep(browser.Screenshots(v.t), name, true); err != nil {
		v.t.Log(err)
	}
}

// calm says that nothing went wrong behind what is shown, so far.
func (v *visitor) calm() {
	v.t.Helper()
	for _, trouble := range v.Troubles() {
		v.t.Errorf("%s", trouble)
	}
}
