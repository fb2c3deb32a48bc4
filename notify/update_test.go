package notify_test

import (
	"fmt"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/silquetech/silque-notifications/internal/rule"
)

func TestUpdateInItsManyForms(t *testing.T) {
	type testCase struct {
		name string
		do   func(db *gorm.DB, row *plainRow) error
		text string
	}
	each(t, []testCase{
		{"Save", func(db *gorm.DB, row *plainRow) error { row.Text = "new"; return db.Save(row).Error }, "new"},
		{"Update of one column", func(db *gorm.DB, row *plainRow) error { return db.Model(row).Update("text", "new").Error }, "new"},
		{"Updates with a struct", func(db *gorm.DB, row *plainRow) error {
			return db.Model(row).Updates(plainRow{Text: "new"}).Error
		}, "new"},
		{"Updates with the model itself", func(db *gorm.DB, row *plainRow) error {
			return db.Updates(&plainRow{ID: row.ID, Text: "new"}).Error
		}, "new"},
		{"Updates with a map and an expression", func(db *gorm.DB, row *plainRow) error {
			return db.Model(row).Updates(map[string]any{"Text": gorm.Expr("upper(?)", "new")}).Error
		}, "NEW"},
		{"UpdateColumn", func(db *gorm.DB, row *plainRow) error { return db.Model(row).UpdateColumn("text", "new").Error }, "new"},
		{"UpdateColumns", func(db *gorm.DB, row *plainRow) error {
			return db.Model(row).UpdateColumns(plainRow{Text: "new"}).Error
		}, "new"},
		{"a Where that the update makes untrue", func(db *gorm.DB, _ *plainRow) error {
			return db.Model(&plainRow{}).Where("text = ?", "old").Or("text = ?", "older").Update("text", "new").Error
		}, "new"},
		{"a Where with a subquery", func(db *gorm.DB, _ *plainRow) error {
			return db.Model(&plainRow{}).Where("id IN (?)", db.Model(&plainRow{}).Select("max(id)")).Update("text", "new").Error
		}, "new"},
		{"a Scope", func(db *gorm.DB, _ *plainRow) error {
			return db.Model(&plainRow{}).Scopes(func(tx *gorm.DB) *gorm.DB { return tx.Where("text = ?", "old") }).
				Update("text", "new").Error
		}, "new"},
		{"a table without a model", func(db *gorm.DB, _ *plainRow) error {
			return db.Table("plain_rows").Where("text = ?", "old").Updates(map[string]any{"text": "new"}).Error
		}, "new"},
		{"Select that leaves columns out", func(db *gorm.DB, row *plainRow) error {
			return db.Model(row).Select("text").Updates(plainRow{Text: "new", Count: 9}).Error
		}, "new"},
		{"nothing really changed", func(db *gorm.DB, row *plainRow) error { return db.Model(row).Update("text", "old").Error }, "old"},
		{"prepared statements", func(db *gorm.DB, row *plainRow) error {
			return db.Session(&gorm.Session{PrepareStmt: true}).Model(row).Update("text", "new").Error
		}, "new"},
	}, func(c testCase) string { return c.name }, func(t *testing.T, s *shop, c testCase) {
		row := plainRow{Text: "old", Count: 4}
		must(t, s.db.Create(&row).Error)
		s.take()
		must(t, c.do(s.db, &row))
		e := s.expect("update plain_rows 1")[0]
		e.old.expect(t, "text", "old")
		e.doc.expect(t, "text", c.text)
		e.doc.expect(t, "count", "4")
	})
}

func TestABatchUpdateIsOneEventARow(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		must(t, s.db.Create(&[]line{{"A", 1, "x"}, {"A", 2, "y"}, {"B", 1, "z"}}).Error)
		s.take()
		must(t, s.db.Model(&line{}).Where("order_number = ?", "A").Update("item", "new").Error)
		events := s.expect("update lines A,1", "update lines A,2")
		events[1].old.expect(t, "item", "y")
		events[1].doc.expect(t, "item", "new")
		must(t, s.db.Model(&line{}).Where("order_number = ?", "nobody").Update("item", "new").Error)
		s.expect()
	})
}

func TestAChangedPrimaryKeyPairsTheOldRowWithTheNewOne(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		must(t, s.db.Create(&tagRow{Slug: "before", Title: "T"}).Error)
		s.take()
		must(t, s.db.Model(&tagRow{}).Where("slug = ?", "before").Update("slug", "after").Error)
		e := s.expect("update tag_rows after")[0]
		e.old.expect(t, "slug", "before")
		e.doc.expect(t, "slug", "after")
	})
}

