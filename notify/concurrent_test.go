package notify_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/internal/watch"
	"github.com/silquetech/silque-notifications/notify"
)

func TestConcurrentSavesEachHaveTheirEvents(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		const workers, rounds = 8, 10
		var group sync.WaitGroup
		for w := range workers {
			group.Go(func() {
				for i := range rounds {
					row := tagRow{Slug: fmt.Sprintf("%d-%d", w, i)}
					if err := errors.Join(s.db.Create(&row).Error, s.db.Model(&row).Update("title", "x").Error,
						s.db.Delete(&row).Error, s.plugin.Refresh(t.Context())); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		if events := s.take(); len(events) != 3*workers*rounds {
			t.Fatalf("%d events, want %d", len(events), 3*workers*rounds)
		}
	})
}

func TestConcurrentUpsertsOfOneKeyAreOneCreate(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() {
				if err := s.db.Save(&[]tagRow{{Slug: "same", Title: fmt.Sprint(i)}}).Error; err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		creates := 0
		for _, e := range s.take() {
			if e.Action == rule.Create {
				creates++
			}
		}
		if creates != 1 {
			t.Fatalf("%d events say that they created the row", creates)
		}
	})
}

func TestAnUpsertThatWaitedForAnotherCreateIsAnUpdate(t *testing.T) {
	t.Parallel()
	s := open(t, testdb.Postgres(t), notify.Options{})
	other := s.db.Begin()
	must(t, other.WithContext(notify.Skip(t.Context())).Create(&tagRow{Slug: "same"}).Error)
	saved := make(chan error, 1)
	go func() { saved <- s.db.Save(&[]tagRow{{Slug: "same", Title: "mine"}}).Error }()
	eventually(t, 10*time.Second, "the upsert waits", func() bool {
		var waiting int64
		must(t, s.db.Raw("SELECT count(*) FROM pg_locks WHERE NOT granted").Scan(&waiting).Error)
		return waiting > 0
	})
	must(t, other.Commit().Error)
	must(t, <-saved)
	events := s.take()
	if len(events) != 1 || events[0].Action != rule.Update {
		t.Fatalf("the events are %+v, want one update", events)
	}
	events[0].doc.expect(t, "title", "mine")
}

func TestACommitThatFailsTellsNobody(t *testing.T) {
	t.Parallel()
	s := open(t, testdb.SQLite(t), notify.Options{})
	tx := s.db.Begin()
	must(t, tx.Exec("PRAGMA defer_foreign_keys = ON").Error)
	nobody := int64(404)
	must(t, tx.Create(&order{Number: "1", CustomerID: &nobody}).Error)
	if err := tx.Commit().Error; err == nil {
		t.Fatal("the commit did not fail")
	}
	tx.Rollback()
	if len(s.nudges) != 0 {
		t.Fatal("AfterCommit was called")
	}
}

func TestTheApplicationsNamingStrategyIsItsOwnAffair(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		config := *db.Config
		config.NamingStrategy = schema.NamingStrategy{TablePrefix: "app_", NoLowerCase: true}
		config.Plugins = nil
		other, err := gorm.Open(db.Dialector, &config)
		must(t, err)
		plugin := notify.New(notify.Options{})
		must(t, other.AutoMigrate(&plainRow{}))
		must(t, other.Use(plugin))
		defer func() { _ = plugin.Close() }()
		must(t, plugin.Register(&plainRow{}))
		insertRule(t, db, "app_plainRow", rule.OnNew)
		insertRule(t, db, "app_PlainRow", rule.OnNew)
		insertRule(t, db, "app_plainRows", rule.OnNew)
		must(t, plugin.Refresh(t.Context()))
		must(t, other.Create(&plainRow{Text: "x"}).Error)
		var events int64
		must(t, db.Table("notify_events").Count(&events).Error)
		if events != 1 {
			t.Fatalf("%d events", events)
		}
	})
}

func TestTransactionsOnSQLiteThatLockLateWaitForEachOther(t *testing.T) {
	t.Parallel()
	file := filepath.ToSlash(filepath.Join(t.TempDir(), "late.db"))
	db, err := gorm.Open(sqlite.Dialector{DriverName: "sqlite", DSN: "file:" + file +
		"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(15000)&_time_format=sqlite"}, &gorm.Config{})
	must(t, err)
	defer func() { _ = store.Close(db) }()
	s := open(t, db, notify.Options{})
	must(t, s.db.Create(&tagRow{Slug: "a"}).Error)
	const workers, rounds = 4, 15
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for i := range rounds {
				if err := s.db.Model(&tagRow{}).Where("slug = ?", "a").Update("title", fmt.Sprint(i)).Error; err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if events := s.take(); len(events) != 1+workers*rounds {
		t.Fatalf("%d events, want %d", len(events), 1+workers*rounds)
	}
}

func TestAPoolOfOneConnectionDoesNotDeadlock(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		pool, err := s.db.DB()
		must(t, err)
		pool.SetMaxOpenConns(1)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		db := s.db.WithContext(ctx)
		for i := range 20 {
			row := tagRow{Slug: fmt.Sprint(i)}
			must(t, db.Create(&row).Error)
			must(t, db.Model(&row).Update("title", "x").Error)
		}
		must(t, db.Transaction(func(tx *gorm.DB) error {
			<-time.After(watch.Stale + 100*time.Millisecond) // the poller cannot read meanwhile
			return tx.Create(&tagRow{Slug: "late"}).Error
		}))
		if events := s.take(); len(events) != 41 {
			t.Fatalf("%d events, want 41", len(events))
		}
	})
}
