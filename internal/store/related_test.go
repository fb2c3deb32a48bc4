package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// parts is a table of the application's.
var parts = &catalog.Model{
	Name: "parts", PrimaryKey: []string{"id"},
	Fields: []rule.Field{
		{Name: "id", Type: rule.Integer}, {Name: "name", Type: rule.String}, {Name: "price", Type: rule.Decimal}, {Name: "due", Type: rule.DateTime},
	},
}

func makeParts(t *testing.T, db *gorm.DB) {
	t.Helper()
	statement := "CREATE TABLE parts (id BIGINT PRIMARY KEY, name TEXT, price NUMERIC(12,2), due TIMESTAMPTZ)"
	if db.Name() == "sqlite" {
		statement = strings.ReplaceAll(statement, "TIMESTAMPTZ", "DATETIME")
	}
	if err := db.Exec(statement).Error; err != nil {
		t.Fatal(err)
	}
	// SQLite keeps the first price as a whole number and the second as a float.
	for i, price := range []string{"2499", "1234.5", "0.10"} {
		due := time.Date(2026, 7, 10+i, 12, 0, 0, 0, time.UTC)
		if err := db.Exec("INSERT INTO parts VALUES (?, ?, ?, ?)", i+1, fmt.Sprint("part ", i+1), price, due).Error; err != nil {
			t.Fatal(err)
		}
	}
}

func TestRowsAreFoundByTheValuesOfTheirFields(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		makeParts(t, db)
		rows := store.Rows{DB: db}
		all, err := rows.Matching(t.Context(), parts, nil, 10)
		if err != nil || len(all) != 3 {
			t.Fatalf("%d rows, %v", len(all), err)
		}
		for i, want := range []string{"2499", "1234.5", "0.1"} {
			doc, err := rule.DecodeDocument(parts, all[i])
			if err != nil {
				t.Fatal(err)
			}
			price, _ := rule.ParseDecimal(want)
			if got, ok := doc["price"].(rule.ExactDecimal); !ok || got.Cmp(price) != 0 {
				t.Errorf("row %d costs %v, want %s", i+1, doc["price"], want)
			}
		}
		tenth, _ := rule.ParseDecimal("1234.50")
		for name, test := range map[string]struct {
			where []rule.Equal
			want  int
		}{
			"a number":      {[]rule.Equal{{Field: "id", Value: int64(2)}}, 1},
			"a text":        {[]rule.Equal{{Field: "name", Value: "part 3"}}, 1},
			"a decimal":     {[]rule.Equal{{Field: "price", Value: tenth}}, 1},
			"both":          {[]rule.Equal{{Field: "id", Value: int64(2)}, {Field: "name", Value: "part 3"}}, 0},
			"a moment":      {[]rule.Equal{{Field: "due", Value: time.Date(2026, 7, 11, 14, 0, 0, 0, time.FixedZone("", 2*60*60))}}, 1},
			"a quoted text": {[]rule.Equal{{Field: "name", Value: "' OR 1=1 --"}}, 0},
		} {
			found, err := rows.Matching(t.Context(), parts, test.where, 10)
			if err != nil || len(found) != test.want {
				t.Errorf("%s: %d rows, %v; want %d", name, len(found), err, test.want)
			}
		}
	})
}

func TestDecimalsHaveThePlacesOfTheirColumn(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		makeParts(t, db)
		scaled := *parts
		scaled.Fields = slices.Clone(parts.Fields)
		scaled.Fields[2].Scale = 2
		all, err := store.Rows{DB: db}.Matching(t.Context(), &scaled, nil, 10)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{`"price":"2499.00"`, `"price":"1234.50"`, `"price":"0.10"`} {
			if !strings.Contains(string(all[i]), want) {
				t.Errorf("row %s, want %s", all[i], want)
			}
		}
	})
}

func TestColumnsMayHaveAnyName(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		names := []string{"order", "group", "user", "from", "select", "end", "Name", "first name"}
		m := &catalog.Model{Name: "odd", PrimaryKey: []string{"id"}, Fields: []rule.Field{{Name: "id", Type: rule.Integer}}}
		columns, values := `"id" BIGINT`, "1"
		for _, name := range names {
			m.Fields = append(m.Fields, rule.Field{Name: name, Type: rule.String})
			columns, values = columns+`, "`+name+`" TEXT`, values+", 'mine'"
		}
		for _, statement := range []string{"CREATE TABLE odd (" + columns + ")", "INSERT INTO odd VALUES (" + values + ")"} {
			if err := db.Exec(statement).Error; err != nil {
				t.Fatal(err)
			}
		}
		rows := store.Rows{DB: db}
		found, err := rows.Matching(t.Context(), m, []rule.Equal{{Field: "order", Value: "mine"}}, 10)
		if err != nil || len(found) != 1 {
			t.Fatalf("%d rows, %v", len(found), err)
		}
		one, err := rows.Row(t.Context(), m, "1")
		if err != nil || string(one) != string(found[0]) || strings.Count(string(one), `"mine"`) != len(names) {
			t.Errorf("row %s, %v", one, err)
		}
	})
}

