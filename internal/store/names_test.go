package store_test

import (
	"encoding/json"
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

// oddNames are names that somebody may give a table or a column, or write into the catalog.
var oddNames = []string{
	"order", "select", "Grüße", "注文", "order items", "a-b", "a;b", "a'b", "a\\b", "a%b", "a?b", "$1", "@p", ":p", "[a]", "a)b", "(a", "a--b", "a/*b*/", "🐘",
	"x; DROP TABLE witness; --", "x UNION SELECT secret FROM witness", "witness AS x", "parts, witness", "witness where 1=1", "(SELECT 1) AS x", "x\u2028y", "é",
	"", ".", "a.b", "main.witness", "public.witness", "a..b", "a.b.c", ".a", "a.", "a\"b", "\"a\"", "a\"\"b", `a".b`, `"a"."b"`, `x"; DROP TABLE witness; --`, `"a".b; DROP TABLE witness; --`,
	"a`b", "`a`", "a``b", "`a`.`b`; DROP TABLE witness; --", "x`; DROP TABLE witness; --", "a\x00b", "a\nb", "a\tb", "a\x7fb", "a\u0085b", "a\xffb", "~~~py~~~", "~~~ct~~~",
	strings.Repeat("n", 63), strings.Repeat("n", 64), strings.Repeat("é", 32), strings.Repeat("x", 100_000), strings.Repeat("\x7f", 500), "*", "1", " ", " a", "a ",
}

// witness is a table that no other name may lead to.
func witness(t testing.TB, db *gorm.DB) {
	t.Helper()
	for _, statement := range []string{"CREATE TABLE witness (id BIGINT PRIMARY KEY, secret TEXT)", "INSERT INTO witness VALUES (1, 'the secret')"} {
		if err := db.Exec(statement).Error; err != nil {
			t.Fatal(err)
		}
	}
}

// stands fails the test when the witness was touched, or a table is new.
func stands(t testing.TB, db *gorm.DB, what string, tables []string) {
	t.Helper()
	var secrets []string
	if err := db.Raw("SELECT secret FROM witness").Scan(&secrets).Error; err != nil || !slices.Equal(secrets, []string{"the secret"}) {
		t.Fatalf("%s: the witness is %q, %v", what, secrets, err)
	}
	if now, err := db.Migrator().GetTables(); err != nil || len(now) != len(tables) {
		t.Fatalf("%s: the tables were %q and are %q, %v", what, tables, now, err)
	}
}

// quoted writes a name that holds no quote into a statement of the test's own.
func quoted(name string) string { return `"` + name + `"` }

// tryName reads a table, and columns, of such names in every way in which the system reads an application's rows.
func tryName(t testing.TB, db *gorm.DB, table, column string) (refused bool) {
	t.Helper()
	what := fmt.Sprintf("table %.80q, column %.80q", table, column)
	m := &catalog.Model{Name: table, PrimaryKey: []string{"id"}, SoftDelete: "gone", Fields: []rule.Field{
		{Name: "id", Type: rule.Integer}, {Name: column, Type: rule.String}, {Name: "due", Type: rule.DateTime},
	}}
	before, err := db.Migrator().GetTables()
	if err != nil {
		t.Fatal(err)
	}
	if err := catalog.CheckNames(m); err != nil {
		refuses(t, db, m, what)
		stands(t, db, what, before)
		return true
	}
	if err := catalog.Save(t.Context(), db, m); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer db.Exec("DELETE FROM notify_models")
	if set, err := catalog.Load(t.Context(), db); err != nil || set[table] == nil || set[table].Fields[1].Name != column {
		t.Fatalf("%s: it was kept as %v, %v", what, set[table], err)
	}
	moment := "TIMESTAMPTZ"
	if db.Name() == "sqlite" {
		moment = "DATETIME"
	}
	made := !slices.Contains(before, table) && !strings.Contains(table, ".") && db.Exec("CREATE TABLE "+quoted(table)+
		" (id BIGINT PRIMARY KEY, "+quoted(column)+" TEXT, due "+moment+", gone "+moment+")").Error == nil
	if made {
		defer db.Exec("DROP TABLE " + quoted(table))
		if err := db.Exec("INSERT INTO " + quoted(table) + " VALUES (7, 'seven', '2026-07-01 12:00:00+00:00', NULL)").Error; err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	rows := store.Rows{DB: db}
	for way, read := range map[string]func() ([]json.RawMessage, error){
		"by key": func() ([]json.RawMessage, error) {
			row, err := rows.Row(t.Context(), m, "7")
			return []json.RawMessage{row}, err
		},
		"by a value": func() ([]json.RawMessage, error) {
			return rows.Matching(t.Context(), m, []rule.Equal{{Field: column, Value: "seven"}}, 5)
		},
		"by a date": func() ([]json.RawMessage, error) {
			found, _, err := rows.Dated(t.Context(), m, store.DatedPage{Field: "due", Low: time.Unix(0, 0), High: time.Now().AddDate(10, 0, 0), After: []any{int64(0)}, Limit: 5})
			return found, err
		},
		"the newest": func() ([]json.RawMessage, error) { return texts(rows.Recent(t.Context(), m, "seven")) },
		"the values": func() ([]json.RawMessage, error) {
			values, err := rows.Values(t.Context(), m, column)
			return []json.RawMessage{json.RawMessage(strings.Join(values, ","))}, err
		},
	} {
		found, err := read()
		if all := string(slices.Concat(found...)); strings.Contains(all, "the secret") || made && (err != nil || !strings.Contains(all, "seven")) {
			t.Errorf("%s, %s: %s, %v", what, way, all, err)
		}
	}
	if made {
		before = append(before, table)
	}
	stands(t, db, what, before)
	return false
}

// texts makes Recent's rows look like the others'.
func texts(rows []store.PickedRow, err error) ([]json.RawMessage, error) {
	found := make([]json.RawMessage, len(rows))
	for i, r := range rows {
		found[i] = json.RawMessage(fmt.Sprint(r.Doc))
	}
	return found, err
}

// refuses holds the catalog to refusing a model when it is written down, and when somebody else has written it down.
func refuses(t testing.TB, db *gorm.DB, m *catalog.Model, what string) {
	t.Helper()
	if err := catalog.Save(t.Context(), db, m); err == nil {
		t.Errorf("%s was written down", what)
	}
	definition, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var readBack catalog.Model
	if json.Unmarshal(definition, &readBack) != nil || catalog.CheckNames(&readBack) == nil {
		return // JSON has no form for it
	}
	name := m.Name
	if strings.ContainsRune(name, 0) || strings.ToValidUTF8(name, "") != name {
		name = "planted" // Postgres keeps no such text
	}
	if err := db.Exec("INSERT INTO notify_models (name, definition, updated_at) VALUES (?, ?, ?)", name, string(definition), time.Now().UTC()).Error; err != nil {
		t.Fatal(err)
	}
	defer db.Exec("DELETE FROM notify_models")
	if _, err := catalog.Load(t.Context(), db); err == nil {
		t.Errorf("%s was read", what)
	} else if len(err.Error()) > 1000 || strings.ContainsAny(err.Error(), "\x00\n") {
		t.Errorf("%s: the error cannot be shown: %q", what, err)
	}
}

func quietly(db *gorm.DB) *gorm.DB { return db.Session(&gorm.Session{Logger: db.Logger.LogMode(1)}) }

func TestANameIsQuotedOrRefused(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		db = quietly(db)
		witness(t, db)
		refused := 0
		for _, name := range oddNames {
			for _, pair := range [][2]string{{name, "name"}, {"parts", name}, {name, name}} {
				if tryName(t, db, pair[0], pair[1]) {
					refused++
				}
			}
		}
		if all := 3 * len(oddNames); refused < all/4 || refused > all*3/4 {
			t.Errorf("%d of %d were refused: this test has lost its balance", refused, all)
		}
	})
}

