// Package silque is this project as a system: web app with the relay, worker and Temporal server in one process, as the
// development stack runs them, on SQLite or on Postgres.
package silque

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/bench/histories"
	"github.com/silquetech/silque-notifications/bench/system"
	"github.com/silquetech/silque-notifications/dev/temporalserver"
	"github.com/silquetech/silque-notifications/internal/config"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/wiring"
	"github.com/silquetech/silque-notifications/internal/wiring/webapp"
	"github.com/silquetech/silque-notifications/notify"
	"github.com/silquetech/silque-notifications/rules"
	"github.com/silquetech/silque-notifications/web/app"
)

// Silque is the running project.
type Silque struct {
	db       *gorm.DB
	temporal *wiring.Temporal
	log      *slog.Logger

	cancel  context.CancelFunc
	running sync.WaitGroup
	stops   []func(ctx context.Context) error
}

// Open starts everything, with one notification: whoever becomes a customer gets an email.
func Open(ctx context.Context, setup system.Setup) (system.System, error) {
	s := &Silque{log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	if err := s.start(ctx, setup); err != nil {
		return nil, errors.Join(err, s.Close(ctx))
	}
	return s, nil
}

func (s *Silque) start(ctx context.Context, setup system.Setup) error {
	settings, err := settingsFor(setup)
	if err != nil {
		return err
	}
	server, err := temporalserver.Start(ctx, temporalserver.Options{
		Addr: "127.0.0.1:0", Dir: filepath.Join(setup.Dir, "temporal"), DatabaseURL: setup.TemporalURL, Logger: s.log,
	})
	if err != nil {
		return err
	}
	s.atStop(func(context.Context) error { server.Stop(); return nil })
	if s.db, err = wiring.Database(ctx, settings, s.log); err != nil {
		return err
	}
	s.atStop(func(context.Context) error { return store.Close(s.db) })
	if s.temporal, err = wiring.Dial([]string{"TEMPORAL_ADDRESS=" + server.Addr()}, s.log); err != nil {
		return err
	}
	s.atStop(func(context.Context) error { s.temporal.Close(); return nil })
	return s.run(ctx, settings)
}

func settingsFor(setup system.Setup) (*config.Config, error) {
	host, port, err := net.SplitHostPort(setup.SMTPAddr)
	if err != nil {
		return nil, err
	}
	environ := []string{
		"DATABASE_URL=" + setup.DatabaseURL, "SMTP_HOST=" + host, "SMTP_PORT=" + port, "SMTP_TLS=none", "SMTP_AUTH=none",
		"SMTP_FROM=" + system.From, fmt.Sprintf("SMTP_CONNECTIONS=%d", setup.Connections), "NOTIFY_STOP_TIMEOUT=5s",
	}
	if setup.BatchMax > 0 {
		environ = append(environ, fmt.Sprintf("NOTIFY_BATCH_MAX=%d", setup.BatchMax))
	}
	return config.Load(environ)
}

// run starts the parts that work on the database and Temporal, and returns when they take work.
func (s *Silque) run(ctx context.Context, settings *config.Config) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	worker, err := wiring.NewWorker(settings, s.db, s.temporal, s.log)
	if err != nil {
		return err
	}
	s.atStop(worker.Close)
	web := app.New(webapp.Config(settings, s.db, s.temporal, s.log))
	worker.TellRelay(web.Passed)
	plugin := notify.New(notify.Options{Logger: s.log, AfterCommit: web.Nudge, SkipNotify: true}) // the only relay is in this process
	if err := s.watch(ctx, plugin); err != nil {
		return err
	}
	ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	ready, failed := make(chan struct{}), make(chan error, 2)
	s.running.Go(func() { failed <- web.Run(ctx, listener) })
	s.running.Go(func() { failed <- worker.Run(ctx, func() { close(ready) }) })
	select {
	case <-ready:
		return nil
	case err := <-failed:
		return fmt.Errorf("the web app or the worker ended: %w", err)
	}
}

// watch registers the model and writes the notification.
func (s *Silque) watch(ctx context.Context, plugin *notify.Plugin) error {
	if err := s.db.WithContext(ctx).AutoMigrate(&system.Customer{}); err != nil {
		return err
	}
	if err := s.db.Use(plugin); err != nil {
		return err
	}
	s.atStop(func(context.Context) error { return plugin.Close() })
	if err := plugin.Register(&system.Customer{}); err != nil {
		return err
	}
	err := rules.New(s.db, rules.Options{}).Create(ctx, &rules.Notification{
		Title: "Welcome, {{ doc.name }}", Channel: rules.Email, Model: "customers", Trigger: rules.OnNew, Active: true,
		Message:    "Hello {{ doc.name }},\n\nthank you for joining us. We shall write to {{ doc.email }} when there is news.\n",
		Recipients: []rules.Recipient{{DocumentField: "email"}},
	}, "bench")
	if err != nil {
		return err
	}
	return plugin.Refresh(ctx)
}

// Save saves customer i: the plugin does the rest.
func (s *Silque) Save(ctx context.Context, i int) error {
	return s.db.WithContext(ctx).Create(system.NewCustomer(i)).Error
}

// Count gives what the workflows have cost at Temporal.
func (s *Silque) Count(ctx context.Context) (system.Counts, error) {
	return histories.Count(ctx, s.temporal)
}

func (s *Silque) atStop(stop func(ctx context.Context) error) { s.stops = append(s.stops, stop) }

// Close stops everything in the reverse order.
func (s *Silque) Close(ctx context.Context) error {
	if s.cancel != nil {
		s.cancel()
		s.running.Wait()
	}
	var problems []error
	for i := len(s.stops) - 1; i >= 0; i-- {
		problems = append(problems, s.stops[i](ctx))
	}
	return errors.Join(problems...)
}
