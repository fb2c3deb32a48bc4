// Package access says who is asking for a page: sign-in by password or OpenID Connect, sessions, and protection against
// requests that another site makes in somebody's name. What a person may then do is their role's matter.
package access

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/web/ui"
)

// Options are what an installation decides. DB is needed.
type Options struct {
	DB *gorm.DB
	// PublicURL is where people reach the web app, without a slash at the end; empty: wherever they say. With https,
	// cookies are sent over https only.
	PublicURL string
	OIDC      OIDC
	// Development signs in whoever comes from this machine, as a built-in admin and without a password. Never in
	// production.
	Development bool
	// Idle and Lifetime end a session that nobody used for a while, and each one in the end; 12 hours and 7 days when zero.
	Idle, Lifetime time.Duration
	// Tries bounds the sign-ins that are tried.
	Tries Tries
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	Log *slog.Logger
}

// How long sessions live: a working day without a look, and a week in all.
const (
	defaultIdle     = 12 * time.Hour
	defaultLifetime = 7 * 24 * time.Hour
)

// cookieName is the session's.
const cookieName = "silque_session"

// Access knows who is signed in. Make one with New, and Close it.
type Access struct {
	options  Options
	users    account.Users
	sessions account.Sessions
	manager  *scs.SessionManager
	origins  *http.CrossOriginProtection
	forgery  http.Handler
	tries    *tries
	provider *provider
	ui       *ui.Renderer
}

// New puts the access together. A PublicURL that is no address is an error.
func New(o Options) (*Access, error) {
	if o.Idle <= 0 {
		o.Idle = defaultIdle
	}
	if o.Lifetime <= 0 {
		o.Lifetime = defaultLifetime
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	a := &Access{
		options: o, users: account.Users{DB: o.DB, Now: o.Now}, sessions: account.Sessions{DB: o.DB, Now: o.Now},
		origins: http.NewCrossOriginProtection(), ui: ui.New(),
	}
	if o.PublicURL != "" {
		if err := a.origins.AddTrustedOrigin(o.PublicURL); err != nil {
			return nil, fmt.Errorf("access: the public URL: %w", err)
		}
	}
	a.manager = scs.New()
	a.manager.Store = a.sessions
	a.manager.HashTokenInStore = true
	a.manager.Lifetime = o.Lifetime
	a.manager.Cookie.Name = cookieName
	a.manager.Cookie.Secure = a.secure()
	a.manager.Cookie.SameSite = http.SameSiteLaxMode // strict would sign people out on their way back from a provider
	a.forgery = a.newForgery()
	var err error
	if a.tries, err = newTries(o.Tries); err != nil {
		return nil, err
	}
	if o.OIDC.Issuer != "" {
		a.provider = newProvider(o.OIDC, o.PublicURL)
	}
	return a, nil
}

// Close ends what New began.
func (a *Access) Close(ctx context.Context) error { return a.tries.close(ctx) }

// secure says whether people come by https.
func (a *Access) secure() bool { return strings.HasPrefix(a.options.PublicURL, "https://") }

// cookie gives a cookie that scripts cannot read, that other sites' forms do not send, and that goes over https alone where
// people come by it. A maxAge of zero lets it end with the browser, one below takes it away.
func (a *Access) cookie(name, value, path string, maxAge int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure is the setting's: an http installation would never get it back
		Name: name, Value: value, Path: path, MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: a.secure(),
	}
}

// Guard is what every page stands behind: whoever is not signed in is sent to do so, and a form must carry its token.
func (a *Access) Guard() []gin.HandlerFunc {
	guards := []gin.HandlerFunc{a.load, a.sameOrigin}
	if a.options.Development {
		guards = append(guards, a.developmentSignIn)
	}
	return append(guards, a.signedIn, a.unforged)
}

// Register mounts the pages that need no sign-in, and the way out.
func (a *Access) Register(r gin.IRouter) {
	open := r.Group("", bounded, a.load, a.sameOrigin, a.unforged)
	open.GET("/sign-in", a.handle(a.showSignIn))
	open.POST("/sign-in", a.handle(a.signIn))
	open.POST("/sign-out", a.handle(a.signOut))
	open.GET("/welcome/:token", a.handle(a.showWelcome))
	open.POST("/welcome/:token", a.handle(a.welcome))
	if a.provider != nil {
		open.GET("/oidc/start", a.handle(a.startOIDC))
		open.GET(callbackPath, a.handle(a.finishOIDC))
	}
	if a.options.Development {
		open.POST("/sign-in/development", a.handle(a.signInForDevelopment))
	}
}

// maxForm is the largest form in bytes: an address and two passwords.
const maxForm = 64 << 10

func bounded(c *gin.Context) {
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, maxForm)
}

// The keys of what the guards find out about a request.
const (
	userKey  = "silque.user"
	tokenKey = "silque.token"
)

// User is who is signed in; never nil behind Guard.
func (a *Access) User(c *gin.Context) *account.User {
	user, _ := c.Value(userKey).(*account.User)
	return user
}

// Person is User, as pages show people.
func (a *Access) Person(c *gin.Context) *ui.Person {
	user := a.User(c)
	if user == nil {
		return nil
	}
	return &ui.Person{ID: user.ID, Name: user.Name, Email: user.Email, Role: user.Role}
}

// Require refuses whoever may not do what the role is needed for. It stands behind Guard.
func (a *Access) Require(least account.Role) gin.HandlerFunc {
	return func(c *gin.Context) {
		if user := a.User(c); user == nil || !user.Role.Allows(least) {
			a.refuse(c, errForbidden)
		}
	}
}

// URL gives the address of one of our pages, for a link that leaves the page.
func (a *Access) URL(c *gin.Context, path string) string {
	if a.options.PublicURL != "" {
		return a.options.PublicURL + path
	}
	scheme := "http://"
	if c.Request.TLS != nil {
		scheme = "https://"
	}
	return scheme + c.Request.Host + path
}