func TestASmallerStructOfTheSameTableIsCaptured(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		must(t, s.db.Table("tag_rows").Create(&struct{ Slug string }{"s"}).Error)
		s.expect("create tag_rows s")[0].doc.expect(t, "slug", "s")
	})
}

func TestDeleteInItsManyForms(t *testing.T) {
	type testCase struct {
		name string
		do   func(db *gorm.DB) error
		want []string
	}
	each(t, []testCase{
		{"one row", func(db *gorm.DB) error { return db.Delete(&tagRow{Slug: "a"}).Error }, []string{"delete tag_rows a"}},
		{"a batch with a Where is one event a row", func(db *gorm.DB) error {
			return db.Where("title = ?", "T").Delete(&tagRow{}).Error
		}, []string{"delete tag_rows a", "delete tag_rows b"}},
		{"a slice of rows", func(db *gorm.DB) error {
			return db.Delete(&[]tagRow{{Slug: "a"}, {Slug: "c"}}).Error
		}, []string{"delete tag_rows a", "delete tag_rows c"}},
		{"nothing matches", func(db *gorm.DB) error { return db.Where("slug = ?", "x").Delete(&tagRow{}).Error }, nil},
	}, func(c testCase) string { return c.name }, func(t *testing.T, s *shop, c testCase) {
		must(t, s.db.Create(&[]tagRow{{"a", "T"}, {"b", "T"}, {"c", "U"}}).Error)
		s.take()
		must(t, c.do(s.db))
		for _, e := range s.expect(c.want...) {
			if e.old["title"] == "" {
				t.Fatalf("the old row is not whole: %v", e.old)
			}
		}
	})
}

func TestASoftDeleteIsADeleteWithTheRowAsItWas(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		must(t, s.db.Create(&[]order{{Number: "1"}, {Number: "2"}}).Error)
		s.take()
		must(t, s.db.Where("number = ?", "1").Delete(&order{}).Error)
		e := s.expect("delete orders 1")[0]
		e.old.expect(t, "deleted_at", "<nil>")
		e.old.expect(t, "number", "1")

		must(t, s.db.Delete(&order{ID: 1}).Error) // it is deleted already
		s.expect()
		must(t, s.db.Unscoped().Model(&order{}).Where("id = ?", 1).Update("deleted_at", nil).Error)
		s.expect("update orders 1")[0].doc.expect(t, "deleted_at", "<nil>")
		must(t, s.db.Unscoped().Delete(&order{ID: 1}).Error)
		s.expect("delete orders 1")
		var left int64
		s.db.Unscoped().Model(&order{}).Count(&left)
		if left != 1 {
			t.Fatalf("%d rows are left", left)
		}
	})
}

func TestDeletingAssociationsIsOneEventARow(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		c := customer{Name: "C", Orders: []order{{Number: "1"}, {Number: "2"}}}
		must(t, s.db.Create(&c).Error)
		s.take()
		must(t, s.db.Unscoped().Select(clause.Associations).Delete(&c).Error)
		s.expect("delete orders 1", "delete orders 2", "delete customers 1")
	})
}

func TestOnlyWatchedActionsAreEvents(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		s.deactivateAll()
		s.activate("tag_rows", rule.OnValueChange)
		must(t, s.db.Create(&tagRow{Slug: "a"}).Error)
		must(t, s.db.Save(&[]tagRow{{Slug: "a", Title: "x"}, {Slug: "b"}}).Error)
		must(t, s.db.Delete(&tagRow{Slug: "b"}).Error)
		e := s.expect("update tag_rows a")[0]
		var revision int64
		must(t, s.db.Raw("SELECT revision FROM notify_revision").Scan(&revision).Error)
		if e.Revision != revision || e.Source != "plugin" {
			t.Fatalf("the event says revision %d and source %q, want %d and plugin", e.Revision, e.Source, revision)
		}
	})
}

func TestAValueThatDoesNotFitItsFieldNeverFailsTheSave(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		if s.db.Name() != "sqlite" {
			return // Postgres stores nothing that does not fit
		}
		must(t, s.db.Create(&plainRow{Text: "a"}).Error)
		must(t, s.db.Exec("UPDATE plain_rows SET count = 'many'").Error)
		s.take()
		must(t, s.db.Model(&plainRow{}).Where("id = ?", 1).Update("text", "b").Error)
		e := s.expect("update plain_rows 1")[0]
		e.doc.expect(t, "count", "<nil>")
		e.doc.expect(t, "text", "b")
		e.doc.expect(t, "id", fmt.Sprint(1))
	})
}
