package notify_test

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/notify"
)

func TestACreatedRowIsAnEventWithTheRowAsStored(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		due := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		o := order{Number: "A-1", Amount: "12.5", DueDate: &due, Address: address{Street: "Quay 1", City: "Bergen"}}
		must(t, s.db.Create(&o).Error)
		doc := s.expect(fmt.Sprintf("create orders %d", o.ID))[0].doc
		doc.expect(t, "id", fmt.Sprint(o.ID))
		doc.expect(t, "number", "A-1")
		doc.expect(t, "status", "open")
		doc.expect(t, "amount", "12.50")
		doc.expect(t, "paid", "false")
		doc.expect(t, "due_date", "2026-03-01")
		doc.expect(t, "ship_street", "Quay 1")
		doc.expect(t, "ship_city", "Bergen")
		doc.expect(t, "customer_id", "<nil>")
		doc.expect(t, "deleted_at", "<nil>")
		if _, err := time.Parse(time.RFC3339Nano, doc["created_at"].(string)); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAHiddenColumnIsInNoSnapshot(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		must(t, s.db.Create(&customer{Name: "N", Password: "secret"}).Error)
		must(t, s.db.Model(&customer{}).Where("name = ?", "N").Update("name", "M").Error)
		for _, e := range s.expect("create customers 1", "update customers 1") {
			if _, there := e.doc["password"]; there {
				t.Fatalf("the password is in %v", e.doc)
			}
		}
	})
}

func TestADocTakenFromTheStructIsWhatTheDatabaseGivesBack(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		rows := []plainRow{
			{},
			{Text: "quotes \" and ünïcode <b>\n", Count: -7, Ratio: 0.1, Yes: true, Maybe: text(""), Perhaps: sql.NullInt64{Int64: 1 << 60, Valid: true}},
			{Text: "x", Ratio: 1e-9, CreatedAt: time.Date(2020, 1, 2, 3, 4, 5, 123456789, time.FixedZone("", 7200))},
			{Text: "y", Ratio: 123456789.125, Maybe: text("maybe")},
		}
		must(t, s.db.Create(&rows).Error)
		created := s.expect("create plain_rows 1", "create plain_rows 2", "create plain_rows 3", "create plain_rows 4")
		must(t, s.db.Model(&plainRow{}).Where("1 = 1").UpdateColumn("count", gorm.Expr("count")).Error)
		for i, e := range s.expect("update plain_rows 1", "update plain_rows 2", "update plain_rows 3", "update plain_rows 4") {
			if string(e.OldDoc) != string(created[i].Doc) || string(e.Doc) != string(created[i].Doc) {
				t.Fatalf("created as\n%s\nread back as\n%s\nand\n%s", created[i].Doc, e.OldDoc, e.Doc)
			}
		}
	})
}

