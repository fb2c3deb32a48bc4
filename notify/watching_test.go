package notify_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/notify"
)

func TestARuleThatAnotherProcessSavesCountsByItself(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		url  func(testing.TB) string
	}{{"on SQLite", testdb.SQLiteURL}, {"on Postgres", testdb.PostgresURL}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url := c.url(t)
			s, other := open(t, testdb.Open(t, url), notify.Options{}), testdb.Open(t, url)
			s.deactivateAll()
			must(t, s.db.Create(&tagRow{Slug: "before"}).Error)
			s.expect()
			insertRule(t, other, "tag_rows", rule.OnNew)
			saved, i := time.Now(), 0
			eventually(t, time.Minute, "an event", func() bool {
				i++
				must(t, s.db.Create(&tagRow{Slug: fmt.Sprint(i)}).Error)
				return len(s.take()) == 1
			})
			t.Logf("the rule counted after %s", time.Since(saved))
		})
	}
}

func TestASaveThatNobodyWatchesAddsNoQuery(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		s.deactivateAll()
		s.activate("customers", rule.OnNew)
		s.activate("tag_rows", rule.OnDelete)
		must(t, s.plugin.Close()) // so that only the saves are counted
		must(t, s.plugin.Refresh(t.Context()))
		if sent := driverStatements(t, s, func(db *gorm.DB) {
			must(t, db.Create(&plainRow{}).Error)
			must(t, db.Model(&plainRow{}).Where("id = ?", 1).Update("text", "x").Error)
			must(t, db.Delete(&plainRow{ID: 1}).Error)
			must(t, db.Create(&tagRow{Slug: "a"}).Error)
			must(t, db.Save(&tagRow{Slug: "a"}).Error)
		}); len(sent) != 5 {
			t.Fatalf("%d statements instead of 5: %q", len(sent), sent)
		}
	})
}

func TestAWatchedSaveAddsAsFewQueriesAsItCan(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(db *gorm.DB) error
		// want counts statements, the save's own included; SQLite's lock and look before, and Postgres's savepoint and its
		// release in a transaction that is not the plugin's, are more.
		want      int
		sqlite    int
		savepoint int
	}{
		{"a create adds the event", func(db *gorm.DB) error { return db.Create(&plainRow{}).Error }, 2, 0, 0},
		{"many creates add one INSERT of events", func(db *gorm.DB) error { return db.Create(&[]plainRow{{}, {}, {}}).Error }, 2, 0, 0},
		{"an update adds the event, and on SQLite a look before", func(db *gorm.DB) error {
			return db.Model(&plainRow{}).Where("id > 0").Update("text", "x").Error
		}, 2, 2, 2},
		{"a delete adds the event", func(db *gorm.DB) error { return db.Where("id > 0").Delete(&plainRow{}).Error }, 2, 0, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			watched(t, func(t *testing.T, s *shop) {
				must(t, s.db.Create(&[]plainRow{{}, {}}).Error)
				must(t, s.plugin.Close())
				must(t, s.plugin.Refresh(t.Context()))
				want := c.want + c.savepoint
				if s.db.Name() == "sqlite" {
					want = c.want + c.sqlite
				}
				if sent := driverStatements(t, s, func(db *gorm.DB) { must(t, c.do(db)) }); len(sent) != want {
					t.Fatalf("%d statements instead of %d: %q", len(sent), want, sent)
				}
			})
		})
	}
}

// driverStatements lists what reaches the connection, whoever sends it.
func driverStatements(t testing.TB, s *shop, do func(db *gorm.DB)) []string {
	t.Helper()
	tx := s.db.Begin()
	must(t, tx.Error)
	spy := &spy{ConnPool: tx.Statement.ConnPool}
	tx.Statement.ConnPool = spy
	do(tx)
	must(t, spy.ConnPool.(gorm.TxCommitter).Rollback())
	return spy.sent
}

type spy struct {
	gorm.ConnPool
	sent []string
}

func (s *spy) Commit() error   { return nil }
func (s *spy) Rollback() error { return nil }

func (s *spy) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	s.sent = append(s.sent, query)
	return s.ConnPool.ExecContext(ctx, query, args...)
}

func (s *spy) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s.sent = append(s.sent, query)
	return s.ConnPool.QueryContext(ctx, query, args...)
}

func (s *spy) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	s.sent = append(s.sent, query)
	return s.ConnPool.QueryRowContext(ctx, query, args...)
}
