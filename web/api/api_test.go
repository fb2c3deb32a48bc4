package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/address"
	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/web/api"
)

const token = "the-token-of-the-tests"

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	os.Exit(testdb.Run(m))
}

// document is the OpenAPI document, loaded and checked once.
var document = sync.OnceValues(func() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(api.Description())
	if err != nil {
		return nil, err
	}
	return doc, doc.Validate(context.Background(), openapi3.EnableExamplesValidation())
})

// server is the API on a real port, with a database of its own. Every call through it is held to the OpenAPI document.
type server struct {
	url         string
	db          *gorm.DB
	routes      routers.Router
	nudges      atomic.Int32
	ruleChanges atomic.Int32
	log         safeBuffer
	engine      *gin.Engine
}

type safeBuffer struct {
	mutex  sync.Mutex
	buffer bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.Write(p)
}

func (b *safeBuffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.String()
}

// orders and customers are the models of the tests.
func orders() *rule.Model {
	return &rule.Model{
		Name: "orders", Label: "Order", PrimaryKey: []string{"id"},
		Fields: []rule.Field{
			{Name: "id", Label: "ID", Type: rule.Integer}, {Name: "number", Label: "Number", Type: rule.String},
			{Name: "status", Label: "Status", Type: rule.String}, {Name: "amount", Label: "Amount", Type: rule.Decimal},
			{Name: "due_on", Label: "Due on", Type: rule.Date, Nullable: true},
			{Name: "placed_at", Label: "Placed at", Type: rule.DateTime},
			{Name: "billing_email", Label: "Billing email", Type: rule.String},
			{Name: "phone", Label: "Phone", Type: rule.Integer, Nullable: true},
			{Name: "customer_id", Label: "Customer", Type: rule.Integer},
		},
		Relations: []rule.Relation{{Name: "customer", Label: "Customer", Kind: rule.BelongsTo, Model: "customers",
			Field: "customer_id", RemoteField: "id"}},
	}
}

func customers() *rule.Model {
	return &rule.Model{
		Name: "customers", Label: "Customer", PrimaryKey: []string{"id"},
		Fields: []rule.Field{{Name: "id", Label: "ID", Type: rule.Integer}, {Name: "email", Label: "Email", Type: rule.String}},
	}
}

// serve starts the API; change may adapt its settings.
func serve(t *testing.T, db *gorm.DB, change func(c *api.Config)) *server {
	t.Helper()
	for _, m := range []*rule.Model{orders(), customers()} {
		if err := catalog.Save(t.Context(), db, m); err != nil {
			t.Fatal(err)
		}
	}
	return serveOn(t, db, change)
}

// serveOn starts the API without touching the database.
func serveOn(t *testing.T, db *gorm.DB, change func(c *api.Config)) *server {
	t.Helper()
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	routes, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{db: db, routes: routes, engine: gin.New()}
	config := api.Config{
		DB: db, Token: token, Addresses: address.Normalizer{},
		OnRuleChange: func(context.Context) { s.ruleChanges.Add(1) },
		Nudge:        func() { s.nudges.Add(1) },
		Logger:       slog.New(slog.NewTextHandler(&s.log, nil)),
	}
	if change != nil {
		change(&config)
	}
	api.New(config).Register(s.engine)
	s.engine.HandleMethodNotAllowed = true
	s.engine.NoRoute(api.NoRoute, func(c *gin.Context) { c.String(http.StatusNotFound, "the console's page") })
	s.engine.NoMethod(api.NoMethod, func(c *gin.Context) { c.String(http.StatusMethodNotAllowed, "the console's page") })
	listener := httptest.NewServer(s.engine)
	t.Cleanup(listener.Close)
	s.url = listener.URL
	return s
}

// reply is an answer, read.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// call sends JSON (or a string as it is) with the token, and gives the answer.
func (s *server) call(t *testing.T, method, path string, body any) reply {
	t.Helper()
	header := http.Header{"Authorization": {"Bearer " + token}}
	if body != nil {
		header.Set("Content-Type", "application/json")
	}
	return s.send(t, method, path, encode(t, body), header)
}

