package separate_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/dev/apiclient"
	"github.com/silquetech/silque-notifications/dev/sandbox"
	"github.com/silquetech/silque-notifications/dev/shop"
	"github.com/silquetech/silque-notifications/dev/temporalserver"
	"github.com/silquetech/silque-notifications/dev/temporalserver/servertest"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/notify"
	"github.com/silquetech/silque-notifications/rules"
)

// long says whether the tests are to do all that they can: SILQUE_LONG=1. The short forms are for every run.
func long() bool { return os.Getenv("SILQUE_LONG") != "" }

// eachWhenLong runs a test on both databases in the long form, and in the short one on the database that is named.
func eachWhenLong(t *testing.T, short string, test func(t *testing.T, databaseURL string)) {
	t.Helper()
	for name, url := range map[string]func(testing.TB) string{"on SQLite": testdb.SQLiteURL, "on Postgres": testdb.PostgresURL} {
		if name == short || long() {
			t.Run(name, func(t *testing.T) { test(t, url(t)) })
		}
	}
}

// house is everything that a test needs besides the programs themselves: the test is the business application, with the
// plugin in its database, and the sandbox is its customers' mail server.
type house struct {
	apiclient.Client // of the web app
	db               *gorm.DB
	plugin           *notify.Plugin
	server           *temporalserver.Server // nil when Temporal is a process of its own
	temporal         client.Client
	inbox            apiclient.Client
	// mailAddr and twilioAddr are where the sandbox takes mail, and Twilio's requests.
	mailAddr, twilioAddr  string
	databaseURL, programs string
	environ               []string
}

// open makes a house on a database of its own, with a Temporal in this process. More settings of the programs follow.
func open(t testing.TB, databaseURL string, settings ...string) *house {
	t.Helper()
	server := servertest.Start(t)
	h := openBy(t, databaseURL, server.Addr(), settings...)
	h.server, h.temporal = server, servertest.Dial(t, server)
	return h
}

// openBy makes a house by a Temporal that is there, or will be.
func openBy(t testing.TB, databaseURL, temporalAddr string, settings ...string) *house {
	t.Helper()
	h := &house{databaseURL: databaseURL, programs: programs(t)}
	box, err := sandbox.Start(context.Background(), sandbox.Options{Logger: slog.New(slog.DiscardHandler)})
	must(t, err)
	t.Cleanup(func() { _ = box.Close(context.Background()) })
	pages := httptest.NewServer(box.Handler())
	t.Cleanup(pages.Close)
	h.inbox.URL, h.mailAddr, h.twilioAddr = pages.URL, box.SMTPAddr(), pages.Listener.Addr().String()
	h.openShop(t, databaseURL)
	addr := free(t)
	h.Client = apiclient.Client{URL: "http://" + addr, Token: token}
	h.environ = append([]string{
		"DATABASE_URL=" + databaseURL, "TEMPORAL_ADDRESS=" + temporalAddr, "HOME=" + t.TempDir(),
		"SMTP_TLS=none", "SMTP_FROM=Shop <shop@example.com>", "NOTIFY_ADDR=" + addr, "NOTIFY_API_TOKEN=" + token,
	}, mailAt(h.mailAddr)...)
	h.environ = append(h.environ, settings...)
	return h
}

// mailAt are the settings of a mail server.
func mailAt(addr string) []string {
	host, port, _ := net.SplitHostPort(addr)
	return []string{"SMTP_HOST=" + host, "SMTP_PORT=" + port}
}

func (h *house) openShop(t testing.TB, databaseURL string) {
	t.Helper()
	h.db = testdb.Open(t, databaseURL)
	must(t, shop.Migrate(t.Context(), h.db))
	h.plugin = notify.New(notify.Options{SkipMigrations: true, Logger: slog.New(slog.DiscardHandler)})
	must(t, h.db.Use(h.plugin))
	t.Cleanup(func() { _ = h.plugin.Close() })
	must(t, h.plugin.Register(shop.Models()...))
}

// start runs one of the programs with the house's settings, and more: of one that is given twice the last counts.
func (h *house) start(t testing.TB, program string, settings ...string) *running {
	t.Helper()
	environ := append(slices.Clone(h.environ), "NOTIFY_HEALTH_ADDR="+free(t))
	return start(t, append(environ, settings...), filepath.Join(h.programs, program))
}

