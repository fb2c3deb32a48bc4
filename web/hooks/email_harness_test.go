package hooks_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/unsubscribe"
	"github.com/silquetech/silque-notifications/web/hooks"
)

const secret = "a secret of the mail server"

// log collects what is logged.
type log struct {
	mutex sync.Mutex
	text  strings.Builder
}

func (l *log) Write(p []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.String()
}

// house is a web server with the addresses about emails, on a database.
type house struct {
	t   *testing.T
	db  *gorm.DB
	url string
	log *log
}

func open(t *testing.T, db *gorm.DB, change ...func(*hooks.EmailConfig)) *house {
	t.Helper()
	h := &house{t: t, db: db, log: new(log)}
	config := hooks.EmailConfig{DB: db, Secret: secret, Sender: "Shop <shop@example.com>", Log: slog.New(slog.NewTextHandler(h.log, nil))}
	for _, c := range change {
		c(&config)
	}
	engine := gin.New()
	hooks.NewEmail(config).Register(engine)
	server := httptest.NewServer(engine)
	t.Cleanup(server.Close)
	h.url = server.URL
	return h
}

// sent makes a delivery that its mail server took.
func (h *house) sent(change func(d *store.Delivery)) *store.Delivery {
	h.t.Helper()
	now := time.Now().UTC()
	d := &store.Delivery{
		ID: outbox.NewID(), EventID: outbox.NewID(), NotificationID: outbox.NewID(), NotificationVersion: 1, Channel: rule.Email,
		Address: "ann@example.org", Subject: "Order 7 is <late>", BodyText: "late", Status: store.DeliverySent, Attempts: 1, WorkflowID: "w",
		CreatedAt: now, UpdatedAt: now, ClaimedAt: &now, SentAt: &now,
	}
	d.ProviderID = d.ID + "@example.com"
	if change != nil {
		change(d)
	}
	if err := h.db.Create(d).Error; err != nil {
		h.t.Fatal(err)
	}
	return d
}

// link gives the path behind a delivery's link.
func (h *house) link(d *store.Delivery) string {
	h.t.Helper()
	tokens, err := unsubscribe.Load(h.t.Context(), store.Secrets{DB: h.db})
	if err != nil {
		h.t.Fatal(err)
	}
	token, ok := tokens.Sign(d.ID)
	if !ok {
		h.t.Fatal("the delivery has no token")
	}
	return unsubscribe.Path + token
}

// answered is an answer, whole.
type answered struct {
	status int
	header http.Header
	body   string
}

// ask sends a request and follows no redirect. headers are names and values in turn.
func (h *house) ask(method, path string, body io.Reader, headers ...string) answered {
	h.t.Helper()
	request, err := http.NewRequestWithContext(h.t.Context(), method, h.url+path, body)
	if err != nil {
		h.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return answered{response.StatusCode, response.Header, string(content)}
}

// failure gives code and fields of an error.
func (a answered) failure(t *testing.T) (code string, fields map[string]string) {
	t.Helper()
	var body struct {
		Error struct {
			Code, Message string
			Fields        map[string]string
		}
	}
	if err := json.Unmarshal([]byte(a.body), &body); err != nil || body.Error.Message == "" {
		t.Fatalf("the answer is no error: %s", a.body)
	}
	return body.Error.Code, body.Error.Fields
}

func (h *house) status(d *store.Delivery) store.DeliveryStatus {
	h.t.Helper()
	kept, err := store.Deliveries{DB: h.db}.Get(h.t.Context(), d.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	return kept.Status
}

// suppressions lists what keeps emails from whom, and why.
func (h *house) suppressions() []string {
	h.t.Helper()
	var rows []*store.Suppression
	if err := h.db.Order("created_at, id").Find(&rows).Error; err != nil {
		h.t.Fatal(err)
	}
	found := make([]string, len(rows))
	for i, s := range rows {
		found[i] = s.Address + " " + string(s.Reason) + " " + s.NotificationID
	}
	return found
}
