package notify_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/notify"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

type customer struct {
	ID       int64
	Name     string
	Email    *string `gorm:"uniqueIndex"`
	Password string  `notify:"-"`
	Orders   []order
}

type address struct {
	Street string
	City   string `notify:"label:Town"`
}

type order struct {
	ID         int64
	Number     string `gorm:"unique"`
	Status     string `gorm:"default:open"`
	Amount     string `gorm:"type:decimal(10,2);default:0"`
	Weight     float64
	Paid       bool
	DueDate    *time.Time `gorm:"type:date"`
	CustomerID *int64
	Customer   *customer
	Address    address `gorm:"embedded;embeddedPrefix:ship_"`
	CreatedAt  time.Time
	UpdatedAt  time.Time
	DeletedAt  gorm.DeletedAt
}

// plainRow is a model whose rows the database keeps exactly as the struct has them.
type plainRow struct {
	ID        uint
	Text      string
	Count     int32
	Ratio     float64
	Yes       bool
	Maybe     *string
	Perhaps   sql.NullInt64
	CreatedAt time.Time
}

type line struct {
	OrderNumber string `gorm:"primaryKey"`
	Position    int    `gorm:"primaryKey;autoIncrement:false"`
	Item        string
}

type tagRow struct {
	Slug  string `gorm:"primaryKey"`
	Title string
}

// hooked changes its own fields in hooks.
type hooked struct {
	ID   int64
	Name string
	Note string
}

func (h *hooked) BeforeSave(*gorm.DB) error  { h.Name = strings.ToUpper(h.Name); return nil }
func (h *hooked) AfterCreate(*gorm.DB) error { h.Note = "only in memory"; return nil }
func (h *hooked) AfterFind(*gorm.DB) error   { h.Note = "changed by AfterFind"; return nil }
func (h *hooked) BeforeUpdate(tx *gorm.DB) error {
	tx.Statement.SetColumn("Note", "set by BeforeUpdate")
	return nil
}

var allModels = []any{&customer{}, &order{}, &line{}, &tagRow{}, &hooked{}, &plainRow{}}

// shop is a database with the models, all watched.
type shop struct {
	t      testing.TB
	db     *gorm.DB
	plugin *notify.Plugin
	count  *statements
	nudges chan struct{}
}

func open(t testing.TB, db *gorm.DB, options notify.Options) *shop {
	t.Helper()
	s := &shop{t: t, count: &statements{Interface: logger.Discard}, nudges: make(chan struct{}, 1000)}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if options.AfterCommit == nil {
		options.AfterCommit = func() { s.nudges <- struct{}{} }
	}
	db = db.Session(&gorm.Session{Logger: s.count})
	must(t, db.AutoMigrate(allModels...))
	s.db, s.plugin = db, notify.New(options)
	must(t, db.Use(s.plugin))
	t.Cleanup(func() { _ = s.plugin.Close() })
	must(t, s.plugin.Register(allModels...))
	for _, table := range []string{"customers", "orders", "lines", "tag_rows", "hookeds", "plain_rows"} {
		for _, trigger := range []rule.Trigger{rule.OnNew, rule.OnUpdate, rule.OnDelete} {
			s.activate(table, trigger)
		}
	}
	return s
}

// watched runs a test on both databases with everything watched.
func watched(t *testing.T, test func(t *testing.T, s *shop)) {
	t.Helper()
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) { test(t, open(t, db, notify.Options{})) })
}

func (s *shop) activate(table string, trigger rule.Trigger) {
	s.t.Helper()
	insertRule(s.t, s.db, table, trigger)
	must(s.t, s.plugin.Refresh(context.Background()))
}

// each runs the cases of a table one after the other in one database, each on empty tables.
func each[C any](t *testing.T, cases []C, name func(C) string, test func(t *testing.T, s *shop, c C)) {
	t.Helper()
	watched(t, func(t *testing.T, s *shop) {
		for _, c := range cases {
			t.Run(name(c), func(t *testing.T) {
				inner := *s
				inner.t = t
				inner.empty()
				test(t, &inner, c)
			})
		}
	})
}

