package store_test

import (
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestTheNewestRowsComeFirstAndASearchNarrowsThem(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		if err := db.Exec("CREATE TABLE pieces (id BIGINT PRIMARY KEY, name TEXT, note TEXT, deleted_at TEXT)").Error; err != nil {
			t.Fatal(err)
		}
		for i := 1; i <= 30; i++ {
			if err := db.Exec("INSERT INTO pieces VALUES (?, ?, ?, ?)", i, fmt.Sprint("Piece 100%", i), strings.Repeat("x", i), nil).Error; err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Exec("UPDATE pieces SET deleted_at = 'now' WHERE id = 30").Error; err != nil {
			t.Fatal(err)
		}
		m := &rule.Model{Name: "pieces", PrimaryKey: []string{"id"}, SoftDelete: "deleted_at", Fields: []rule.Field{
			{Name: "id", Type: rule.Integer}, {Name: "name", Type: rule.String}, {Name: "note", Type: rule.String, Nullable: true}}}
		rows := store.Rows{DB: db}
		for search, want := range map[string]string{
			"":                      "29 28 27 26 25 24 23 22 21 20 19 18 17 16 15 14 13 12 11 10",
			" piece 100%7 ":         "7",
			"%2":                    "29 28 27 26 25 24 23 22 21 20 2",
			"4":                     "24 14 4",
			"_":                     "",
			"' OR 1=1 --":           "",
			"nothing":               "",
			strings.Repeat("x", 28): "29 28",
		} {
			found, err := rows.Recent(t.Context(), m, search)
			if err != nil {
				t.Fatal(err)
			}
			keys := make([]string, len(found))
			for i, row := range found {
				keys[i] = row.Key
			}
			if got := strings.Join(keys, " "); got != want {
				t.Errorf("%q: found %q, want %q", search, got, want)
			}
		}
	})
}

func TestTheShortTextsOfAColumnAreGivenOnceEach(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		for _, statement := range []string{
			`CREATE TABLE parcels (id BIGINT PRIMARY KEY, "order" TEXT, deleted_at TEXT)`,
			"INSERT INTO parcels VALUES (1, 'SENT', NULL), (2, 'NEW', NULL), (3, 'SENT', NULL), (4, '', NULL), (5, NULL, NULL), (6, 'GONE', 'now')",
		} {
			if err := db.Exec(statement).Error; err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Exec("INSERT INTO parcels VALUES (7, ?, NULL)", strings.Repeat("x", 41)).Error; err != nil {
			t.Fatal(err)
		}
		m := &rule.Model{Name: "parcels", PrimaryKey: []string{"id"}, SoftDelete: "deleted_at", Fields: []rule.Field{
			{Name: "id", Type: rule.Integer}, {Name: "order", Type: rule.String}}}
		rows := store.Rows{DB: db}
		for field, want := range map[string]string{"order": "NEW SENT", "id": "", "none": ""} {
			values, err := rows.Values(t.Context(), m, field)
			if got := strings.Join(values, " "); err != nil || got != want {
				t.Errorf("%s: %q, %v, want %q", field, got, err, want)
			}
		}
		for i := 10; i < 40; i++ {
			if err := db.Exec("INSERT INTO parcels VALUES (?, ?, NULL)", i, fmt.Sprint("A", i)).Error; err != nil {
				t.Fatal(err)
			}
		}
		if values, err := rows.Values(t.Context(), m, "order"); err != nil || len(values) != store.RecentLimit {
			t.Errorf("%d values, %v", len(values), err)
		}
	})
}

func TestARowIsFoundByACompositeKey(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		for _, statement := range []string{"CREATE TABLE seats (hall TEXT, no BIGINT, PRIMARY KEY (hall, no))", "INSERT INTO seats VALUES ('A', 1), ('B', 2)"} {
			if err := db.Exec(statement).Error; err != nil {
				t.Fatal(err)
			}
		}
		m := &rule.Model{Name: "seats", PrimaryKey: []string{"hall", "no"}, Fields: []rule.Field{{Name: "hall", Type: rule.String}, {Name: "no", Type: rule.Integer}}}
		found, err := store.Rows{DB: db}.Recent(t.Context(), m, "A,1")
		if err != nil || len(found) != 1 || found[0].Key != "A,1" {
			t.Errorf("found %+v, %v", found, err)
		}
	})
}