func TestCreateInItsManyForms(t *testing.T) {
	type testCase struct {
		name string
		do   func(db *gorm.DB) error
		want []string
	}
	each(t, []testCase{
		{"a slice is one event a row", func(db *gorm.DB) error {
			return db.Create(&[]tagRow{{Slug: "a"}, {Slug: "b"}}).Error
		}, []string{"create tag_rows a", "create tag_rows b"}},
		{"a slice of pointers is one event a row", func(db *gorm.DB) error {
			return db.Create([]*plainRow{{Text: "a"}, {Text: "b"}}).Error
		}, []string{"create plain_rows 1", "create plain_rows 2"}},
		{"batches are one event a row", func(db *gorm.DB) error {
			return db.CreateInBatches(&[]plainRow{{}, {}, {}, {}, {}}, 2).Error
		}, []string{"create plain_rows 1", "create plain_rows 2", "create plain_rows 3", "create plain_rows 4", "create plain_rows 5"}},
		{"a map with the key", func(db *gorm.DB) error {
			return db.Model(&tagRow{}).Create(map[string]any{"Slug": "m", "Title": "T"}).Error
		}, []string{"create tag_rows m"}},
		{"a map whose key the database counts up", func(db *gorm.DB) error {
			return db.Model(&plainRow{}).Create(map[string]any{"text": "m"}).Error
		}, []string{"create plain_rows 1"}},
		{"a map with an expression", func(db *gorm.DB) error {
			return db.Model(&tagRow{}).Create(map[string]any{"slug": "m", "title": clause.Expr{SQL: "upper(?)", Vars: []any{"t"}}}).Error
		}, []string{"create tag_rows m"}},
		{"a slice of maps", func(db *gorm.DB) error {
			return db.Model(&tagRow{}).Create([]map[string]any{{"slug": "m"}, {"slug": "n"}}).Error
		}, []string{"create tag_rows m", "create tag_rows n"}},
		{"a table without a model", func(db *gorm.DB) error {
			return db.Table("tag_rows").Create(map[string]any{"slug": "m"}).Error
		}, []string{"create tag_rows m"}},
		{"selected columns", func(db *gorm.DB) error {
			return db.Select("Slug").Create(&tagRow{Slug: "s", Title: "unsaved"}).Error
		}, []string{"create tag_rows s"}},
		{"a composite key", func(db *gorm.DB) error {
			return db.Create(&line{OrderNumber: "A-1", Position: 2}).Error
		}, []string{"create lines A-1,2"}},
		{"Save of a row without a key", func(db *gorm.DB) error {
			return db.Save(&plainRow{Text: "x"}).Error
		}, []string{"create plain_rows 1"}},
		{"Save of a row whose key is not there", func(db *gorm.DB) error {
			return db.Save(&tagRow{Slug: "new"}).Error
		}, []string{"create tag_rows new"}},
		{"FirstOrCreate", func(db *gorm.DB) error {
			return db.Where(tagRow{Slug: "f"}).FirstOrCreate(&tagRow{}).Error
		}, []string{"create tag_rows f"}},
		{"prepared statements", func(db *gorm.DB) error {
			prepared := db.Session(&gorm.Session{PrepareStmt: true})
			if err := prepared.Create(&tagRow{Slug: "p"}).Error; err != nil {
				return err
			}
			return prepared.Transaction(func(tx *gorm.DB) error { return tx.Create(&plainRow{}).Error })
		}, []string{"create tag_rows p", "create plain_rows 1"}},
	}, func(c testCase) string { return c.name }, func(t *testing.T, s *shop, c testCase) {
		must(t, c.do(s.db))
		s.expect(c.want...)
	})
}

func TestColumnsThatWereNotSavedAreNotInTheDoc(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		must(t, s.db.Select("Slug").Create(&tagRow{Slug: "s", Title: "unsaved"}).Error)
		s.expect("create tag_rows s")[0].doc.expect(t, "title", "<nil>"[:0])
	})
}

func TestHooksThatChangeFieldsAreInTheDocWhenTheyAreStored(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		h := hooked{Name: "loud"}
		must(t, s.db.Create(&h).Error)
		e := s.expect("create hookeds 1")[0]
		e.doc.expect(t, "name", "LOUD")
		e.doc.expect(t, "note", "")
		must(t, s.db.Model(&h).Update("name", "x").Error)
		e = s.expect("update hookeds 1")[0]
		e.doc.expect(t, "note", "set by BeforeUpdate")
		e.old.expect(t, "note", "")
	})
}

func TestUpsertsTellCreatesFromUpdates(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		must(t, s.db.Create(&tagRow{Slug: "old", Title: "before"}).Error)
		s.take()
		must(t, s.db.Clauses(clause.OnConflict{UpdateAll: true}).
			Create(&[]tagRow{{Slug: "old", Title: "after"}, {Slug: "new", Title: "fresh"}}).Error)
		events := s.expect("update tag_rows old", "create tag_rows new")
		events[0].old.expect(t, "title", "before")
		events[0].doc.expect(t, "title", "after")
		events[1].doc.expect(t, "title", "fresh")

		must(t, s.db.Clauses(clause.OnConflict{DoNothing: true}).
			Create(&[]tagRow{{Slug: "old", Title: "ignored"}, {Slug: "newer"}}).Error)
		s.expect("create tag_rows newer")
		must(t, s.db.Clauses(clause.OnConflict{DoNothing: true}).Create(&tagRow{Slug: "old"}).Error)
		s.expect()
	})
}

