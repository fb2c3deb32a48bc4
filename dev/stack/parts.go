package stack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/dev/sandbox"
	"github.com/silquetech/silque-notifications/dev/shop"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/wiring"
	"github.com/silquetech/silque-notifications/internal/wiring/webapp"
	"github.com/silquetech/silque-notifications/notify"
	"github.com/silquetech/silque-notifications/web/app"
	"github.com/silquetech/silque-notifications/web/hooks"
	"github.com/silquetech/silque-notifications/web/ui"
)

// defaults are the settings of a stack whose environment says nothing. The email settings and the Twilio ones are each
// left to the environment as a whole when it names a server.
func (s *Stack) defaults() []string {
	settings := []string{
		"NOTIFY_STOP_TIMEOUT=5s", "NOTIFY_LOG_LEVEL=warn", "NOTIFY_ALERT_INTERVAL=10s", "NOTIFY_TEMPORAL_UI_URL=" + s.ui.URL(),
		"NOTIFY_PUBLIC_URL=" + s.URL(), "NOTIFY_HOOK_SECRET=" + rand.Text(),
	}
	if !s.names("SMTP_HOST") {
		host, port, _ := net.SplitHostPort(s.sandbox.SMTPAddr())
		settings = append(settings, "SMTP_HOST="+host, "SMTP_PORT="+port, "SMTP_TLS=none", "SMTP_AUTH=none",
			"SMTP_FROM=Demo shop <shop@example.com>")
	}
	if !s.names("TWILIO_ACCOUNT_SID") {
		settings = append(settings,
			"TWILIO_ACCOUNT_SID="+sandbox.DefaultAccountSID, "TWILIO_AUTH_TOKEN="+sandbox.DefaultAuthToken,
			"TWILIO_BASE_URL="+s.URL()+sandbox.TwilioPath, "TWILIO_STATUS_CALLBACK="+s.URL()+hooks.TwilioStatusPath,
			"TWILIO_SMS_FROM="+sandbox.DefaultFrom, "TWILIO_WHATSAPP_FROM="+sandbox.DefaultFrom)
	}
	return settings
}

// names says whether the environment sets a variable.
func (s *Stack) names(variable string) bool {
	for _, entry := range s.options.Environ {
		name, value, _ := strings.Cut(entry, "=")
		if value != "" && (name == variable || name == variable+"_FILE") {
			return true
		}
	}
	return false
}

// URL is the web app's address, without a slash at the end.
func (s *Stack) URL() string { return "http://" + s.listener.Addr().String() }

// Token is the REST API's token.
func (s *Stack) Token() string { return s.settings.Notify.APIToken }

// UIURL is Temporal Web UI's address.
func (s *Stack) UIURL() string { return s.ui.URL() }

// TemporalAddr is where Temporal listens.
func (s *Stack) TemporalAddr() string { return s.options.TemporalAddr }

// watchShop makes the demo shop's tables, puts the plugin in, and fills a fresh data folder.
func (s *Stack) watchShop(ctx context.Context) error {
	if err := shop.Migrate(ctx, s.db); err != nil {
		return fmt.Errorf("demo shop: %w", err)
	}
	s.plugin = notify.New(notify.Options{Logger: s.log, SkipMigrations: true, SkipNotify: true, AfterCommit: func() { s.app.Nudge() }})
	if err := s.letIn(); err != nil {
		return err
	}
	s.app = s.newApp()
	if err := s.db.Use(s.plugin); err != nil {
		return err
	}
	s.atStop(func(context.Context) error { return s.plugin.Close() })
	if err := s.plugin.Register(shop.Models()...); err != nil {
		return err
	}
	if err := shop.Seed(notify.Skip(ctx), s.db); err != nil {
		return fmt.Errorf("demo shop: %w", err)
	}
	return s.seedNotifications(ctx)
}

// seedNotifications adds the examples where there is no notification and has never been one.
func (s *Stack) seedNotifications(ctx context.Context) error {
	notifications := store.Notifications{DB: s.db}
	revision, err := notifications.Revision(ctx)
	if err != nil || revision > 1 {
		return err
	}
	for _, n := range shop.Examples() {
		if err := notifications.Create(ctx, &n, "dev"); err != nil {
			return err
		}
	}
	return s.plugin.Refresh(ctx)
}

// letIn makes the sign-in, which lets everyone on this machine in as an admin.
func (s *Stack) letIn() error {
	access, err := webapp.Access(s.settings, s.db, s.log, true)
	if err != nil {
		return err
	}
	s.access = access
	s.atStop(access.Close)
	return nil
}

func (s *Stack) newApp() *app.App {
	demo := shop.New(s.db, s.log)
	config := webapp.Config(s.settings, s.db, s.temporal, s.log)
	config.APIToken = s.Token()
	config.OnRuleChange = s.rulesChanged
	config.Checks = map[string]app.Check{"worker": s.workerReady}
	config.Access = s.access
	config.Elsewhere = []ui.Link{{Path: "/demo", Name: "Demo shop"}, {Path: "/sandbox", Name: "Sandbox inbox"}, {Path: "/start", Name: "Things to try"}}
	config.Pages = func(r *gin.Engine) {
		s.sandbox.Routes(r)
		demo.Register(r)
		s.startPage(r)
	}
	return app.New(config)
}

// rulesChanged makes a changed notification count for the shop at once.
func (s *Stack) rulesChanged(ctx context.Context) {
	if err := s.plugin.Refresh(ctx); err != nil {
		s.log.Warn("A changed notification counts with a delay", "error", err)
	}
}

// startWeb serves and relays. The web app stops before the plugin, so that no request saves without it.
func (s *Stack) startWeb(context.Context) error {
	s.background("web app", func(ctx context.Context) error { return s.app.Run(ctx, s.listener) })
	// When the worker has stopped, the web app need not wait for requests to the sandbox that hang.
	s.atStop(func(context.Context) error { s.letGo(); return nil })
	return nil
}

// startWorker starts the worker and returns when it takes tasks.
func (s *Stack) startWorker(ctx context.Context) error {
	worker, err := wiring.NewWorker(s.settings, s.db, s.temporal, s.log)
	if err != nil {
		return err
	}
	worker.TellRelay(s.app.Passed)
	s.atStop(worker.Close)
	ready := make(chan struct{})
	s.background("worker", func(ctx context.Context) error {
		return worker.Run(ctx, func() { s.working.Store(true); close(ready) })
	})
	select {
	case <-ready:
		return nil
	case err := <-s.failed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Stack) workerReady(context.Context) error {
	if !s.working.Load() {
		return errors.New("the worker does not take tasks yet")
	}
	return nil
}

// Logger is where the stack's own parts log.
func (s *Stack) Logger() *slog.Logger { return s.log }

// Database is the application's database, with the notify plugin in it.
func (s *Stack) Database() *gorm.DB { return s.db }