// TestAModelIsRefusedForAnyOfItsNames: each name of a model reaches a statement, or a page.
func TestAModelIsRefusedForAnyOfItsNames(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]func(*catalog.Model){
		"the table":              func(m *catalog.Model) { m.Name = "a`b" },
		"a part of the key":      func(m *catalog.Model) { m.PrimaryKey = append(m.PrimaryKey, "a\"b") },
		"a column":               func(m *catalog.Model) { m.Fields[0].Name = "" },
		"the mark of deletion":   func(m *catalog.Model) { m.SoftDelete = "gone\n" },
		"a relation":             func(m *catalog.Model) { m.Relations[0].Name = "a\x00" },
		"a relation's table":     func(m *catalog.Model) { m.Relations[0].Model = "\"" },
		"a relation's own field": func(m *catalog.Model) { m.Relations[0].Field = "x`" },
		"a relation's far field": func(m *catalog.Model) { m.Relations[0].RemoteField = strings.Repeat("x", 64) },
	} {
		m := &catalog.Model{Name: "shop.parts", PrimaryKey: []string{"id"}, Fields: []rule.Field{{Name: "id", Type: rule.Integer}},
			Relations: []rule.Relation{{Name: "maker", Kind: rule.BelongsTo, Model: "shop.makers", Field: "maker_id", RemoteField: "id"}}}
		if err := catalog.CheckNames(m); err != nil {
			t.Fatal(err)
		}
		change(m)
		if err := catalog.CheckNames(m); err == nil || !strings.Contains(err.Error(), "register the model again") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// FuzzNames: whatever a table and its column are called, they are refused, or read as what they are.
func FuzzNames(f *testing.F) {
	for i, name := range oddNames {
		f.Add(name, oddNames[len(oddNames)-1-i])
	}
	databases := []*gorm.DB{testdb.Postgres(f), testdb.SQLite(f)}
	for i, db := range databases {
		databases[i] = quietly(db)
		witness(f, databases[i])
	}
	f.Fuzz(func(t *testing.T, table, column string) {
		for _, db := range databases {
			tryName(t, db, table, column)
		}
	})
}