func TestUpsertsByAUniqueColumnTellCreatesFromUpdates(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		must(t, s.db.Create(&customer{Name: "before", Email: text("a@example.com")}).Error)
		s.take()
		upsert := s.db.Clauses(clause.OnConflict{
			Columns: []clause.Column{{Name: "email"}}, DoUpdates: clause.AssignmentColumns([]string{"name"}),
		})
		rows := []customer{{Name: "after", Email: text("a@example.com")}, {Name: "fresh", Email: text("b@example.com")}}
		must(t, upsert.Create(&rows).Error)
		events := s.expect("update customers 1", fmt.Sprintf("create customers %d", rows[1].ID))
		events[0].old.expect(t, "name", "before")
		events[0].doc.expect(t, "name", "after")
		if rows[0].ID != 1 || rows[1].ID == 0 {
			t.Fatalf("gorm's own keys are %d and %d", rows[0].ID, rows[1].ID)
		}
	})
}

func TestGormsOwnKeysAreRightWhateverTheOrder(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		must(t, s.db.Create(&[]customer{{Email: text("a")}, {Email: text("b")}}).Error)
		s.take()
		rows := []customer{{Name: "1", Email: text("b")}, {Name: "2", Email: text("a")}}
		must(t, s.db.Clauses(clause.OnConflict{
			Columns: []clause.Column{{Name: "email"}}, DoUpdates: clause.AssignmentColumns([]string{"name"}),
		}).Create(&rows).Error)
		if rows[0].ID != 2 || rows[1].ID != 1 {
			t.Fatalf("the keys are %d and %d, want 2 and 1", rows[0].ID, rows[1].ID)
		}
		s.expect("update customers 2", "update customers 1")
	})
}

func TestUpsertsByACompositeKeyTellCreatesFromUpdates(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		must(t, s.db.Create(&[]line{{"A", 1, "x"}, {"A", 2, "y"}}).Error)
		s.take()
		must(t, s.db.Save(&[]line{{"A", 2, "new"}, {"A", 3, "z"}, {"A", 1, "new"}}).Error)
		events := s.expect("update lines A,2", "create lines A,3", "update lines A,1")
		events[0].old.expect(t, "item", "y")
		must(t, s.db.Clauses(clause.Returning{}).Save(&[]line{{"A", 2, "newer"}, {"A", 1, "newer"}}).Error)
		s.expect("update lines A,2", "update lines A,1")
	})
}

func TestLargeUpserts(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		const count = 3000
		rows := make([]customer, count)
		for i := range rows {
			rows[i].Email = text(fmt.Sprint(i))
		}
		must(t, s.db.Create(rows[:count/2]).Error)
		s.take()
		for i := range rows {
			rows[i].ID, rows[i].Name = 0, "again"
		}
		must(t, s.db.Clauses(clause.OnConflict{
			Columns: []clause.Column{{Name: "email"}}, DoUpdates: clause.AssignmentColumns([]string{"name"}),
		}).Create(&rows).Error)
		actions := map[rule.Action]int{}
		for _, e := range s.take() {
			actions[e.Action]++
		}
		if actions[rule.Create] != count/2 || actions[rule.Update] != count/2 {
			t.Fatalf("%v, want %d of each", actions, count/2)
		}
	})
}

