package hooks

import (
	"context"
	"database/sql/driver"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/unsubscribe"
	"github.com/silquetech/silque-notifications/web/ui"
)

// BouncesPath is where mail servers and providers report what became of emails.
const BouncesPath = "/hooks/email/bounces"

// EmailConfig is what the addresses about emails work with.
type EmailConfig struct {
	DB *gorm.DB
	// Secret is the bearer token of reports; empty: they are not taken.
	Secret string
	// Sender is the From of emails, as people know it: Shop <shop@example.com>.
	Sender string
	Log    *slog.Logger
	// Now is the clock; nil: the machine's.
	Now func() time.Time
}

// Email takes what comes back about emails: bounces, complaints, and people who leave.
type Email struct {
	config EmailConfig
	ui     *ui.Renderer

	mutex  sync.Mutex
	loaded *unsubscribe.Tokens

	takeBacks takeBacks
}

// NewEmail puts it together.
func NewEmail(c EmailConfig) *Email {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Email{config: c, ui: ui.New()}
}

// Register mounts the routes. None of them knows a session: each carries its own proof.
func (e *Email) Register(r gin.IRouter) {
	if e.config.Secret != "" {
		r.POST(BouncesPath, e.takeReports)
	}
	leaving := r.Group(unsubscribe.Path, unlisted, boundedForm)
	leaving.GET(":token", e.page(e.showLeaving))
	leaving.HEAD(":token", e.page(e.showLeaving))
	leaving.POST(":token", e.page(e.leave))
}

// tokens are loaded when they are first needed, so that a database that is away does not keep the web app from starting.
func (e *Email) tokens(ctx context.Context) (unsubscribe.Tokens, error) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if e.loaded == nil {
		tokens, err := unsubscribe.Load(ctx, store.Secrets{DB: e.config.DB})
		if err != nil {
			return unsubscribe.Tokens{}, err
		}
		e.loaded = &tokens
	}
	return *e.loaded, nil
}

// away says whether an error means that the database cannot be reached, or not in time.
func away(err error) bool {
	var network net.Error
	return errors.Is(err, driver.ErrBadConn) || errors.As(err, &network) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

func (e *Email) logFailure(c *gin.Context, err error) { logFailure(c, e.config.Log, err) }

// bearer gives the token of a request; empty when there is none.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
