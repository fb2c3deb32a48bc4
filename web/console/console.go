// Package console is the pages by which people run the system: notifications, deliveries, events, errors and who may do
// what. They are rendered here, from the templates of web/ui.
package console

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/health"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/rules"
	"github.com/silquetech/silque-notifications/web/ui"
)

// Access says who is asking. The package web/access is the real one.
type Access interface {
	// Guard is what every page stands behind: session, protection against forged requests, sign-in.
	Guard() []gin.HandlerFunc
	// Person is who is signed in; never nil behind Guard.
	Person(c *gin.Context) *ui.Person
	// Token is the secret that a form must send back as csrf_token.
	Token(c *gin.Context) string
	// PutFlash keeps a line for the next page of this session, and PopFlash takes it.
	PutFlash(c *gin.Context, f ui.Flash)
	PopFlash(c *gin.Context) *ui.Flash
	// Development is a line about a sign-in without a password for the top of each page; empty in production.
	Development(c *gin.Context) string
	// SessionID names the session of this request among its user's, and Keep lets it go on after the user has set another
	// password, which ends the rest.
	SessionID(c *gin.Context) string
	Keep(c *gin.Context, user *account.User) error
	// Attempt counts one try to prove who somebody is; when it is one too many it says how long to wait.
	Attempt(c *gin.Context, email string) (wait time.Duration, allowed bool)
	// URL gives the address of a page, for a link that leaves it.
	URL(c *gin.Context, path string) string
}

// Config is what the console works with.
type Config struct {
	DB        *gorm.DB
	Access    Access
	Addresses rule.Addresses
	// Rules are the settings under which notifications are read.
	Rules rule.Settings
	// RetryAttempts and RetryInterval are the settings' for deliveries whose notification says nothing else; zero when they
	// are not known.
	RetryAttempts int
	RetryInterval time.Duration
	Rows          store.Rows
	// OnRuleChange is called after a change of notifications has been committed.
	OnRuleChange func(ctx context.Context)
	// Nudge is called after events have been committed.
	Nudge func()
	// WorkflowLink gives a workflow's page in Temporal Web UI, which is at TemporalUI.
	WorkflowLink func(workflowID string) string
	TemporalUI   string
	// TemporalUp says, without asking anew each time, whether Temporal answers; nil means yes.
	TemporalUp func() bool
	// Health is what the parts say of themselves; nil means that none can be asked.
	Health *health.Monitor
	// Elsewhere are further pages to link to, such as the demo shop; empty in production.
	Elsewhere []ui.Link
	Log       *slog.Logger
}

// Console answers with pages. Make one with New.
type Console struct {
	config        Config
	ui            *ui.Renderer
	book          *rules.Book
	notifications store.Notifications
	deliveries    store.Deliveries
	errors        store.Errors
	events        store.Events
	lists         store.Lists
	suppressions  store.Suppressions
	users         account.Users
	sessions      account.Sessions
	tokens        account.Tokens
	imports       importJobs
}

// New gives a console on the database of config.
func New(config Config) *Console {
	if config.OnRuleChange == nil {
		config.OnRuleChange = func(context.Context) {}
	}
	if config.Nudge == nil {
		config.Nudge = func() {}
	}
	if config.Health == nil {
		config.Health = health.New()
	}
	if config.TemporalUp == nil {
		config.TemporalUp = func() bool { return true }
	}
	return &Console{
		config: config,
		ui:     ui.New(),
		book: rules.New(config.DB, rules.Options{
			Addresses: config.Addresses, Settings: config.Rules, OnChange: config.OnRuleChange,
		}),
		notifications: store.Notifications{DB: config.DB},
		deliveries:    store.Deliveries{DB: config.DB},
		errors:        store.Errors{DB: config.DB},
		events:        store.Events{DB: config.DB},
		lists:         store.Lists{DB: config.DB},
		suppressions:  store.Suppressions{DB: config.DB},
		users:         account.Users{DB: config.DB},
		sessions:      account.Sessions{DB: config.DB},
		tokens:        account.Tokens{DB: config.DB},
	}
}

// Route is one page, or one thing that can be done.
type Route struct {
	Method, Path string
	// Role is the least that a person needs for it.
	Role    account.Role
	handler handler
}

// Routes lists everything that the console answers behind its sign-in. Tests walk it.
func (s *Console) Routes() []Route {
	var all []Route
	for _, area := range [][]Route{
		s.dashboardRoutes(),
		s.accountRoutes(),
		s.userRoutes(),
		s.tokenRoutes(),
		s.auditRoutes(),
		s.notificationFormRoutes(),
		s.deliveriesRoutes(),
		s.eventsRoutes(),
		s.errorsRoutes(),
		s.healthRoutes(),
		s.notificationsRoutes(),
		s.listsRoutes(),
		s.suppressionsRoutes(),
		s.modelsRoutes(),
	} {
		all = append(all, area...)
	}
	return all
}

// maxForm is the largest form in bytes, an uploaded file included.
const maxForm = 8 << 20

// Register mounts the pages. The engine's owner completes it with NoRoute.
func (s *Console) Register(r gin.IRouter) {
	r.GET(ui.StaticPath+"*file", s.ui.Static)
	guarded := r.Group("", bounded)
	guarded.Use(s.config.Access.Guard()...)
	for _, route := range s.Routes() {
		guarded.Handle(route.Method, route.Path, s.handle(route))
	}
}

// bounded keeps a body from filling the memory.
func bounded(c *gin.Context) {
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, maxForm)
}

// page fills in what all pages have in common.
func (s *Console) page(c *gin.Context, p *ui.Page) *ui.Page {
	p.Person = s.config.Access.Person(c)
	p.Token = s.config.Access.Token(c)
	if !live(c) {
		p.Flash = s.config.Access.PopFlash(c)
	}
	p.Links = s.navigation(p.Person)
	p.Zone, p.Now = zone(c), time.Now()
	p.Theme = ui.ThemeOf(c)
	p.Development = s.config.Access.Development(c)
	p.TemporalUI, p.WorkflowLink, p.TemporalUp = s.config.TemporalUI, s.config.WorkflowLink, s.config.TemporalUp()
	return p
}

// live is whether a part of a page that is shown asks for itself anew: what the flash says is for the next whole page.
func live(c *gin.Context) bool {
	return c.Request.Method == http.MethodGet && c.GetHeader("HX-Request") != ""
}

// show answers with a page.
func (s *Console) show(c *gin.Context, status int, name string, p *ui.Page) error {
	return s.ui.Render(c, status, name, s.page(c, p))
}

// done says what has been done on the next page, and goes there.
func (s *Console) done(c *gin.Context, path string, f ui.Flash) error {
	s.config.Access.PutFlash(c, f)
	c.Redirect(http.StatusSeeOther, path)
	return nil
}