// empty empties the tables and lets the keys count from 1 again.
func (s *shop) empty() {
	s.t.Helper()
	if s.db.Name() == "postgres" {
		must(s.t, s.db.Exec("TRUNCATE orders, customers, lines, tag_rows, hookeds, plain_rows, notify_events RESTART IDENTITY").Error)
		return
	}
	for _, table := range []string{"orders", "customers", "lines", "tag_rows", "hookeds", "plain_rows", "notify_events", "sqlite_sequence"} {
		must(s.t, s.db.Exec("DELETE FROM "+table).Error)
	}
}

func (s *shop) deactivateAll() {
	s.t.Helper()
	must(s.t, s.db.Exec("UPDATE notify_notifications SET active = false").Error)
	must(s.t, s.db.Exec("UPDATE notify_revision SET revision = revision + 1").Error)
	must(s.t, s.plugin.Refresh(context.Background()))
}

func insertRule(t testing.TB, db *gorm.DB, table string, trigger rule.Trigger) {
	t.Helper()
	now := time.Now().UTC()
	must(t, db.Exec(`INSERT INTO notify_notifications (id, title, message, active, channel, model, trigger_name,
		recipients, definition, version, created_at, updated_at)
		VALUES (?, 't', 'm', true, 'email', ?, ?, '[]', '{}', 1, ?, ?)`, outbox.NewID(), table, trigger, now, now).Error)
	must(t, db.Exec("UPDATE notify_revision SET revision = revision + 1").Error)
}

type document map[string]any

type seen struct {
	outbox.Event
	doc, old document
}

// take gives the events since the last call, in their order.
func (s *shop) take() []seen {
	s.t.Helper()
	var events []outbox.Event
	must(s.t, s.db.Raw("SELECT * FROM notify_events ORDER BY id").Scan(&events).Error)
	must(s.t, s.db.Exec("DELETE FROM notify_events").Error)
	result := make([]seen, len(events))
	for i, e := range events {
		result[i] = seen{Event: e, doc: decode(s.t, e.Doc), old: decode(s.t, e.OldDoc)}
	}
	return result
}

// expect takes the events and compares them with "action table key" each.
func (s *shop) expect(want ...string) []seen {
	s.t.Helper()
	events := s.take()
	got := make([]string, len(events))
	for i, e := range events {
		got[i] = fmt.Sprintf("%s %s %s", e.Action, e.Model, e.Key)
		switch {
		case e.Action == rule.Create && (e.doc == nil || e.old != nil),
			e.Action == rule.Update && (e.doc == nil || e.old == nil),
			e.Action == rule.Delete && (e.doc != nil || e.old == nil):
			s.t.Fatalf("event %q has doc %v and old doc %v", got[i], e.doc, e.old)
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		s.t.Fatalf("events:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	return events
}

func decode(t testing.TB, snapshot outbox.Snapshot) document {
	t.Helper()
	if snapshot == nil {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(snapshot))
	decoder.UseNumber()
	var d document
	if err := decoder.Decode(&d); err != nil {
		t.Fatalf("snapshot %s: %v", snapshot, err)
	}
	return d
}

func (d document) expect(t testing.TB, column, want string) {
	t.Helper()
	value, there := d[column]
	got := fmt.Sprint(value)
	if !there || got != want {
		t.Fatalf("%s is %q (there: %v), want %q, in %v", column, got, there, want, d)
	}
}

// statements counts what gorm runs.
type statements struct {
	logger.Interface
	mutex sync.Mutex
	sql   []string
}

func (c *statements) LogMode(logger.LogLevel) logger.Interface { return c }

func (c *statements) Trace(_ context.Context, _ time.Time, fc func() (string, int64), _ error) {
	text, _ := fc()
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.sql = append(c.sql, text)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func text(s string) *string { return &s }

// eventually polls until the condition holds.
func eventually(t testing.TB, limit time.Duration, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s", what, limit)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
