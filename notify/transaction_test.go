package notify_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/notify"
)

var errChangedMind = errors.New("changed my mind")

func TestWhatIsRolledBackWasNeverSaid(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		err := s.db.Transaction(func(tx *gorm.DB) error {
			must(t, tx.Create(&tagRow{Slug: "a"}).Error)
			must(t, tx.Create(&plainRow{}).Error)
			return errChangedMind
		})
		if !errors.Is(err, errChangedMind) {
			t.Fatal(err)
		}
		s.expect()
		if len(s.nudges) != 0 {
			t.Fatal("a rollback called AfterCommit")
		}
	})
}

func TestASavepointThatIsRolledBackTakesItsEventsAlong(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		must(t, s.db.Transaction(func(tx *gorm.DB) error {
			must(t, tx.Create(&tagRow{Slug: "outer"}).Error)
			_ = tx.Transaction(func(inner *gorm.DB) error {
				must(t, inner.Create(&tagRow{Slug: "inner"}).Error)
				return errChangedMind
			})
			must(t, tx.Transaction(func(inner *gorm.DB) error { return inner.Create(&tagRow{Slug: "kept"}).Error }))
			must(t, tx.SavePoint("sp").Error)
			must(t, tx.Create(&tagRow{Slug: "undone"}).Error)
			return tx.RollbackTo("sp").Error
		}))
		s.expect("create tag_rows outer", "create tag_rows kept")
	})
}

func TestRowAndEventBecomeVisibleTogether(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		look := func(db *gorm.DB) (rows, events int64) {
			must(t, db.Model(&tagRow{}).Count(&rows).Error)
			must(t, db.Table("notify_events").Count(&events).Error)
			return rows, events
		}
		tx := s.db.Begin()
		must(t, tx.Create(&tagRow{Slug: "a"}).Error)
		if rows, events := look(s.db); rows != 0 || events != 0 {
			t.Fatalf("before the commit %d rows and %d events are seen", rows, events)
		}
		if rows, events := look(tx); rows != 1 || events != 1 {
			t.Fatalf("the transaction itself sees %d rows and %d events", rows, events)
		}
		must(t, tx.Commit().Error)
		if rows, events := look(s.db); rows != 1 || events != 1 {
			t.Fatalf("after the commit %d rows and %d events are seen", rows, events)
		}
	})
}

func TestAHookThatFailsAfterwardsUndoesRowAndEvent(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		must(t, s.db.Callback().Create().Before("gorm:after_create").Register("test:fail", func(db *gorm.DB) {
			if db.Statement.Table == "tag_rows" {
				_ = db.AddError(errChangedMind)
			}
		}))
		if err := s.db.Create(&tagRow{Slug: "a"}).Error; !errors.Is(err, errChangedMind) {
			t.Fatal(err)
		}
		s.expect()
	})
}

func TestWithoutDefaultTransactionRowAndEventStillCommitTogether(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		db := s.db.Session(&gorm.Session{SkipDefaultTransaction: true})
		must(t, db.Create(&tagRow{Slug: "a"}).Error)
		must(t, db.Model(&tagRow{}).Where("slug = ?", "a").Update("title", "x").Error)
		must(t, db.Delete(&tagRow{Slug: "a"}).Error)
		s.expect("create tag_rows a", "update tag_rows a", "delete tag_rows a")
		if len(s.nudges) != 3 {
			t.Fatalf("AfterCommit was called %d times, want 3", len(s.nudges))
		}
		must(t, db.Exec("DROP INDEX notify_events_idempotency").Error)
		must(t, db.Exec("ALTER TABLE notify_events DROP COLUMN idempotency_key").Error)
		err := db.Create(&tagRow{Slug: "b"}).Error
		var coded *notify.Error
		if !errors.As(err, &coded) || coded.Code != notify.CodeEventNotWritten {
			t.Fatalf("an event that cannot be written gives %v", err)
		}
		var left int64
		must(t, db.Model(&tagRow{}).Count(&left).Error)
		if left != 0 {
			t.Fatal("the row is there without its event")
		}
	})
}

func TestADryRunWritesNothing(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		dry := s.db.Session(&gorm.Session{DryRun: true})
		must(t, dry.Create(&tagRow{Slug: "a"}).Error)
		must(t, dry.Model(&tagRow{}).Where("slug = ?", "a").Update("title", "x").Error)
		must(t, dry.Delete(&tagRow{Slug: "a"}).Error)
		_ = s.db.ToSQL(func(tx *gorm.DB) *gorm.DB { return tx.Create(&tagRow{Slug: "b"}) })
		s.expect()
	})
}