func TestARowThatATriggerChangesIsInTheDocAsStored(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		must(t, db.AutoMigrate(&tagRow{}))
		statements := []string{`CREATE TRIGGER loud AFTER INSERT ON tag_rows BEGIN
			UPDATE tag_rows SET title = upper(title) WHERE slug = NEW.slug; END`}
		if db.Name() == "postgres" {
			statements = []string{`CREATE FUNCTION loud() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				UPDATE tag_rows SET title = upper(title) WHERE slug = NEW.slug; RETURN NULL; END $$`,
				`CREATE TRIGGER loud AFTER INSERT ON tag_rows FOR EACH ROW EXECUTE FUNCTION loud()`}
		}
		for _, statement := range statements {
			must(t, db.Exec(statement).Error)
		}
		s := open(t, db, notify.Options{})
		must(t, s.db.Create(&tagRow{Slug: "a", Title: "quiet"}).Error)
		s.expect("create tag_rows a")[0].doc.expect(t, "title", "QUIET")
	})
}

func TestAColumnThatKeepsLessThanTheStructIsReadBack(t *testing.T) {
	t.Parallel()
	db := testdb.Postgres(t)
	must(t, db.AutoMigrate(&plainRow{}))
	must(t, db.Exec("ALTER TABLE plain_rows ALTER COLUMN ratio TYPE numeric(10,2)").Error)
	s := open(t, db, notify.Options{})
	must(t, db.Exec("ALTER TABLE plain_rows ALTER COLUMN ratio TYPE numeric(10,2)").Error)
	must(t, s.plugin.Register(&plainRow{}))
	must(t, s.db.Create(&plainRow{Ratio: 1.005}).Error)
	s.expect("create plain_rows 1")[0].doc.expect(t, "ratio", "1.01")
}

func TestSaveOfASliceTellsCreatesFromUpdates(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		must(t, s.db.Create(&tagRow{Slug: "old"}).Error)
		s.take()
		must(t, s.db.Save(&[]tagRow{{Slug: "old", Title: "x"}, {Slug: "new"}}).Error)
		s.expect("update tag_rows old", "create tag_rows new")
	})
}

func TestAssociationsAreEventsOnceEach(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		c := customer{Name: "C", Orders: []order{{Number: "1"}, {Number: "2"}}}
		must(t, s.db.Create(&c).Error)
		events := s.expect("create customers 1", "create orders 1", "create orders 2")
		events[1].doc.expect(t, "customer_id", "1")

		o := order{Number: "3", Customer: &c}
		must(t, s.db.Omit("Customer.Orders").Create(&o).Error)
		s.expect("create orders " + fmt.Sprint(o.ID)) // the customer is there: ON CONFLICT DO NOTHING is no event
		must(t, s.db.Save(&c).Error)
		s.expect("update customers 1", "update orders 1", "update orders 2")
	})
}

func TestGormSeesWhatItWouldSeeWithoutThePlugin(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		result := s.db.Clauses(clause.OnConflict{DoNothing: true}).Create(&[]tagRow{{Slug: "a"}, {Slug: "b"}})
		if result.Error != nil || result.RowsAffected != 2 {
			t.Fatalf("%d rows, error %v", result.RowsAffected, result.Error)
		}
		var returned []tagRow
		result = s.db.Model(&returned).Clauses(clause.Returning{}).Where("slug >= ?", "a").Update("title", "t")
		if result.Error != nil || len(returned) != 2 || returned[0].Title != "t" || result.RowsAffected != 2 {
			t.Fatalf("RETURNING gave %v, %d rows, error %v", returned, result.RowsAffected, result.Error)
		}
		var gone []tagRow
		result = s.db.Clauses(clause.Returning{}).Where("slug = ?", "a").Delete(&gone)
		if result.Error != nil || len(gone) != 1 || gone[0].Slug != "a" {
			t.Fatalf("RETURNING of a delete gave %v, error %v", gone, result.Error)
		}
		s.expect("create tag_rows a", "create tag_rows b", "update tag_rows a", "update tag_rows b", "delete tag_rows a")
		captured := s.db.Create(&tagRow{Slug: "b"}).Error
		alone := s.db.WithContext(notify.Skip(t.Context())).Create(&tagRow{Slug: "b"}).Error
		if captured == nil || captured.Error() != alone.Error() {
			t.Fatalf("a duplicate gives %v, and without events %v", captured, alone)
		}
	})
}
