package shop

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	os.Exit(testdb.Run(m))
}

const (
	jsonType = "application/json"
	formType = "application/x-www-form-urlencoded"
)

// stand is a shop behind a real HTTP server.
type stand struct {
	t   *testing.T
	db  *gorm.DB
	url string
}

type visitKey struct{}

func newStand(t *testing.T, db *gorm.DB) *stand {
	t.Helper()
	if err := Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	engine := gin.New()
	engine.Use(func(c *gin.Context) {
		c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), visitKey{}, c.GetHeader("Visit")))
	})
	New(db, slog.New(slog.NewTextHandler(testLog{t}, nil))).Register(engine)
	server := httptest.NewServer(engine)
	t.Cleanup(server.Close)
	return &stand{t: t, db: db, url: server.URL}
}

// testLog fails the test: nothing in these tests should go wrong inside the shop.
type testLog struct{ t *testing.T }

func (l testLog) Write(line []byte) (int, error) {
	l.t.Errorf("logged: %s", line)
	return len(line), nil
}

type answer struct {
	status int
	header http.Header
	body   string
}

// send does not follow redirects. headers are pairs of name and value.
func (s *stand) send(method, path, body string, headers ...string) answer {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{status: response.StatusCode, header: response.Header, body: string(content)}
}

func (s *stand) json(method, path, body string) answer {
	s.t.Helper()
	return s.send(method, path, body, "Content-Type", jsonType)
}

func (s *stand) form(path string, values ...string) answer {
	s.t.Helper()
	form := url.Values{}
	for i := 0; i < len(values); i += 2 {
		form.Set(values[i], values[i+1])
	}
	return s.send(http.MethodPost, path, form.Encode(), "Content-Type", formType)
}

// object gives the answer's JSON, after checking its status.
func (s *stand) object(got answer, status int) map[string]any {
	s.t.Helper()
	if got.status != status {
		s.t.Fatalf("status %d, want %d: %s", got.status, status, got.body)
	}
	var object map[string]any
	if err := json.Unmarshal([]byte(got.body), &object); err != nil {
		s.t.Fatalf("%v: %s", err, got.body)
	}
	return object
}

// fields checks an error's shape and gives its fields.
func (s *stand) fields(got answer, status int) map[string]any {
	s.t.Helper()
	object := s.object(got, status)
	problem, ok := object["error"].(map[string]any)
	if !ok || problem["code"] == "" || problem["message"] == "" || len(object) != 1 {
		s.t.Fatalf("not the shape of an error: %s", got.body)
	}
	fields, _ := problem["fields"].(map[string]any)
	return fields
}

func (s *stand) mustContain(got answer, parts ...string) {
	s.t.Helper()
	for _, part := range parts {
		if !strings.Contains(got.body, part) {
			s.t.Errorf("no %q in %d\n%s", part, got.status, got.body)
		}
	}
}

func (s *stand) mustNotContain(got answer, parts ...string) {
	s.t.Helper()
	for _, part := range parts {
		if strings.Contains(got.body, part) {
			s.t.Errorf("%q in\n%s", part, got.body)
		}
	}
}
