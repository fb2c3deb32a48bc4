package notify_test

import (
	"bytes"
	"database/sql"
	"log/slog"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/notify"
)

// tally has fields that are no columns: gorm's way to read SELECT …, COUNT(*) AS total.
type tally struct {
	ID     int64
	Name   string
	Extra  string `gorm:"->"`
	Total  int64  `gorm:"->;-:migration"`
	Secret string `gorm:"->:false;<-:create"`
}

// watchModel registers one more model and waits for everything that happens to it.
func (s *shop) watchModel(model any, table string) {
	s.t.Helper()
	must(s.t, s.plugin.Register(model))
	for _, trigger := range []rule.Trigger{rule.OnNew, rule.OnUpdate, rule.OnDelete} {
		s.activate(table, trigger)
	}
}

func TestAFieldWithoutAColumnIsInNoEventAndHindersNoSave(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		must(t, s.db.Exec("CREATE TABLE tallies (id bigint PRIMARY KEY, name text, total bigint, secret text)").Error)
		s.watchModel(&tally{}, "tallies")
		must(t, s.db.Create(&tally{ID: 1, Name: "a"}).Error)
		must(t, s.db.Model(&tally{ID: 1}).Update("name", "b").Error)
		must(t, s.db.Save(&tally{ID: 1, Name: "c"}).Error)
		must(t, s.db.Delete(&tally{ID: 1}).Error)
		events := s.expect("create tallies 1", "update tallies 1", "update tallies 1", "delete tallies 1")
		events[1].doc.expect(t, "name", "b")
		if len(events[1].doc) != 2 {
			t.Fatalf("the event holds %v, want id and name", events[1].doc)
		}
		set, err := catalog.Load(t.Context(), s.db)
		must(t, err)
		if m, _ := set.Model("tallies"); len(m.Fields) != 2 {
			t.Fatalf("the catalog lists %v, want id and name", m.Fields)
		}
	})
}

// label is a model whose newer version has no note any more: its column is never written by these tests.
type label struct {
	ID   int64
	Name string
	Note string `gorm:"<-:create;default:(-)"`
}

var changesOfALabel = []struct {
	name, event string
	change      func(tx *gorm.DB) *gorm.DB
}{
	{"update", "update labels 1", func(tx *gorm.DB) *gorm.DB { return tx.Model(&label{ID: 1}).Update("name", "b") }},
	{"delete", "delete labels 1", func(tx *gorm.DB) *gorm.DB { return tx.Delete(&label{ID: 1}) }},
	{"create from a map", "create labels 2", func(tx *gorm.DB) *gorm.DB {
		return tx.Table("labels").Create(map[string]any{"id": 2, "name": "b"})
	}},
}

// dropNote takes a column away from under a running application.
func dropNote(t *testing.T, s *shop) {
	t.Helper()
	must(t, s.db.AutoMigrate(&label{}))
	s.watchModel(&label{}, "labels")
	must(t, s.db.Exec("INSERT INTO labels (id, name) VALUES (1, 'a')").Error)
	must(t, s.db.Exec("ALTER TABLE labels DROP COLUMN note").Error)
}

func TestAColumnThatIsDroppedUnderARunningApplicationHindersNoSave(t *testing.T) {
	for _, c := range changesOfALabel {
		t.Run(c.name, func(t *testing.T) {
			watched(t, func(t *testing.T, s *shop) {
				dropNote(t, s)
				must(t, s.db.Transaction(func(tx *gorm.DB) error {
					must(t, tx.Create(&tagRow{Slug: "before"}).Error)
					if result := c.change(tx); result.Error != nil || result.RowsAffected != 1 {
						t.Errorf("%d rows, %v", result.RowsAffected, result.Error)
					}
					return tx.Create(&tagRow{Slug: "after"}).Error
				}))
				events := s.expect("create tag_rows before", c.event, "create tag_rows after")
				for _, d := range []document{events[1].doc, events[1].old} {
					if _, there := d["note"]; there {
						t.Fatalf("the dropped column is in %v", d)
					}
				}
			})
		})
	}
}

func TestAColumnThatIsDroppedHindersNoSaveThatBeginsItsTransaction(t *testing.T) {
	for _, c := range changesOfALabel {
		t.Run(c.name, func(t *testing.T) {
			watched(t, func(t *testing.T, s *shop) {
				dropNote(t, s)
				if result := c.change(s.db); result.Error != nil || result.RowsAffected != 1 {
					t.Errorf("%d rows, %v", result.RowsAffected, result.Error)
				}
				s.expect(c.event)
			})
		})
	}
}

func TestAColumnThatIsDroppedHindersNoSaveOfAGormThatPreparesEverything(t *testing.T) {
	for _, c := range changesOfALabel {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			testdb.Each(t, func(t *testing.T, db *gorm.DB) {
				s := open(t, db.Session(&gorm.Session{PrepareStmt: true}), notify.Options{})
				dropNote(t, s)
				if result := c.change(s.db); result.Error != nil || result.RowsAffected != 1 {
					t.Errorf("%d rows, %v", result.RowsAffected, result.Error)
				}
				s.expect(c.event)
			})
		})
	}
}

