// Package api is the REST API under /api/v1: notifications, models, events, deliveries, the suppression
// list, the error log and test messages, in JSON. The document openapi.json describes it, and the tests hold every route, request and answer to that.
package api

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/preview"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/rules"
)

// prefix is where the API lives; a change of the contract that breaks clients gets another.
const prefix = "/api/v1"

// defaultMaxBody is the largest request body in bytes: a row with its snapshots, never a file.
const defaultMaxBody = 1 << 20

// Config is what the API works with. DB and Addresses are needed; the rest may stay empty.
type Config struct {
	DB *gorm.DB
	// Token is a bearer token that opens every call. Empty: only the tokens that admins make open something, each what its
	// scopes say.
	Token string
	// Addresses brings addresses into their channel's normal form.
	Addresses rule.Addresses
	// Rules are the settings under which notifications are read.
	Rules rule.Settings
	// Rows reads the row of a preview that names a model and a key; without it, a preview must bring its doc.
	Rows preview.Rows
	// OnRuleChange is called after a change of notifications has been committed.
	OnRuleChange func(ctx context.Context)
	// Nudge is called after events have been committed, so that the relay need not wait for its next look.
	Nudge func()
	// Logger gets failures that are not the caller's, without personal data; slog.Default when nil.
	Logger *slog.Logger
	// MaxBody is the largest request body in bytes; 1 MiB when zero.
	MaxBody int64
}

// API answers the calls. Make one with New.
type API struct {
	config        Config
	book          *rules.Book
	previews      preview.Previews
	notifications store.Notifications
	deliveries    store.Deliveries
	errors        store.Errors
	events        store.Events
	lists         store.Lists
	suppressions  store.Suppressions
	tokens        account.Tokens
}

// New gives an API on the database of config.
func New(config Config) *API {
	if config.OnRuleChange == nil {
		config.OnRuleChange = func(context.Context) {}
	}
	if config.Nudge == nil {
		config.Nudge = func() {}
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	if config.MaxBody <= 0 {
		config.MaxBody = defaultMaxBody
	}
	return &API{
		config: config,
		book: rules.New(config.DB, rules.Options{
			Addresses: config.Addresses, Settings: config.Rules, OnChange: config.OnRuleChange,
		}),
		previews:      preview.Previews{DB: config.DB, Addresses: config.Addresses, Rows: config.Rows},
		notifications: store.Notifications{DB: config.DB},
		deliveries:    store.Deliveries{DB: config.DB},
		errors:        store.Errors{DB: config.DB},
		events:        store.Events{DB: config.DB},
		lists:         store.Lists{DB: config.DB},
		suppressions:  store.Suppressions{DB: config.DB},
		tokens:        account.Tokens{DB: config.DB},
	}
}

// Register mounts the routes under /api/v1. The engine's owner completes it with HandleMethodNotAllowed, NoRoute and
// NoMethod, which belong to the engine.
func (a *API) Register(r gin.IRouter) {
	open := r.Group(prefix, a.recovered, private)
	open.GET("/openapi.json", serveDescription)

	v1 := open.Group("", a.authorised, a.bounded)
	get := func(path string, h handler) { v1.GET(path, a.handle(h)) }
	post := func(path string, h handler) { v1.POST(path, a.handle(h)) }

	get("/notifications", a.listNotifications)
	post("/notifications", a.createNotification)
	post("/notifications/preview", a.previewNotification)
	post("/notifications/activate", a.activateNotifications)
	post("/notifications/deactivate", a.deactivateNotifications)
	get("/notifications/:id", a.getNotification)
	v1.PUT("/notifications/:id", a.handle(a.replaceNotification))
	v1.DELETE("/notifications/:id", a.handle(a.deleteNotification))
	post("/notifications/:id/duplicate", a.duplicateNotification)
	get("/notifications/:id/versions", a.listVersions)
	post("/notifications/compare", a.compareNotification)

	get("/lists", a.listLists)
	post("/lists", a.createList)
	get("/lists/:id", a.getList)
	v1.PUT("/lists/:id", a.handle(a.replaceList))
	v1.DELETE("/lists/:id", a.handle(a.deleteList))

	get("/models", a.listModels)
	get("/models/:model", a.getModel)
	get("/models/:model/recipients", a.suggestRecipients)

	get("/events", a.listEvents)
	post("/events", a.createEvent)
	get("/events/:id", a.getEvent)

	get("/deliveries", a.listDeliveries)
	post("/deliveries/retry", a.retryDeliveries)
	get("/deliveries/:id", a.getDelivery)
	post("/deliveries/:id/retry", a.retryDelivery)
	post("/deliveries/:id/resolve", a.resolveDelivery)

	get("/suppressions", a.listSuppressions)
	post("/suppressions", a.addSuppression)
	get("/suppressions/:id", a.getSuppression)
	v1.DELETE("/suppressions/:id", a.handle(a.liftSuppression))

	get("/errors", a.listErrors)
	get("/errors/:id", a.getError)
	post("/errors/:id/resolve", a.resolveError)

	post("/test", a.sendTest)
}

// private keeps answers, which hold personal data, out of caches.
func private(c *gin.Context) {
	c.Header("Cache-Control", "no-store")
	c.Header("X-Content-Type-Options", "nosniff")
}

// answer writes a JSON answer.
func answer(c *gin.Context, status int, body any) error {
	c.PureJSON(status, body)
	return nil
}

// noContent writes an answer without a body.
func noContent(c *gin.Context) error {
	c.Status(http.StatusNoContent)
	return nil
}
