package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/watch"
)

// Options steers the plugin; the zero value is right for most applications.
type Options struct {
	// AfterCommit is called after each commit that wrote events, by the goroutine that committed, and must return at
	// once. It is for a relay in the same process, which would find the events a moment later without it.
	AfterCommit func()
	// Source is the door that events name; outbox.FromPlugin when empty.
	Source outbox.Source
	// Logger takes the few things worth knowing; slog.Default() when nil.
	Logger *slog.Logger
	// SkipMigrations leaves the notification tables as they are: another process keeps them up to date.
	SkipMigrations bool
	// SkipNotify sends no Postgres NOTIFY after commits: relays in other processes find the events by their sweep.
	SkipNotify bool
	// LeaveConnPool leaves gorm's connection pool unwrapped, for code that asserts tx.Statement.ConnPool.(*sql.Tx). The
	// commit of a transaction that the application itself began is then not heard of: the relay's sweep finds its events.
	LeaveConnPool bool
}

// Plugin captures changes of registered models. Make one for each database with New, install it with db.Use, and stop it
// with Close. It is safe for concurrent use.
type Plugin struct {
	options Options
	log     *slog.Logger

	mutex   sync.Mutex // guards db and cancel
	db      *gorm.DB
	watch   *watch.Watch
	cancel  context.CancelFunc
	running sync.WaitGroup

	models     sync.Map      // table name → *model
	wake       chan struct{} // to the goroutine that sends NOTIFY; nil when there is none
	prepared   *prepared     // nil on Postgres
	deaf       atomic.Bool   // events were written in a transaction whose commit is not heard of
	complaints sync.Map      // what was reported already and is not again
}

// New gives a plugin; nothing happens before db.Use.
func New(options Options) *Plugin {
	p := &Plugin{options: options, log: options.Logger}
	if p.log == nil {
		p.log = slog.Default()
	}
	if p.options.Source == "" {
		p.options.Source = outbox.FromPlugin
	}
	return p
}

// Name is gorm's name for the plugin.
func (p *Plugin) Name() string { return "silque-notifications" }

// Initialize is called by db.Use: it brings the notification tables up to date (unless Options.SkipMigrations), installs
// the callbacks and starts to watch the rules.
func (p *Plugin) Initialize(db *gorm.DB) error {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.db != nil {
		return errors.New("notify: the plugin is in use already: make one with notify.New for each database")
	}
	if name := db.Name(); name != "sqlite" && name != "postgres" {
		return fmt.Errorf("notify: the database %q is not supported: use SQLite or Postgres", name)
	}
	ctx := db.Statement.Context
	if !p.options.SkipMigrations {
		if err := store.Migrate(ctx, db); err != nil {
			return fmt.Errorf("notify: bring the notification tables up to date: %w", err)
		}
	}
	rules := watch.New(db)
	if err := rules.Refresh(ctx); err != nil {
		return fmt.Errorf("notify: the rules cannot be read (are the tables there? leave out Options.SkipMigrations): %w", err)
	}
	p.watch = rules
	if db.Name() == "postgres" && !p.options.SkipNotify {
		p.wake = make(chan struct{}, 1)
	}
	if db.Name() == "sqlite" {
		p.prepared = newPrepared()
	}
	if err := p.install(db); err != nil {
		return fmt.Errorf("notify: install the gorm callbacks: %w", err)
	}
	if !p.options.LeaveConnPool {
		p.wrapPool(db)
	}
	p.db = db
	return p.start(context.WithoutCancel(ctx))
}

// start runs what works in the background until Close.
func (p *Plugin) start(ctx context.Context) error {
	pool, err := p.db.DB()
	if err != nil {
		return fmt.Errorf("notify: connection pool: %w", err)
	}
	ctx, p.cancel = context.WithCancel(ctx)
	p.running.Go(func() { p.watch.Run(ctx) })
	if p.prepared != nil {
		p.running.Go(func() { p.prepared.run(ctx, pool) })
	}
	if p.wake != nil {
		p.running.Go(func() { p.notifyRelays(ctx, pool) })
	}
	return nil
}

// Close stops what the plugin runs in the background; closing twice is fine. The callbacks stay: later changes are still
// captured, each at the price of one query.
func (p *Plugin) Close() error {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.cancel != nil {
		p.cancel()
		p.running.Wait()
	}
	return nil
}

// Refresh makes changes of the rules count in this process at once; without it they count within a second.
func (p *Plugin) Refresh(ctx context.Context) error {
	p.mutex.Lock()
	rules := p.watch
	p.mutex.Unlock()
	if rules == nil {
		return errNotInUse
	}
	if err := rules.Refresh(ctx); err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	return nil
}

var errNotInUse = errors.New("notify: the plugin is not in use yet: call db.Use(plugin) first")

// install wraps gorm's own create, update and delete: callbacks before and after them could be parted from them by
// other plugins, and the event must stand between the statement and the commit.
func (p *Plugin) install(db *gorm.DB) error {
	callbacks := db.Callback()
	create, update, remove := callbacks.Create(), callbacks.Update(), callbacks.Delete()
	return errors.Join(
		create.Replace("gorm:create", p.around(rule.Create, create.Get("gorm:create"))),
		update.Replace("gorm:update", p.around(rule.Update, update.Get("gorm:update"))),
		remove.Replace("gorm:delete", p.around(rule.Delete, remove.Get("gorm:delete"))),
		create.After("gorm:commit_or_rollback_transaction").Register("notify:after_commit", p.afterCommit),
		update.After("gorm:commit_or_rollback_transaction").Register("notify:after_commit", p.afterCommit),
		remove.After("gorm:commit_or_rollback_transaction").Register("notify:after_commit", p.afterCommit),
	)
}

type skipKey struct{}

// Skip gives a context whose saves and deletes make no events: for bulk loads and fixtures.
//
//	db.WithContext(notify.Skip(ctx)).Create(&rows)
func Skip(ctx context.Context) context.Context { return context.WithValue(ctx, skipKey{}, true) }

type tenantKey struct{}

// Tenant gives a context whose events take turns with those of other tenants, so that none waits behind another's bulk
// work. The name is kept with the events in the application's database, and nowhere else. Without it, the changes of each
// model take turns with those of others.
//
//	db.WithContext(notify.Tenant(ctx, "acme")).Save(&order)
func Tenant(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, tenantKey{}, name)
}

// laneOf names the lane of the context's tenant; empty without one.
func laneOf(ctx context.Context) string {
	name, _ := ctx.Value(tenantKey{}).(string)
	return outbox.TenantLane(name)
}

func skipped(ctx context.Context) bool { return ctx.Value(skipKey{}) != nil }
