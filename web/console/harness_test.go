package console

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/address"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/web/ui"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	os.Exit(testdb.Run(m))
}

// signedIn is an Access that takes everyone for one person, and keeps the last flash. The real one has tests of its own.
type signedIn struct {
	person *ui.Person
	flash  *ui.Flash
}

func (*signedIn) Guard() []gin.HandlerFunc                           { return nil }
func (a *signedIn) Person(*gin.Context) *ui.Person                   { return a.person }
func (*signedIn) Token(*gin.Context) string                          { return "token" }
func (a *signedIn) PutFlash(_ *gin.Context, f ui.Flash)              { a.flash = &f }
func (a *signedIn) PopFlash(*gin.Context) (f *ui.Flash)              { f, a.flash = a.flash, nil; return f }
func (*signedIn) Development(*gin.Context) string                    { return "" }
func (*signedIn) SessionID(*gin.Context) string                      { return "this session" }
func (*signedIn) Keep(*gin.Context, *account.User) error             { return nil }
func (*signedIn) Attempt(*gin.Context, string) (time.Duration, bool) { return 0, true }
func (*signedIn) URL(_ *gin.Context, path string) string             { return "https://notify.example.com" + path }
func (a *signedIn) said() string {
	if a.flash == nil {
		return ""
	}
	return a.flash.Text
}

// visitor is a browser without JavaScript on a console of its own.
type visitor struct {
	t      *testing.T
	access *signedIn
	engine *gin.Engine
}

// visit gives a console on db and someone with a role who looks at it; change may adapt the config.
func visit(t *testing.T, db *gorm.DB, role account.Role, change ...func(*Config)) *visitor {
	t.Helper()
	v := &visitor{t: t, engine: gin.New(), access: &signedIn{
		person: &ui.Person{ID: "0190a000-0000-7000-8000-000000000001", Name: "Ann", Email: "ann@example.com", Role: role}}}
	config := Config{
		DB: db, Access: v.access, Addresses: address.Normalizer{DefaultRegion: "US"}, Rows: store.Rows{DB: db},
		WorkflowLink: func(id string) string { return "http://127.0.0.1:8233/workflows/" + url.PathEscape(id) },
		TemporalUI:   "http://127.0.0.1:8233", Log: slog.New(slog.DiscardHandler),
	}
	for _, c := range change {
		c(&config)
	}
	pages := New(config)
	pages.Register(v.engine)
	v.engine.NoRoute(pages.NoRoute()...)
	return v
}

// get gives the answer for a path.
func (v *visitor) get(path string) *httptest.ResponseRecorder {
	v.t.Helper()
	return v.send(httptest.NewRequest(http.MethodGet, path, http.NoBody))
}

// post sends a form: names and values in turn.
func (v *visitor) post(path string, pairs ...string) *httptest.ResponseRecorder {
	v.t.Helper()
	form := url.Values{"csrf_token": {"token"}}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	request := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return v.send(request)
}

func (v *visitor) send(request *http.Request) *httptest.ResponseRecorder {
	request.Header.Set("Accept", "text/html")
	answer := httptest.NewRecorder()
	v.engine.ServeHTTP(answer, request.WithContext(v.t.Context()))
	return answer
}

// page gives the HTML of a path that must answer 200.
func (v *visitor) page(path string) string {
	v.t.Helper()
	answer := v.get(path)
	if answer.Code != http.StatusOK {
		v.t.Fatalf("GET %s: %d\n%s", path, answer.Code, answer.Body)
	}
	return answer.Body.String()
}

// holds says what is missing on a page.
func (v *visitor) holds(page string, texts ...string) {
	v.t.Helper()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			v.t.Errorf("the page does not hold %q:\n%s", text, page)
		}
	}
}

func TestAPathWithoutAPageIsExplained(t *testing.T) {
	t.Parallel()
	v := visit(t, testdb.SQLite(t), account.Viewer)
	if answer := v.get("/nothing"); answer.Code != http.StatusNotFound || !strings.Contains(answer.Body.String(), "There is nothing here") {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
}