func TestMomentsAreFoundByTheirOwnValue(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		makeParts(t, db)
		for i := range 50 {
			moment := time.Date(2026, 7, 11, 12, 0, 0, (i*7919+13)*1000, time.UTC)
			if err := db.Exec("UPDATE parts SET due = ? WHERE id = 2", moment).Error; err != nil {
				t.Fatal(err)
			}
			found, err := store.Rows{DB: db}.Matching(t.Context(), parts, []rule.Equal{{Field: "due", Value: moment}}, 10)
			if err != nil || len(found) != 1 {
				t.Errorf("%s: %d rows, %v", moment, len(found), err)
			}
		}
	})
}

func TestDecimalsAreReadWithEveryDigitThatTheDatabaseKeeps(t *testing.T) {
	t.Parallel()
	db := testdb.Postgres(t) // SQLite has no exact decimals
	statements := "CREATE TABLE parts (id BIGINT PRIMARY KEY, name TEXT, price NUMERIC(20,2), due TIMESTAMPTZ);" +
		"INSERT INTO parts VALUES (1, 'a', 12345678901234567.89, NULL), (2, 'b', 100, 'infinity')"
	if err := db.Exec(statements).Error; err != nil {
		t.Fatal(err)
	}
	all, err := store.Rows{DB: db}.Matching(t.Context(), parts, nil, 10)
	if err != nil || len(all) != 2 {
		t.Fatalf("%d rows, %v", len(all), err)
	}
	for i, want := range []string{`"price":"12345678901234567.89"`, `"price":"100.00"`} {
		if !strings.Contains(string(all[i]), want) || !strings.Contains(string(all[i]), `"due":null`) {
			t.Errorf("row %s, want %s and no date", all[i], want)
		}
	}
}

func TestRowsLargerThanTheMemoryIsMeantForAreNotRead(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		makeParts(t, db)
		large := strings.Repeat("x", 9<<20)
		if err := db.Exec("UPDATE parts SET name = ?", large).Error; err != nil {
			t.Fatal(err)
		}
		if _, err := (store.Rows{DB: db}).Matching(t.Context(), parts, nil, 10); !errors.Is(err, rule.ErrTooLarge) {
			t.Errorf("got %v", err)
		}
		page := store.DatedPage{Field: "due", Low: time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC), High: time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC), Limit: 10}
		if found, more, err := (store.Rows{DB: db}).Dated(t.Context(), parts, page); err != nil || !more || len(found) != 2 {
			t.Errorf("%d dated rows, more %t, %v; want a page that is cut", len(found), more, err)
		}
	})
}

func TestRowsThatCanNeverBeReadAreToldFromADatabaseThatIsAway(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		makeParts(t, db)
		rows := store.Rows{DB: db}
		gone := *parts
		gone.Name = "nothing"
		if _, err := rows.Matching(t.Context(), &gone, nil, 10); !errors.Is(err, rule.ErrUnreadable) {
			t.Errorf("a table that is gone: %v", err)
		}
		gone = *parts
		gone.Fields = append(gone.Fields[:len(gone.Fields):len(gone.Fields)], rule.Field{Name: "colour", Type: rule.String})
		if _, err := rows.Matching(t.Context(), &gone, nil, 10); !errors.Is(err, rule.ErrUnreadable) {
			t.Errorf("a column that is gone: %v", err)
		}
		if _, _, err := rows.Dated(t.Context(), &gone, store.DatedPage{Field: "due", Limit: 1}); !errors.Is(err, rule.ErrUnreadable) {
			t.Errorf("a column that is gone, by date: %v", err)
		}
		if db.Name() == "postgres" { // SQLite compares anything with anything
			for _, value := range []any{"no number", 12.5, time.Now(), true, int64(1) << 60, []byte("x"), map[string]any{"a": 1}} {
				_, err := rows.Matching(t.Context(), parts, []rule.Equal{{Field: "id", Value: value}}, 10)
				if err != nil && !errors.Is(err, rule.ErrUnreadable) {
					t.Errorf("a value that does not fit, %T: %v", value, err)
				}
			}
		}
		if err := store.Close(db); err != nil {
			t.Fatal(err)
		}
		if _, err := rows.Matching(t.Context(), parts, nil, 10); err == nil || errors.Is(err, rule.ErrUnreadable) {
			t.Errorf("a database that is away: %v", err)
		}
	})
}

func TestDatedRowsComePageByPage(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		makeParts(t, db)
		page := store.DatedPage{Field: "due", Low: time.Date(2026, 7, 11, 0, 0, 0, 0, time.UTC), High: time.Date(2026, 7, 13, 0, 0, 0, 0, time.UTC), Limit: 1}
		for _, want := range []int{1, 1, 0} {
			found, _, err := store.Rows{DB: db}.Dated(t.Context(), parts, page)
			if err != nil || len(found) != want {
				t.Fatalf("%d rows after %v, %v; want %d", len(found), page.After, err, want)
			}
			if want > 0 {
				doc, err := rule.DecodeDocument(parts, found[0])
				if err != nil {
					t.Fatal(err)
				}
				page.After = []any{doc["id"]}
			}
		}
	})
}
