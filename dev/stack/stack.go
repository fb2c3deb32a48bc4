// Package stack puts the development stack together: every part of the product, real, in one process.
package stack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/dev/sandbox"
	"github.com/silquetech/silque-notifications/dev/temporalserver"
	"github.com/silquetech/silque-notifications/dev/temporalui"
	"github.com/silquetech/silque-notifications/internal/config"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/wiring"
	"github.com/silquetech/silque-notifications/notify"
	"github.com/silquetech/silque-notifications/web/access"
	"github.com/silquetech/silque-notifications/web/app"
	"github.com/silquetech/silque-notifications/web/hooks"
)

// Options are what the command line and the environment ask for.
type Options struct {
	Addr, UIAddr, TemporalAddr string
	// Data is the folder in which everything is kept between runs; empty keeps nothing.
	Data string
	// Token is the REST API's; empty makes a random one.
	Token string
	// DatabaseURL is the application's database; empty means a SQLite file in Data.
	DatabaseURL string
	// Environ holds the settings of the worker and the web app, such as NOTIFY_RETRY_INTERVAL=1s.
	Environ []string
	LogTo   io.Writer
	// OnDatabase gets the application's database before anything uses it, for what can be added to it only then; it may be nil.
	OnDatabase func(db *gorm.DB) `json:"-"`
}

// Stack is everything, running. Stop it.
type Stack struct {
	options  Options
	settings *config.Config
	log      *slog.Logger

	listener net.Listener
	db       *gorm.DB
	temporal *wiring.Temporal
	ui       *temporalui.Server
	sandbox  *sandbox.Sandbox
	plugin   *notify.Plugin
	access   *access.Access
	app      *app.App

	// letGo ends the hand-overs that hang in the sandbox.
	letGo context.CancelFunc

	working atomic.Bool
	failed  chan error
	// stops end what has started, the last first.
	stops []func(ctx context.Context) error
}

// stopTimeout bounds a whole stop: the sends under way are given NOTIFY_STOP_TIMEOUT within it.
const stopTimeout = 90 * time.Second

// ErrStopped is Start's answer when its context ends before everything is up, and all that had started is down again.
var ErrStopped = errors.New("stopped while starting")

// Start brings everything up, and returns when messages can flow. Addresses that are taken are named in the error, one a
// line; then nothing is left running.
func Start(ctx context.Context, o Options) (*Stack, error) {
	s := &Stack{options: o, failed: make(chan error, 4)}
	for _, step := range []func(context.Context) error{
		s.listen, s.folder, s.startTemporal, s.startUI, s.startSandbox, s.readSettings, s.openDatabase, s.connect,
		s.watchShop, s.startWeb, s.startWorker,
	} {
		err := ctx.Err()
		if err == nil {
			err = step(ctx)
		}
		if err != nil {
			return nil, s.giveUp(ctx, err)
		}
	}
	return s, nil
}

// giveUp stops what has started and says why: what a step complains of after the end of ctx comes of that end.
func (s *Stack) giveUp(ctx context.Context, cause error) error {
	err := s.Stop()
	switch {
	case ctx.Err() == nil:
		return errors.Join(cause, err)
	case err != nil:
		return fmt.Errorf("stop while starting: %w", err)
	default:
		return ErrStopped
	}
}

// Wait returns nil when ctx ends, and an error when a part fails before that.
func (s *Stack) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.failed:
		return err
	}
}

// Stop ends everything in the reverse order: requests and sends under way come to their end first.
func (s *Stack) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	var problems []error
	for i := len(s.stops) - 1; i >= 0; i-- {
		problems = append(problems, s.stops[i](ctx))
	}
	s.stops = nil
	return errors.Join(problems...)
}

func (s *Stack) atStop(stop func(ctx context.Context) error) { s.stops = append(s.stops, stop) }

// background runs a part until Stop, and reports when it ends early.
func (s *Stack) background(name string, run func(ctx context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		err := run(ctx)
		if err != nil && ctx.Err() == nil {
			s.failed <- fmt.Errorf("%s: %w", name, err)
		}
		done <- err
	}()
	s.atStop(func(context.Context) error { cancel(); return <-done })
}

