package notify_test

import (
	"errors"
	"strings"
	"testing"

	"gorm.io/gorm"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/notify"
)

// SQLite undoes a whole transaction by itself when the disk is full, and gorm's own undoing then fails: the save must see
// the first error all the same. Row and event are one transaction: what has room for one of them only is not there at all.
func TestASaveForWhoseEventTheDiskHasNoRoomFailsWithTheDatabasesError(t *testing.T) {
	t.Parallel()
	db := testdb.Open(t, testdb.SQLiteURL(t)+"?_pragma=max_page_count(400)")
	s := open(t, db, notify.Options{})
	must(t, db.Exec("CREATE TABLE filler (content BLOB)").Error)
	for size := 1 << 16; size > 0; {
		if db.Exec("INSERT INTO filler VALUES (zeroblob(?))", size).Error != nil {
			size /= 2
		}
	}
	title := strings.Repeat("x", 1<<14)
	for name, save := range map[string]func(db *gorm.DB) error{
		"in gorm's own transaction": func(db *gorm.DB) error { return db.Create(&tagRow{Slug: "own", Title: title}).Error },
		"without a default transaction": func(db *gorm.DB) error {
			return db.Session(&gorm.Session{SkipDefaultTransaction: true}).Create(&tagRow{Slug: "none", Title: title}).Error
		},
		"in one of the application": func(db *gorm.DB) error {
			return db.Transaction(func(tx *gorm.DB) error { return tx.Create(&tagRow{Slug: "app", Title: title}).Error })
		},
		"a row for which there is room": untilFull,
	} {
		t.Run(name, func(t *testing.T) {
			err := save(db)
			var full *sqlite.Error
			if !errors.As(err, &full) || full.Code() != sqlite3.SQLITE_FULL {
				t.Errorf("the save failed with %v, want SQLite's own error that the disk is full", err)
			}
		})
	}
	var rows, events int64
	must(t, db.Model(&tagRow{}).Count(&rows).Error)
	must(t, db.Table("notify_events").Count(&events).Error)
	if rows != events {
		t.Errorf("%d rows and %d events", rows, events)
	}
	must(t, db.Exec("DELETE FROM filler").Error)
	s.take()
	must(t, db.Create(&tagRow{Slug: "after"}).Error)
	s.expect("create tag_rows after")
}

// untilFull saves small rows until one, or its event, has no room.
func untilFull(db *gorm.DB) error {
	for i := range 10_000 {
		if err := db.Create(&tagRow{Slug: strings.Repeat("s", i+1)}).Error; err != nil {
			return err
		}
	}
	return nil
}
