package faults_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/dev/apiclient"
	"github.com/silquetech/silque-notifications/dev/sandbox"
	"github.com/silquetech/silque-notifications/dev/shop"
	"github.com/silquetech/silque-notifications/internal/config"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/internal/wiring"
	"github.com/silquetech/silque-notifications/internal/wiring/webapp"
	"github.com/silquetech/silque-notifications/notify"
	"github.com/silquetech/silque-notifications/rules"
	"github.com/silquetech/silque-notifications/web/app"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	os.Exit(testdb.Run(m))
}

const (
	token = "a-token-for-the-tests"
	// patience bounds one wait, look is how often it asks.
	patience = 2 * time.Minute
	look     = 20 * time.Millisecond
)

// house is the whole system in one process, put together as the programs put themselves together: each has connections of
// its own. The test is the business application, with the plugin in its database, and the sandbox is its customers' mail
// server.
type house struct {
	apiclient.Client             // of the web app
	browser          http.Client // signed in from its first page on
	shop             *gorm.DB
	plugin           *notify.Plugin
	inbox            apiclient.Client
	settings         *config.Config
	environ          []string
	log              *slog.Logger
	working          atomic.Bool
}

// open makes a house on a database and a Temporal; more settings follow. Nothing of it runs yet but the application.
func open(t testing.TB, databaseURL, temporalAddr string, settings ...string) *house {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	h := &house{browser: http.Client{Jar: jar}, log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))}
	box, err := sandbox.Start(context.Background(), sandbox.Options{Logger: slog.New(slog.DiscardHandler)})
	must(t, err)
	t.Cleanup(func() { _ = box.Close(context.Background()) })
	pages := httptest.NewServer(box.Handler())
	t.Cleanup(pages.Close)
	h.inbox.URL = pages.URL
	host, port, _ := net.SplitHostPort(box.SMTPAddr())
	h.environ = append([]string{
		"DATABASE_URL=" + databaseURL, "TEMPORAL_ADDRESS=" + temporalAddr, "HOME=" + t.TempDir(),
		"SMTP_HOST=" + host, "SMTP_PORT=" + port, "SMTP_TLS=none", "SMTP_FROM=Shop <shop@example.com>",
		"NOTIFY_API_TOKEN=" + token, "NOTIFY_RETRY_INTERVAL=1s", "NOTIFY_STOP_TIMEOUT=5s",
	}, settings...)
	h.settings, err = config.Load(h.environ)
	must(t, err)
	h.openShop(t, databaseURL)
	return h
}

func (h *house) openShop(t testing.TB, databaseURL string) {
	t.Helper()
	h.shop = testdb.Open(t, databaseURL)
	must(t, shop.Migrate(t.Context(), h.shop))
	h.plugin = notify.New(notify.Options{SkipMigrations: true, Logger: slog.New(slog.DiscardHandler)})
	must(t, h.shop.Use(h.plugin))
	t.Cleanup(func() { _ = h.plugin.Close() })
	must(t, h.plugin.Register(shop.Models()...))
	h.notification(t, "Welcome")
}

// notification adds an active email about new customers, changed as the test wants.
func (h *house) notification(t testing.TB, title string, change ...func(n *rules.Notification)) {
	t.Helper()
	n := &rules.Notification{
		Title: title, Message: "You have number {{ doc.id }}.", Channel: rules.Email,
		Model: "customers", Trigger: rules.OnNew, Active: true, Recipients: []rules.Recipient{{DocumentField: "email"}},
	}
	for _, c := range change {
		c(n)
	}
	must(t, rules.New(h.shop, rules.Options{}).Create(t.Context(), n, "test"))
	must(t, h.plugin.Refresh(t.Context()))
}

// run runs web app and worker until the test ends or stop is called. Neither waits for Temporal.
func (h *house) run(t testing.TB) (stop func()) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	h.Client = apiclient.Client{URL: "http://" + listener.Addr().String(), Token: token}
	ctx, cancel := context.WithCancel(context.Background())
	web, worker := make(chan error, 1), make(chan error, 1)
	webReady, workerReady := make(chan struct{}), make(chan struct{})
	go func() { web <- h.web(ctx, listener, webReady) }()
	go func() { worker <- h.worker(ctx, workerReady) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := errors.Join(<-web, <-worker); err != nil {
			t.Errorf("the programs ended with %v", err)
		}
	}
	t.Cleanup(stop)
	for _, begun := range []chan struct{}{webReady, workerReady} {
		select {
		case <-begun:
		case <-time.After(patience):
			t.Fatal("the programs do not begin")
		}
	}
	return stop
}

// web is what the web program does.
func (h *house) web(ctx context.Context, listener net.Listener, begun chan<- struct{}) error {
	db, err := wiring.Database(ctx, h.settings, h.log)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close(db) }()
	access, err := webapp.Access(h.settings, db, h.log, true)
	if err != nil {
		return err
	}
	defer func() { _ = access.Close(context.WithoutCancel(ctx)) }()
	temporal, err := wiring.Dial(h.environ, h.log)
	if err != nil {
		return err
	}
	defer temporal.Close()
	registered := wiring.RegisterInBackground(ctx, temporal, h.log)
	defer registered()
	parts := webapp.Config(h.settings, db, temporal, h.log)
	parts.Access = access
	close(begun)
	return app.New(parts).Run(ctx, listener)
}