func TestATransactionKeepsItsIsolationWhenAColumnIsDropped(t *testing.T) {
	for _, level := range []sql.IsolationLevel{sql.LevelDefault, sql.LevelRepeatableRead, sql.LevelSerializable} {
		t.Run(level.String(), func(t *testing.T) {
			t.Parallel()
			s := open(t, testdb.Postgres(t), notify.Options{})
			dropNote(t, s)
			var before, after string
			must(t, s.db.Transaction(func(tx *gorm.DB) error {
				return tx.Raw("SHOW transaction_isolation").Scan(&before).Error
			}, &sql.TxOptions{Isolation: level}))
			must(t, s.db.Transaction(func(tx *gorm.DB) error {
				must(t, tx.Delete(&label{ID: 1}).Error)
				return tx.Raw("SHOW transaction_isolation").Scan(&after).Error
			}, &sql.TxOptions{Isolation: level}))
			if before != after {
				t.Fatalf("%s has become %s", before, after)
			}
			s.expect("delete labels 1")
		})
	}
}

func TestAnUnknownColumnOfTheApplicationsOwnFailsAsWithoutThePlugin(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		must(t, s.db.Create(&tagRow{Slug: "a"}).Error)
		tx := s.db.Begin()
		defer tx.Rollback()
		err := tx.Model(&tagRow{}).Where("missing = 1").Update("title", "x").Error
		if err == nil || !strings.Contains(err.Error(), "missing") {
			t.Fatalf("got %v, want the database's error", err)
		}
		if next := tx.Create(&tagRow{Slug: "b"}).Error; (next != nil) != (s.db.Name() == "postgres") {
			t.Fatalf("the next statement gives %v", next)
		}
	})
}

func TestAColumnThatIsAddedAfterRegistrationIsInTheEventsOfSavesThatWriteIt(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		must(t, s.db.Exec("CREATE TABLE labels (id bigint PRIMARY KEY, name text)").Error)
		s.watchModel(&label{}, "labels")
		must(t, s.db.Exec("ALTER TABLE labels ADD COLUMN note text").Error)
		must(t, s.db.Create(&label{ID: 1, Note: "new"}).Error)
		s.expect("create labels 1")[0].doc.expect(t, "note", "new")
	})
}

func TestATableUnderAnAliasIsCaptured(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		for _, expression := range []string{"tag_rows AS t", "tag_rows as T", "tag_rows\tAS t ", `"tag_rows" AS t`, `tag_rows AS "t"`} {
			must(t, s.db.Create(&tagRow{Slug: "a", Title: "x"}).Error)
			must(t, s.db.Table(expression).Where("t.slug = ?", "a").Update("title", "y").Error)
			must(t, s.db.Model(&tagRow{}).Table(expression).Where("t.slug = ?", "a").Update("title", "z").Error)
			must(t, s.db.Table(expression).Where("t.slug = ?", "a").Delete(nil).Error)
			events := s.expect("create tag_rows a", "update tag_rows a", "update tag_rows a", "delete tag_rows a")
			events[1].old.expect(t, "title", "x")
			events[1].doc.expect(t, "title", "y")
			events[3].old.expect(t, "title", "z")
		}
	})
}

func TestAnAliasThatIsTheNameOfARegisteredTableIsNotThatTable(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		must(t, s.db.Exec("CREATE TABLE others (slug text, title text)").Error)
		must(t, s.db.Exec("INSERT INTO others VALUES ('a', 'x')").Error)
		must(t, s.db.Table("others AS tag_rows").Where("tag_rows.slug = ?", "a").Update("title", "y").Error)
		s.expect()
	})
}

func TestATableExpressionThatCannotBeCapturedIsReportedOnce(t *testing.T) {
	t.Parallel()
	var written bytes.Buffer
	s := open(t, testdb.Postgres(t), notify.Options{Logger: slog.New(slog.NewTextHandler(&written, nil))})
	for range 2 {
		must(t, s.db.Table("ONLY tag_rows AS t").Where("t.slug = ?", "a").Update("title", "y").Error)
	}
	s.expect()
	if got := strings.Count(written.String(), "level=WARN"); got != 1 || !strings.Contains(written.String(), "model=tag_rows") {
		t.Fatalf("logged %d times:\n%s", got, written.String())
	}
}

func TestATransactionOnAnotherPoolIsCapturedToo(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	s := open(t, db, notify.Options{})
	config := *db.Config
	config.Plugins, config.ConnPool = nil, nil
	second, err := gorm.Open(db.Dialector, &config)
	must(t, err)
	defer func() { _ = store.Close(second) }()
	other, err := second.DB()
	must(t, err)
	first, err := s.db.DB()
	must(t, err)
	if other == first {
		t.Fatal("both pools are one")
	}
	const rows = 8
	for range rows { // on its own pool, until the statements are prepared
		must(t, s.db.Save(&tagRow{Slug: "a"}).Error)
		must(t, s.db.Model(&tagRow{Slug: "a"}).Update("title", "x").Error)
	}
	must(t, s.db.Callback().Update().Before("gorm:begin_transaction").Register("test:resolve", func(db *gorm.DB) {
		db.Statement.ConnPool = other
	}))
	s.take()
	for range rows {
		must(t, s.db.Model(&tagRow{Slug: "a"}).Update("title", "y").Error)
	}
	if got := len(s.take()); got != rows {
		t.Fatalf("%d events, want %d", got, rows)
	}
}
