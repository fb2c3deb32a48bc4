package separate_test

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/silquetech/silque-notifications/dev/shop"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/rules"
)

func TestABadAddressInEachBatchDoesNotSlowTheOthersDown(t *testing.T) {
	t.Parallel()
	eachWhenLong(t, "on SQLite", func(t *testing.T, url string) { t.Parallel(); badInEachBatch(t, url) })
}

// badInEachBatch has a mail server that puts a tenth of the addresses off. The interval between tries is so long that
// whoever waits for one of them is not settled in this test.
func badInEachBatch(t *testing.T, databaseURL string) {
	office := pickyOffice(t)
	h := open(t, databaseURL, "SMTP_HOST="+office.host, "SMTP_PORT="+office.port,
		"NOTIFY_RETRY_INTERVAL=1h", "NOTIFY_RETRY_ATTEMPTS=2")
	h.notification(t, "customers", "Welcome", rules.Recipient{DocumentField: "doc.email"})
	const events, bad = 300, 30
	rows := make([]*shop.Customer, events)
	for i := range rows {
		rows[i] = &shop.Customer{Name: "Customer", Email: customer(i)}
		if i%(events/bad) == 0 {
			rows[i].Email = fmt.Sprintf("bad%d@example.com", i)
		}
	}
	must(t, h.db.CreateInBatches(rows, 100).Error)
	h.start(t, "worker")
	h.start(t, "web")
	until(t, "the backlog flows", func() (bool, error) { return h.sent(t) > 0, nil })
	began := time.Now()
	until(t, "all others are settled", func() (bool, error) {
		return h.count(t, new(outbox.Event), "status = 'settled'") >= events-bad, nil
	})
	took := time.Since(began)
	t.Logf("%d messages went beside %d that were put off in %s", h.sent(t), office.refused(), took.Round(time.Millisecond))
	until(t, "the bad ones wait for their second attempt", func() (bool, error) {
		return h.count(t, new(store.Delivery), "status = 'pending' AND attempts = 1 AND address LIKE 'bad%'") == bad, nil
	})
	for to, n := range office.taken() {
		if n != 1 {
			t.Errorf("%d messages came to %s", n, to)
		}
	}
	if n := len(office.taken()); n != events-bad {
		t.Errorf("%d people have a message, want %d", n, events-bad)
	}
}

// office is a mail server that puts bad… off and takes the rest.
type office struct {
	host, port string
	mutex      sync.Mutex
	took       map[string]int
	off        int
}

func pickyOffice(t *testing.T) *office {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	o := &office{took: map[string]int{}}
	o.host, o.port, _ = net.SplitHostPort(listener.Addr().String())
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &visit{office: o}, nil }))
	server.Domain = "office.localhost"
	server.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return o
}

func (o *office) refused() int {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.off
}

func (o *office) taken() map[string]int {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.took
}

// visit is one client's connection.
type visit struct {
	office *office
	to     string
}

func (v *visit) Mail(string, *smtp.MailOptions) error { return nil }

func (v *visit) Rcpt(to string, _ *smtp.RcptOptions) error {
	v.office.mutex.Lock()
	defer v.office.mutex.Unlock()
	if strings.HasPrefix(to, "bad") {
		v.office.off++
		return &smtp.SMTPError{Code: 450, EnhancedCode: smtp.EnhancedCode{4, 2, 1}, Message: "mailbox busy"}
	}
	v.to = to
	return nil
}

func (v *visit) Data(r io.Reader) error {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	v.office.mutex.Lock()
	defer v.office.mutex.Unlock()
	v.office.took[v.to]++
	return nil
}

func (v *visit) Reset() { v.to = "" }

func (v *visit) Logout() error { return nil }
