// Package app is the web app: the REST API, health and metrics on gin, the relay that brings events to Temporal, and the
// sweeper that deletes old ones. The web main and the development stack run the same one.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"go.temporal.io/sdk/client"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/datealert"
	"github.com/silquetech/silque-notifications/internal/health"
	"github.com/silquetech/silque-notifications/internal/ledger"
	"github.com/silquetech/silque-notifications/internal/relay"
	"github.com/silquetech/silque-notifications/internal/retention"
	"github.com/silquetech/silque-notifications/internal/retry"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/web/access"
	"github.com/silquetech/silque-notifications/web/api"
	"github.com/silquetech/silque-notifications/web/console"
	"github.com/silquetech/silque-notifications/web/hooks"
	"github.com/silquetech/silque-notifications/web/ui"
)

// Config is what the web app works with.
type Config struct {
	// DB is the application's database, its tables up to date.
	DB       *gorm.DB
	Temporal relay.Temporal
	// TaskQueue is where workflows are started.
	TaskQueue string
	// BatchMax is the most events of one workflow; zero takes the relay's default.
	BatchMax int
	// APIToken is the bearer token of the REST API.
	APIToken  string
	Addresses rule.Addresses
	// Rules are the settings under which notifications are read.
	Rules rule.Settings
	// RetryAttempts and RetryInterval are what a delivery gets whose notification says nothing else; the console tells.
	RetryAttempts int
	RetryInterval time.Duration
	// Schedules gets the schedules of date alerts; without it, none are kept.
	Schedules client.ScheduleClient
	// AlertInterval is how often dates are looked at; zero takes the default.
	AlertInterval time.Duration
	// Retention is how long what has come to its end is kept; zero keeps everything.
	Retention time.Duration
	// OnRuleChange is called after a change of notifications, besides what the app does itself; it may be nil.
	OnRuleChange func(ctx context.Context)
	// Probes are how the parts outside this process are asked how they are, for the page Health.
	Probes []health.Probe
	// Checks are further conditions of readiness, by name.
	Checks map[string]Check
	// Pages mounts more routes; it may be nil.
	Pages func(r *gin.Engine)
	// Twilio is what Twilio's callbacks are proved with; without an account, none are taken, and the log says so.
	Twilio hooks.TwilioConfig
	// Access says who may use the console; without it, there is none.
	Access *access.Access
	// HookSecret is the bearer token of reports about emails; empty: they are not taken.
	HookSecret string
	// EmailSender is the From of emails.
	EmailSender string
	// TrustedProxies are those whose X-Forwarded-For is believed.
	TrustedProxies []string
	// WorkflowLink gives a workflow's page in Temporal Web UI, which is at TemporalUI.
	WorkflowLink func(workflowID string) string
	TemporalUI   string
	// Elsewhere are further pages to link to; empty in production.
	Elsewhere []ui.Link
	// Timeouts of the server; zero values take the defaults.
	Timeouts Timeouts
	Log      *slog.Logger
}

// Check says whether a part works; its error is shown at /readyz.
type Check func(ctx context.Context) error

// App serves requests, relays events and deletes old ones. Make one with New, run it with Run.
type App struct {
	config Config
	engine *gin.Engine
	relay  *relay.Relay
	// alerts is nil when no schedules are kept.
	alerts  *datealert.Schedules
	sweeper *retention.Sweeper
	health  *health.Monitor
}

// New puts the web app together.
func New(c Config) *App {
	a := &App{
		config:  c,
		relay:   relay.New(c.DB, c.Temporal, ledger.New(c.DB), relay.Options{TaskQueue: c.TaskQueue, BatchMax: c.BatchMax, Log: c.Log}),
		sweeper: retention.New(retention.Options{DB: c.DB, Keep: c.Retention, Log: c.Log}),
	}
	if c.Schedules != nil {
		a.alerts = datealert.NewSchedules(datealert.Options{
			DB: c.DB, Temporal: c.Schedules, Settings: c.Rules, TaskQueue: c.TaskQueue, Interval: c.AlertInterval, Log: c.Log,
		})
	}
	a.health = health.New(append([]health.Probe{health.Database(c.DB), health.Relay(a.relay.Unable, a.relay.Stalled)}, c.Probes...)...)
	a.engine = a.routes()
	return a
}

// Handler serves every route.
func (a *App) Handler() http.Handler { return a.engine }

// Nudge tells the relay that an event has just been committed. It never blocks.
func (a *App) Nudge() { a.relay.Nudge() }

// Passed tells the relay that a workflow's first pass is over, and says whether it is this relay's.
func (a *App) Passed(workflowID string) bool { return a.relay.Passed(workflowID) }

