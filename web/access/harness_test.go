package access_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/web/access"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	os.Exit(testdb.Run(m))
}

const good = "four words in a row"

// site is a web app with one page behind the guard, a form, and the sign-in pages.
type site struct {
	t      *testing.T
	db     *gorm.DB
	access *access.Access
	server *httptest.Server
	log    *strings.Builder
}

// open starts a site.
func open(t *testing.T, db *gorm.DB, change ...func(*access.Options)) *site {
	t.Helper()
	s := &site{t: t, db: db, log: new(strings.Builder)}
	engine := gin.New()
	if err := engine.SetTrustedProxies(nil); err != nil {
		t.Fatal(err)
	}
	s.server = httptest.NewServer(engine)
	t.Cleanup(s.server.Close)
	options := access.Options{DB: db, Log: slog.New(slog.NewTextHandler(s.log, nil))}
	for _, c := range change {
		c(&options)
	}
	var err error
	if s.access, err = access.New(options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.access.Close(t.Context()) })
	s.access.Register(engine)
	guarded := engine.Group("", s.access.Guard()...)
	guarded.GET("/page", func(c *gin.Context) {
		c.String(http.StatusOK, "hello %s %s", s.access.User(c).Email, s.access.Token(c))
	})
	guarded.POST("/change", func(c *gin.Context) { c.String(http.StatusOK, "changed by %s", s.access.User(c).Email) })
	guarded.GET("/admin", s.access.Require(account.Admin), func(c *gin.Context) { c.String(http.StatusOK, "admin") })
	return s
}

// url gives the address of a path.
func (s *site) url(path string) string { return s.server.URL + path }

// joined makes a user with the password good.
func joined(t *testing.T, db *gorm.DB, email string, role account.Role) *account.User {
	t.Helper()
	users := account.Users{DB: db}
	_, secret, err := users.Invite(t.Context(), email, "", role, "test")
	if err != nil {
		t.Fatal(err)
	}
	user, err := users.Welcome(t.Context(), secret, "", good)
	if err != nil {
		t.Fatal(err)
	}
	return user
}

// browser keeps cookies and follows no redirects, and sends what a browser sends with a form.
type browser struct {
	site   *site
	client *http.Client
	header http.Header
}

func (s *site) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &browser{site: s, header: http.Header{}, client: &http.Client{
		Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// answer is a response, read to its end.
type answer struct {
	code   int
	header http.Header
	body   string
}

func (a answer) location() string { return a.header.Get("Location") }

func (b *browser) send(method, path string, body io.Reader, change ...func(*http.Request)) answer {
	b.site.t.Helper()
	target := path
	if strings.HasPrefix(path, "/") {
		target = b.site.url(path)
	}
	request, err := http.NewRequestWithContext(b.site.t.Context(), method, target, body)
	if err != nil {
		b.site.t.Fatal(err)
	}
	for name, values := range b.header {
		request.Header[name] = values
	}
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("Origin", b.site.server.URL)
	}
	for _, c := range change {
		c(request)
	}
	response, err := b.client.Do(request)
	if err != nil {
		b.site.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		b.site.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(content)}
}

func (b *browser) get(path string, change ...func(*http.Request)) answer {
	b.site.t.Helper()
	return b.send(http.MethodGet, path, http.NoBody, change...)
}

var tokenField = regexp.MustCompile(`name="csrf_token" value="([^"]+)"`)

// token gives the token of a form of a page.
func (b *browser) token(page string) string {
	b.site.t.Helper()
	found := tokenField.FindStringSubmatch(b.get(page).body)
	if found == nil {
		b.site.t.Fatalf("there is no form on %s", page)
	}
	return strings.ReplaceAll(found[1], "&#43;", "+")
}

// post sends a form with a token: names and values in turn.
func (b *browser) post(path, token string, pairs ...string) answer {
	b.site.t.Helper()
	form := url.Values{}
	if token != "" {
		form.Set("csrf_token", token)
	}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return b.send(http.MethodPost, path, strings.NewReader(form.Encode()))
}

// signIn fills in the form.
func (b *browser) signIn(email, password, next string) answer {
	b.site.t.Helper()
	return b.post("/sign-in", b.token("/sign-in"), "email", email, "password", password, "next", next)
}

// cookie gives a cookie that the browser holds.
func (b *browser) cookie(name string) string {
	u, err := url.Parse(b.site.server.URL)
	if err != nil {
		b.site.t.Fatal(err)
	}
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// plant puts a cookie into the browser.
func (b *browser) plant(name, value string) {
	u, err := url.Parse(b.site.server.URL)
	if err != nil {
		b.site.t.Fatal(err)
	}
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
}

// signedIn says whether the page behind the guard opens.
func (b *browser) signedIn() bool {
	b.site.t.Helper()
	return b.get("/page").code == http.StatusOK
}
