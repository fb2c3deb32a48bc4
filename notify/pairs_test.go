package notify_test

import (
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/notify"
)

func TestAnUpdateThatWaitedForAnotherHasThatOnesRowAsItsOldDoc(t *testing.T) {
	t.Parallel()
	s := open(t, testdb.Postgres(t), notify.Options{})
	must(t, s.db.Create(&[]tagRow{{Slug: "a", Title: "first"}, {Slug: "b", Title: "first"}, {Slug: "c", Title: "first"}}).Error)
	s.take()
	other := s.db.Begin()
	must(t, other.WithContext(notify.Skip(t.Context())).Model(&tagRow{Slug: "a"}).Update("title", "theirs").Error)
	must(t, other.WithContext(notify.Skip(t.Context())).Model(&tagRow{Slug: "b"}).Update("title", "out of reach").Error)
	updated := make(chan *gorm.DB, 1)
	go func() {
		updated <- s.db.Model(&tagRow{}).Where("title <> ?", "out of reach").Update("title", gorm.Expr("title || ?", ", mine"))
	}()
	eventually(t, 10*time.Second, "the update waits", func() bool {
		var waiting int64
		must(t, s.db.Raw("SELECT count(*) FROM pg_locks WHERE NOT granted").Scan(&waiting).Error)
		return waiting > 0
	})
	must(t, other.Commit().Error)
	if result := <-updated; result.Error != nil || result.RowsAffected != 2 {
		t.Fatalf("%d rows, %v", result.RowsAffected, result.Error)
	}
	for i, was := range []string{"theirs", "first"} {
		event := s.expectSome(t, 2)[i]
		event.old.expect(t, "title", was)
		event.doc.expect(t, "title", was+", mine")
	}
}

// expectSome gives so many events in the order of their keys, and leaves them where they are.
func (s *shop) expectSome(t *testing.T, count int) []seen {
	t.Helper()
	var found []seen
	rows, err := s.db.Raw("SELECT doc, old_doc FROM notify_events ORDER BY key").Rows()
	must(t, err)
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var e seen
		must(t, rows.Scan(&e.Doc, &e.OldDoc))
		e.doc, e.old = decode(t, e.Doc), decode(t, e.OldDoc)
		found = append(found, e)
	}
	must(t, rows.Err())
	if len(found) != count {
		t.Fatalf("%d events, want %d", len(found), count)
	}
	return found
}

type loose struct {
	ID   *int64 `gorm:"primaryKey;autoIncrement:false"`
	Name string
}

// TableName is that of a table which the test makes.
func (loose) TableName() string { return "looses" }

func TestAnUpdateChangesEveryRowWhateverTheTableSaysOfItsKey(t *testing.T) {
	for _, c := range []struct{ name, table string }{
		{"the key is guarded", "CREATE TABLE looses (id bigint PRIMARY KEY, name text); INSERT INTO looses VALUES (1, 'a'), (2, 'b'), (3, 'b')"},
		{"keys may be null", "CREATE TABLE looses (id bigint, name text); INSERT INTO looses VALUES (1, 'a'), (NULL, 'b'), (3, 'b')"},
		{"keys may be there twice", "CREATE TABLE looses (id bigint, name text); INSERT INTO looses VALUES (1, 'a'), (2, 'b'), (2, 'b')"},
		{"another column is the key", "CREATE TABLE looses (id bigint, name text, n serial PRIMARY KEY); INSERT INTO looses VALUES (1, 'a'), (NULL, 'b'), (3, 'b')"},
		{"a table inherits", "CREATE TABLE looses (id bigint PRIMARY KEY, name text); CREATE TABLE heirs () INHERITS (looses); " +
			"INSERT INTO looses VALUES (1, 'a'), (2, 'b'); INSERT INTO heirs VALUES (2, 'b')"},
		{"partitions", "CREATE TABLE looses (id bigint PRIMARY KEY, name text) PARTITION BY RANGE (id); " +
			"CREATE TABLE p1 PARTITION OF looses FOR VALUES FROM (0) TO (3); CREATE TABLE p2 PARTITION OF looses FOR VALUES FROM (3) TO (9); " +
			"INSERT INTO looses VALUES (1, 'a'), (2, 'b'), (3, 'b')"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, testdb.Postgres(t), notify.Options{})
			must(t, s.db.Exec(c.table).Error)
			s.watchModel(&loose{}, "looses")
			for i, change := range []func() *gorm.DB{
				func() *gorm.DB {
					return s.db.Model(&loose{}).Where("name = ? OR name = ?", "b", "c").Update("name", "x")
				},
				func() *gorm.DB { return s.db.Table("looses AS l").Where("l.name = ?", "x").Update("name", "y") },
			} {
				if result := change(); result.Error != nil || result.RowsAffected != 2 {
					t.Fatalf("update %d: %d rows, %v", i, result.RowsAffected, result.Error)
				}
				if events := s.take(); len(events) != 2 || fmt.Sprint(events[0].doc["name"]) != []string{"x", "y"}[i] {
					t.Fatalf("update %d: %+v", i, events)
				}
			}
			session := s.db.Session(&gorm.Session{AllowGlobalUpdate: true})
			if result := session.Model(&loose{}).Update("name", "z"); result.Error != nil || result.RowsAffected != 3 {
				t.Fatalf("%d rows, %v", result.RowsAffected, result.Error)
			}
		})
	}
}