// Run serves on the listener, relays events and deletes old ones until ctx ends; then it lets the requests and starts under way end.
func (a *App) Run(ctx context.Context, listener net.Listener) error {
	server := a.server()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var relaying sync.WaitGroup
	relaying.Go(func() { a.relay.Run(ctx) })
	relaying.Go(func() { a.sweeper.Run(ctx) })
	relaying.Go(func() { a.foldHours(ctx) })
	relaying.Go(func() { retry.Retries{DB: a.config.DB, Nudge: a.Nudge, Log: a.config.Log}.Run(ctx) })
	relaying.Go(func() { a.health.Run(ctx, temporalPart) })
	if a.alerts != nil {
		relaying.Go(func() { a.alerts.Run(ctx) })
	}
	serving := make(chan error, 1)
	go func() {
		err := server.Serve(listener)
		if errors.Is(err, http.ErrServerClosed) {
			err = nil
		}
		serving <- err
	}()

	var err error
	select {
	case err = <-serving:
		cancel()
	case <-ctx.Done():
		err = errors.Join(shutdown(ctx, server), <-serving)
	}
	relaying.Wait()
	if err != nil {
		return fmt.Errorf("web: %w", err)
	}
	return nil
}

// routes mounts everything on one engine.
func (a *App) routes() *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.HandleMethodNotAllowed = true
	engine.RemoteIPHeaders = []string{"X-Forwarded-For"}
	if err := engine.SetTrustedProxies(a.config.TrustedProxies); err != nil {
		_ = engine.SetTrustedProxies(nil) // the settings have been checked; without them, nobody's is believed
		a.config.Log.Error("No proxy is trusted", "error", err)
	}
	engine.Use(a.recovered, hardened, unpipelined)

	engine.GET("/healthz", func(c *gin.Context) { c.JSON(http.StatusOK, gin.H{"status": "ok"}) })
	engine.GET("/readyz", a.ready)
	engine.GET("/metrics", a.metrics())

	api.New(api.Config{
		DB: a.config.DB, Token: a.config.APIToken, Addresses: a.config.Addresses, Rules: a.config.Rules,
		Rows: store.Rows{DB: a.config.DB}, OnRuleChange: a.rulesChanged, Nudge: a.Nudge, Logger: a.config.Log,
	}).Register(engine)
	hooks.NewEmail(hooks.EmailConfig{
		DB: a.config.DB, Secret: a.config.HookSecret, Sender: a.config.EmailSender, Log: a.config.Log,
	}).Register(engine)
	twilio := a.config.Twilio
	twilio.DB, twilio.Addresses, twilio.Log = a.config.DB, a.config.Addresses, a.config.Log
	hooks.NewTwilio(twilio).Register(engine)
	if a.config.Pages != nil {
		a.config.Pages(engine)
	}
	engine.NoRoute(append([]gin.HandlerFunc{api.NoRoute}, a.console(engine)...)...)
	engine.NoMethod(api.NoMethod, wrongMethod)
	return engine
}

// console mounts the pages, and gives the handlers of paths that nothing is mounted on.
func (a *App) console(engine *gin.Engine) []gin.HandlerFunc {
	if a.config.Access == nil {
		return []gin.HandlerFunc{notFound}
	}
	pages := console.New(console.Config{
		DB: a.config.DB, Access: a.config.Access, Addresses: a.config.Addresses, Rules: a.config.Rules,
		RetryAttempts: a.config.RetryAttempts, RetryInterval: a.config.RetryInterval,
		Rows: store.Rows{DB: a.config.DB}, OnRuleChange: a.rulesChanged, Nudge: a.Nudge,
		WorkflowLink: a.config.WorkflowLink, TemporalUI: a.config.TemporalUI, TemporalUp: a.temporalUp, Health: a.health,
		Elsewhere: a.config.Elsewhere, Log: a.config.Log,
	})
	a.config.Access.Register(engine)
	pages.Register(engine)
	return pages.NoRoute()
}

// temporalPart is the part of Health by which links to Temporal are greyed.
const temporalPart = "temporal"

func (a *App) temporalUp() bool { return a.health.Up(temporalPart) }

// rulesChanged tells whoever has to know that a notification has changed.
func (a *App) rulesChanged(ctx context.Context) {
	if a.alerts != nil {
		a.alerts.Nudge()
	}
	if a.config.OnRuleChange != nil {
		a.config.OnRuleChange(ctx)
	}
}

// recovered turns a panic into a 500 and a line in the log.
func (a *App) recovered(c *gin.Context) {
	defer func() {
		if cause := recover(); cause != nil {
			if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(cause) // net/http's own way to drop a connection: half a file must not look like a whole one
			}
			a.config.Log.Error("A request panicked", "method", c.Request.Method, "route", c.FullPath(),
				"panic", fmt.Sprintf("%T", cause), "stack", string(debug.Stack()))
			if !c.Writer.Written() {
				c.AbortWithStatusJSON(http.StatusInternalServerError, failure("internal", "something went wrong here; the log says what"))
			}
		}
	}()
	c.Next()
}

// hardened keeps browsers from guessing types, framing pages and telling other hosts where they come from.
func hardened(c *gin.Context) {
	c.Header("X-Content-Type-Options", "nosniff")
	c.Header("Referrer-Policy", "same-origin")
	c.Header("X-Frame-Options", "SAMEORIGIN")
	c.Next()
}

func notFound(c *gin.Context) {
	c.JSON(http.StatusNotFound, failure("not_found", "there is nothing at this path"))
}

func wrongMethod(c *gin.Context) {
	c.JSON(http.StatusMethodNotAllowed, failure("method_not_allowed", "this path does not take "+c.Request.Method))
}

func failure(code, message string) gin.H {
	return gin.H{"error": gin.H{"code": code, "message": message}}
}