func TestSkipMakesNoEvents(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		db := s.db.WithContext(notify.Skip(t.Context()))
		must(t, db.Create(&tagRow{Slug: "a"}).Error)
		must(t, db.Save(&tagRow{Slug: "a", Title: "x"}).Error)
		must(t, db.Delete(&tagRow{Slug: "a"}).Error)
		s.expect()
	})
}

func TestAfterCommitIsCalledOnceForATransactionThatWroteEvents(t *testing.T) {
	for _, c := range []struct {
		name   string
		config func(db *gorm.DB) *gorm.DB
	}{
		{"plainly", func(db *gorm.DB) *gorm.DB { return db }},
		{"with prepared statements", func(db *gorm.DB) *gorm.DB { return db.Session(&gorm.Session{PrepareStmt: true}) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			watched(t, func(t *testing.T, s *shop) {
				db := c.config(s.db)
				must(t, db.Transaction(func(tx *gorm.DB) error {
					must(t, tx.Create(&tagRow{Slug: "a"}).Error)
					must(t, tx.Create(&tagRow{Slug: "b"}).Error)
					if len(s.nudges) != 0 {
						t.Fatal("called before the commit")
					}
					return nil
				}))
				if len(s.nudges) != 1 {
					t.Fatalf("called %d times, want 1", len(s.nudges))
				}
				must(t, db.Exec("DELETE FROM tag_rows").Error)
				must(t, db.Transaction(func(tx *gorm.DB) error { return tx.Exec("DELETE FROM lines").Error }))
				must(t, db.Create(&tagRow{Slug: "c"}).Error)
				if len(s.nudges) != 2 {
					t.Fatalf("called %d times, want 2", len(s.nudges))
				}
			})
		})
	}
}

func TestAGormThatPreparesEverythingStillTellsOfCommits(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		config := *db.Config
		config.PrepareStmt, config.Plugins = true, nil
		prepared, err := gorm.Open(db.Dialector, &config)
		must(t, err)
		defer func() { _ = store.Close(prepared) }()
		s := open(t, prepared, notify.Options{})
		must(t, s.db.Transaction(func(tx *gorm.DB) error {
			must(t, tx.Create(&tagRow{Slug: "a"}).Error)
			return tx.Model(&tagRow{}).Where("slug = ?", "a").Update("title", "x").Error
		}))
		must(t, s.db.Create(&tagRow{Slug: "b"}).Error)
		s.expect("create tag_rows a", "update tag_rows a", "create tag_rows b")
		if len(s.nudges) != 2 {
			t.Fatalf("AfterCommit was called %d times, want 2", len(s.nudges))
		}
	})
}

func TestAConnectionPoolThatIsLeftAloneStillTellsOfSingleStatements(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := open(t, db, notify.Options{LeaveConnPool: true})
		must(t, s.db.Create(&tagRow{Slug: "a"}).Error)
		must(t, s.db.Session(&gorm.Session{SkipDefaultTransaction: true}).Create(&tagRow{Slug: "b"}).Error)
		if len(s.nudges) != 2 {
			t.Fatalf("called %d times, want 2", len(s.nudges))
		}
		must(t, s.db.Transaction(func(tx *gorm.DB) error {
			if _, ok := tx.Statement.ConnPool.(*sql.Tx); !ok {
				t.Fatalf("the transaction is a %T", tx.Statement.ConnPool)
			}
			return tx.Create(&tagRow{Slug: "c"}).Error
		}))
		if len(s.nudges) != 2 {
			t.Fatal("called inside the application's own transaction")
		}
	})
}

func TestPostgresRelaysInOtherProcessesAreToldAfterTheCommit(t *testing.T) {
	t.Parallel()
	s := open(t, testdb.Postgres(t), notify.Options{})
	pool, err := s.db.DB()
	must(t, err)
	connection, err := pool.Conn(t.Context())
	must(t, err)
	defer func() { _ = connection.Close() }()
	must(t, connection.Raw(func(driver any) error {
		conn := driver.(*stdlib.Conn).Conn()
		if _, err := conn.Exec(t.Context(), "LISTEN notify_outbox"); err != nil {
			return err
		}
		must(t, s.db.Create(&tagRow{Slug: "a"}).Error)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := conn.WaitForNotification(ctx)
		return err
	}))
}