// worker is what the worker program does.
func (h *house) worker(ctx context.Context, begun chan<- struct{}) error {
	db, err := wiring.Database(ctx, h.settings, h.log)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close(db) }()
	temporal, err := wiring.Dial(h.environ, h.log)
	if err != nil {
		return err
	}
	defer temporal.Close()
	worker, err := wiring.NewWorker(h.settings, db, temporal, h.log)
	if err != nil {
		return err
	}
	defer func() { _ = worker.Close(context.WithoutCancel(ctx)) }()
	close(begun)
	return worker.Run(ctx, func() { h.working.Store(true) })
}

// save adds a customer, as the application does.
func (h *house) save(ctx context.Context, name string) error {
	return h.shop.WithContext(ctx).Create(&shop.Customer{Name: name, Email: name + "@example.com"}).Error
}

// saves adds so many customers, each of which must succeed.
func (h *house) saves(t testing.TB, prefix string, count int) {
	t.Helper()
	for i := range count {
		must(t, h.save(t.Context(), fmt.Sprintf("%s%d", prefix, i)))
	}
}

// mails counts what came to the sandbox, by address, and the messages of each.
func (h *house) mails(t testing.TB) map[string][]string {
	t.Helper()
	mails := make(map[string][]string)
	for cursor := ""; ; {
		var page struct {
			Items []struct {
				To      string
				Headers map[string]string
			}
			Next string
		}
		must(t, h.inbox.Call(t.Context(), http.MethodGet, "/sandbox/api/messages?limit=5000&cursor="+cursor, nil, &page))
		for _, m := range page.Items {
			mails[m.To] = append(mails[m.To], m.Headers["Message-ID"])
		}
		if cursor = page.Next; cursor == "" {
			return mails
		}
	}
}

// settled waits until every event has come to its end, and there is one for each customer: a save that committed has an
// event, and one that did not has none.
func (h *house) settled(t testing.TB) {
	t.Helper()
	until(t, "every event is settled", func() (bool, error) {
		return h.count(t, new(outbox.Event), "status <> ?", outbox.Settled) == 0, nil
	})
	if customers, events := h.count(t, new(shop.Customer), "1 = 1"), h.count(t, new(outbox.Event), "model = 'customers'"); customers != events {
		t.Errorf("%d customers and %d events", customers, events)
	}
}

// toldOnce wants one message for each customer, none twice, and every delivery sent.
func (h *house) toldOnce(t testing.TB) {
	t.Helper()
	h.settled(t)
	mails := h.mails(t)
	customers := h.count(t, new(shop.Customer), "1 = 1")
	for address, ids := range mails {
		if len(ids) != 1 {
			t.Errorf("%s got %d messages: %v", address, len(ids), ids)
		}
	}
	sent := h.count(t, new(store.Delivery), "status = ?", store.DeliverySent)
	all := h.count(t, new(store.Delivery), "1 = 1")
	t.Logf("%d customers, %d deliveries, %d sent, %d addresses with messages", customers, all, sent, len(mails))
	if len(mails) != customers || sent != customers || all != customers {
		t.Errorf("%d customers, %d deliveries of which %d were sent, messages to %d; want one for each", customers, all, sent, len(mails))
	}
}

// count counts rows, however long that has to be tried.
func (h *house) count(t testing.TB, model any, condition string, arguments ...any) int {
	t.Helper()
	var found int64
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(look) {
		if err = h.shop.WithContext(t.Context()).Model(model).Where(condition, arguments...).Count(&found).Error; err == nil {
			return int(found)
		}
	}
	t.Fatal(err)
	return 0
}

// ready gives the status of /readyz, and what it says of a part.
func (h *house) ready(t testing.TB, part string) (status int, says string) {
	t.Helper()
	var answer struct{ Parts map[string]string }
	err := h.Call(t.Context(), http.MethodGet, "/readyz", nil, &answer)
	var refused *apiclient.Refused
	if errors.As(err, &refused) {
		return refused.Status, refused.Body
	}
	if err != nil {
		return 0, err.Error()
	}
	return http.StatusOK, answer.Parts[part]
}

// untilHealth waits until the page Health has a text.
func (h *house) untilHealth(t testing.TB, text string) {
	t.Helper()
	until(t, "Health says: "+text, func() (bool, error) {
		return strings.Contains(h.page(t, "/health"), text), nil
	})
}

// page reads a page of the console, whatever its status.
func (h *house) page(t testing.TB, path string) string {
	t.Helper()
	recorder := new(strings.Builder)
	response, err := h.browser.Get(h.URL + path)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := fmt.Fprint(recorder, response.Status, "\n"); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 1<<20)
	for {
		n, err := response.Body.Read(text)
		recorder.Write(text[:n])
		if err != nil {
			return strings.NewReplacer("&#39;", "'", "&#34;", `"`, "&amp;", "&").Replace(recorder.String())
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// until polls until something is so, for as long as patience lasts.
func until(t testing.TB, what string, done func() (bool, error)) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(look) {
		ok, err := done()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not in %s: %s", patience, what)
		}
	}
}