// ready waits until the web app answers, and with it the relay works.
func (h *house) ready(t testing.TB) {
	t.Helper()
	until(t, "the web app is ready", func() (bool, error) {
		return h.Call(t.Context(), http.MethodGet, "/readyz", nil, nil) == nil, nil
	})
}

// notification adds an active email about new rows of a model, to each recipient, and makes the shop hear of it.
func (h *house) notification(t testing.TB, model, title string, recipients ...rules.Recipient) {
	t.Helper()
	must(t, rules.New(h.db, rules.Options{}).Create(t.Context(), &rules.Notification{
		Title: title, Message: "It has number {{ doc.id }}.", Channel: rules.Email,
		Model: model, Trigger: rules.OnNew, Active: true, Recipients: recipients,
	}, "test"))
	must(t, h.plugin.Refresh(t.Context()))
}

// customers saves so many new ones, each with an address of its own; the plugin makes an event of each.
func (h *house) customers(t testing.TB, count int) {
	t.Helper()
	h.customersFrom(t, 0, count)
}

// customersFrom saves some more, of whom the first has the number from.
func (h *house) customersFrom(t testing.TB, from, count int) {
	t.Helper()
	rows := make([]*shop.Customer, count)
	for i := range rows {
		rows[i] = &shop.Customer{Name: fmt.Sprintf("Customer %d", from+i), Email: customer(from + i)}
	}
	must(t, h.db.WithContext(t.Context()).CreateInBatches(rows, 100).Error)
}

func customer(i int) string { return fmt.Sprintf("customer%d@example.com", i) }

// count counts rows of a table of ours.
func (h *house) count(t testing.TB, model any, condition string, arguments ...any) (count int) {
	t.Helper()
	var found int64
	must(t, h.db.WithContext(t.Context()).Model(model).Where(condition, arguments...).Count(&found).Error)
	return int(found)
}

func (h *house) sent(t testing.TB) int {
	t.Helper()
	return h.count(t, new(store.Delivery), "status = ?", store.DeliverySent)
}

// freeze keeps everybody from writing an attempt down.
func (h *house) freeze(t testing.TB) (thaw func()) {
	t.Helper()
	pool, err := h.db.DB()
	must(t, err)
	tx, err := pool.BeginTx(t.Context(), nil) // on SQLite it has the write lock now
	must(t, err)
	if h.db.Name() == "postgres" {
		_, err := tx.ExecContext(t.Context(), "LOCK TABLE notify_attempts IN EXCLUSIVE MODE")
		must(t, err)
	}
	return func() { must(t, tx.Rollback()) }
}

// message is what came to the sandbox.
type message struct {
	ID, Channel, To, Subject string
	Headers                  map[string]string
	ReceivedAt               time.Time `json:"received_at"`
}

// messages reads the whole inbox.
func (h *house) messages(t testing.TB) (all []message) {
	t.Helper()
	for cursor := ""; ; {
		var page struct {
			Items []message
			Next  string
		}
		must(t, h.inbox.Call(t.Context(), http.MethodGet, "/sandbox/api/messages?limit=5000&cursor="+cursor, nil, &page))
		all = append(all, page.Items...)
		if cursor = page.Next; cursor == "" {
			return all
		}
	}
}

// arrival waits for the first message to an address.
func (h *house) arrival(t testing.TB, to string) (first message) {
	t.Helper()
	until(t, "a message arrives", func() (bool, error) {
		var page apiclient.List[message]
		err := h.inbox.Call(t.Context(), http.MethodGet, "/sandbox/api/messages?to="+to, nil, &page)
		if err != nil || len(page.Items) == 0 {
			return false, err
		}
		first = page.Items[len(page.Items)-1]
		return true, nil
	})
	return first
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
	untilWithin(t, patience, what, done)
}

// untilWithin is until with a patience of its own.
func untilWithin(t testing.TB, within time.Duration, what string, done func() (bool, error)) {
	t.Helper()
	for deadline := time.Now().Add(within); ; {
		ok, err := done()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not in %s: %s", within, what)
		}
		time.Sleep(look)
	}
}

// look is how often until asks: a kill must not come late.
const look = 3 * time.Millisecond