func encode(t *testing.T, body any) []byte {
	t.Helper()
	switch b := body.(type) {
	case nil:
		return nil
	case string:
		return []byte(b)
	default:
		data, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
}

func (s *server) send(t *testing.T, method, path string, body []byte, header http.Header) reply {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, s.url+"/api/v1"+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := reply{status: response.StatusCode, header: response.Header, body: data}
	s.hold(t, request, body, r)
	return r
}

// hold fails the test when the call and the OpenAPI document disagree: every answer must be as described, and what was
// done for a request must be allowed by its description.
func (s *server) hold(t *testing.T, request *http.Request, body []byte, r reply) {
	t.Helper()
	described := request.Clone(t.Context())
	described.URL.Scheme, described.URL.Host, described.Host = "", "", ""
	described.Body = io.NopCloser(bytes.NewReader(body))
	route, parameters, err := s.routes.FindRoute(described)
	if err != nil {
		if r.status != http.StatusNotFound && r.status != http.StatusMethodNotAllowed && r.status < 300 {
			t.Errorf("%s %s answers %d and is not described: %v", request.Method, request.URL.Path, r.status, err)
		}
		return
	}
	input := &openapi3filter.RequestValidationInput{
		Request: described, PathParams: parameters, Route: route,
		Options: &openapi3filter.Options{
			AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true, SkipSettingDefaults: true,
		},
	}
	if err := openapi3filter.ValidateRequest(t.Context(), input); err != nil && r.status < 300 {
		t.Errorf("%s %s was done, and its description forbids it: %v", request.Method, request.URL.Path, err)
	}
	answer := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: r.status, Header: r.header, Options: input.Options,
	}
	answer.SetBodyBytes(r.body)
	if err := openapi3filter.ValidateResponse(t.Context(), answer); err != nil {
		t.Errorf("%s %s answers what is not described: %v", request.Method, request.URL.Path, err)
	}
}

// object reads the answer as a JSON object, and holds it to a status.
func (r reply) object(t *testing.T, status int) map[string]any {
	t.Helper()
	if r.status != status {
		t.Fatalf("status %d, want %d: %s", r.status, status, r.body)
	}
	var object map[string]any
	if err := json.Unmarshal(r.body, &object); err != nil {
		t.Fatalf("%v: %s", err, r.body)
	}
	return object
}

// refusal reads the answer as the contract's error, and holds it to a status and code.
func (r reply) refusal(t *testing.T, status int, code string) (message string, fields map[string]any) {
	t.Helper()
	object := r.object(t, status)
	refused, _ := object["error"].(map[string]any)
	if len(object) != 1 || refused["code"] != code || refused["message"] == "" {
		t.Fatalf("want the code %s: %s", code, r.body)
	}
	fields, _ = refused["fields"].(map[string]any)
	message, _ = refused["message"].(string)
	return message, fields
}

// items reads the answer as a list.
func (r reply) items(t *testing.T) (items []map[string]any, next string) {
	t.Helper()
	object := r.object(t, http.StatusOK)
	list, ok := object["items"].([]any)
	if !ok || len(object) != 2 {
		t.Fatalf("not a list: %s", r.body)
	}
	for _, item := range list {
		items = append(items, item.(map[string]any))
	}
	return items, object["next"].(string)
}

// input is a valid notification; changes replace its fields, and nil removes one.
func input(changes map[string]any) map[string]any {
	n := map[string]any{
		"title": "Order {{ doc.number }}", "message": "It is {{ doc.status }}.", "channel": "email", "model": "orders",
		"trigger": "value_change", "value_change_field": "status", "conditions": `doc.status == "APPROVED"`,
		"recipients": []any{
			map[string]any{"address": "sales@example.com"}, map[string]any{"document_field": "doc.billing_email"},
		},
	}
	for name, value := range changes {
		if value == nil {
			delete(n, name)
			continue
		}
		n[name] = value
	}
	return n
}

// row is an order as a snapshot.
func row(status string) map[string]any {
	return map[string]any{
		"id": 7, "number": "A-7", "status": status, "amount": "12.50", "due_on": "2026-02-01",
		"placed_at": "2026-01-31T15:04:05Z", "billing_email": "ann@EXAMPLE.com", "phone": 12025550123, "customer_id": 1,
	}
}

func count(t *testing.T, db *gorm.DB, table string) (n int64) {
	t.Helper()
	if err := db.Table(table).Count(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

func contains(t *testing.T, what, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Errorf("%s is %q and lacks %q", what, text, part)
	}
}