// folder makes the data folder, or a temporary one that goes with the process.
func (s *Stack) folder(context.Context) error {
	if s.options.Data != "" {
		if err := os.MkdirAll(s.options.Data, 0o750); err != nil {
			return fmt.Errorf("-data: %w", err)
		}
		return nil
	}
	folder, err := os.MkdirTemp("", "silque-dev-")
	if err != nil {
		return fmt.Errorf("temporary folder: %w", err)
	}
	s.options.Data = folder
	s.atStop(func(context.Context) error { return os.RemoveAll(folder) })
	return nil
}

func (s *Stack) startTemporal(ctx context.Context) error {
	server, err := temporalserver.Start(ctx, temporalserver.Options{
		Addr: s.options.TemporalAddr, Dir: filepath.Join(s.options.Data, "temporal"),
		Logger: slog.New(slog.NewTextHandler(s.options.LogTo, nil)).With("part", "temporal"),
	})
	if err != nil {
		return fmt.Errorf("-temporal-addr: %w", err)
	}
	s.options.TemporalAddr = server.Addr()
	s.atStop(func(context.Context) error { server.Stop(); return nil })
	return nil
}

func (s *Stack) startUI(ctx context.Context) error {
	ui, err := temporalui.Start(ctx, temporalui.Options{Addr: s.options.UIAddr, TemporalAddr: s.options.TemporalAddr})
	if err != nil {
		return fmt.Errorf("-ui-addr: %w", err)
	}
	s.ui = ui
	s.atStop(ui.Stop)
	return nil
}

// startSandbox gives the sandbox a life of its own: one that ended with ctx would cut off the sends that a stop waits for.
func (s *Stack) startSandbox(ctx context.Context) error {
	ctx, s.letGo = context.WithCancel(context.WithoutCancel(ctx))
	box, err := sandbox.Start(ctx, sandbox.Options{
		Dir:            filepath.Join(s.options.Data, "sandbox"),
		Logger:         slog.New(slog.NewTextHandler(s.options.LogTo, nil)).With("part", "sandbox"),
		StarterCommand: s.starterCommand,
		Answers:        func() string { return s.URL() + hooks.TwilioMessagesPath },
		Reports: sandbox.MailReports{
			URL:    func() string { return s.URL() + hooks.BouncesPath },
			Secret: func() string { return s.settings.Notify.HookSecret },
		},
		TemporalUI: s.UIURL(),
	})
	if err != nil {
		s.letGo()
		return fmt.Errorf("sandbox: %w", err)
	}
	s.sandbox = box
	s.atStop(func(context.Context) error { s.letGo(); return nil })
	s.atStop(box.Close)
	return nil
}

// minToken is the fewest characters of a token: NOTIFY_API_TOKEN's bound.
const minToken = 16

// readSettings takes the environment's settings over the stack's own: the sandbox takes the messages unless the
// environment names a real server.
func (s *Stack) readSettings(context.Context) error {
	settings, err := config.Load(append(s.defaults(), s.options.Environ...))
	if token := s.options.Token; token != "" && len(token) < minToken {
		err = errors.Join(err, fmt.Errorf("-token must have %d characters or more", minToken))
	}
	if err != nil {
		return err
	}
	s.settings = settings
	s.settings.Notify.APIToken = firstOf(s.options.Token, settings.Notify.APIToken, rand.Text())
	s.log = wiring.Logger(settings.Notify, s.options.LogTo)
	return nil
}

func (s *Stack) openDatabase(ctx context.Context) error {
	if s.options.DatabaseURL != "" {
		s.settings.DatabaseURL = s.options.DatabaseURL
	} else {
		s.settings.DatabaseURL = "sqlite://" + filepath.ToSlash(filepath.Join(s.options.Data, "notifications.db"))
	}
	db, err := wiring.Database(ctx, s.settings, s.log)
	if err != nil {
		return err
	}
	s.db = db
	s.atStop(func(context.Context) error { return store.Close(db) })
	if s.options.OnDatabase != nil {
		s.options.OnDatabase(db)
	}
	return nil
}

func (s *Stack) connect(context.Context) error {
	temporal, err := wiring.Dial([]string{"TEMPORAL_ADDRESS=" + s.options.TemporalAddr}, s.log)
	if err != nil {
		return err
	}
	s.temporal = temporal
	s.atStop(func(context.Context) error { temporal.Close(); return nil })
	return nil
}

func firstOf(values ...string) string {
	for _, value := range values {
		if value != "" {
			return value
		}
	}
	return ""
}
