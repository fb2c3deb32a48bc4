package pace_test

import (
	"context"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/silquetech/silque-notifications/internal/pace"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

// limits are those of one test.
type limits = map[rule.Channel]pace.Limits

// eachURL runs a test on both databases, with the URL of an empty one.
func eachURL(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	for name, url := range map[string]func(testing.TB) string{"SQLite": testdb.SQLiteURL, "Postgres": testdb.PostgresURL} {
		t.Run("on "+name, func(t *testing.T) {
			t.Parallel()
			test(t, url(t))
		})
	}
}

// workers makes as many Gates on one database, each with its own connections, as separate workers have them.
func workers(t testing.TB, url string, n int, l limits) []*pace.Gate {
	t.Helper()
	gates := make([]*pace.Gate, n)
	for i := range gates {
		gates[i] = pace.New(testdb.Open(t, url), l)
	}
	return gates
}

// clock is a test's time, which passes when the test says so.
type clock struct{ at atomic.Int64 }

func newClock(gates ...*pace.Gate) *clock {
	c := new(clock)
	c.at.Store(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixMicro())
	for _, g := range gates {
		g.SetClock(c.now)
	}
	return c
}

func (c *clock) now() time.Time { return time.UnixMicro(c.at.Load()) }

func (c *clock) pass(d time.Duration) { c.at.Add(d.Microseconds()) }

func admit(t testing.TB, g *pace.Gate, channel rule.Channel, want int, patience time.Duration) pace.Admission {
	t.Helper()
	a, err := g.Admit(t.Context(), channel, want, patience)
	if err != nil {
		t.Fatal(err)
	}
	if a.Granted < 0 || a.Granted > want || a.Granted > 0 && a.Wait > patience || a.Granted == 0 && want > 0 && a.Wait <= 0 {
		t.Errorf("of %d within %s, %d were granted with a wait of %s", want, patience, a.Granted, a.Wait)
	}
	return a
}

func release(t testing.TB, a pace.Admission, unused int) {
	t.Helper()
	if err := a.Release(t.Context(), unused); err != nil {
		t.Error(err)
	}
}

func slow(t testing.TB, g *pace.Gate, channel rule.Channel, wait time.Duration) {
	t.Helper()
	if err := g.Slow(t.Context(), channel, wait); err != nil {
		t.Fatal(err)
	}
}

// counted gives a database that counts its statements.
func counted(db *gorm.DB) (counting *gorm.DB, statements *atomic.Int64) {
	c := &counter{Interface: logger.Discard}
	return db.Session(&gorm.Session{Logger: c}), &c.statements
}

type counter struct {
	logger.Interface
	statements atomic.Int64
}

// Trace counts one statement.
func (c *counter) Trace(context.Context, time.Time, func() (string, int64), error) {
	c.statements.Add(1)
}
