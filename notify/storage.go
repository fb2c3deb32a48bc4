package notify

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"reflect"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// table is what the database says of a table.
type table struct {
	// columns are the columns' types, empty for generated ones.
	columns map[string]string
	// keys are the columns of the primary key; none is listed where rows can be in the table that it does not guard.
	keys     map[string]bool
	triggers bool
}

// hasKey says whether the table's primary key is the model's.
func (t table) hasKey(s *schema.Schema) bool {
	for _, name := range s.PrimaryFieldDBNames {
		if !t.keys[name] {
			return false
		}
	}
	return len(t.keys) > 0 && len(t.keys) == len(s.PrimaryFieldDBNames)
}

const sqliteTable = `SELECT name, CASE hidden WHEN 0 THEN type ELSE '' END,
	EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE), false
	FROM pragma_table_xinfo(?)`

// A key does not guard what tables that inherit from this one hold, except for partitions.
const postgresTable = `SELECT attname, CASE attgenerated WHEN '' THEN format_type(atttypid, atttypmod) ELSE '' END,
	EXISTS (SELECT 1 FROM pg_trigger WHERE tgrelid = attrelid AND NOT tgisinternal)
		OR EXISTS (SELECT 1 FROM pg_class WHERE oid = attrelid AND relhasrules),
	EXISTS (SELECT 1 FROM pg_index JOIN pg_class ON pg_class.oid = indrelid WHERE indrelid = attrelid AND indisprimary
		AND indimmediate AND attnum = ANY (indkey) AND (relkind = 'p' OR NOT relhassubclass))
	FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped`

// tableOf looks at a table; one that is not there has no columns.
func tableOf(ctx context.Context, pool gorm.ConnPool, dialect, name string) (table, error) {
	query, arguments := sqliteTable, []any{name, name}
	if dialect == "postgres" {
		query, arguments = postgresTable, []any{quotedTable(name)}
	}
	rows, err := pool.QueryContext(ctx, query, arguments...)
	if err != nil {
		return table{}, err
	}
	defer func() { _ = rows.Close() }()
	t := table{columns: make(map[string]string), keys: make(map[string]bool)}
	for rows.Next() {
		var name, kind string
		var key bool
		if err := rows.Scan(&name, &kind, &t.triggers, &key); err != nil {
			return table{}, err
		}
		t.columns[columnKey(dialect, name)] = strings.ToLower(kind)
		if key {
			t.keys[name] = true
		}
	}
	return t, rows.Err()
}

// columnKey is a column's name as the database compares it: gorm quotes it, and to SQLite case makes no difference.
func columnKey(dialect, name string) string {
	if dialect == "postgres" {
		return name
	}
	return strings.ToLower(name)
}

// quotedTable writes "schema"."table", in which to_regclass keeps the case of letters.
func quotedTable(table string) string {
	parts := strings.Split(table, ".")
	for i, part := range parts {
		parts[i] = fmt.Sprintf(`"%s"`, strings.ReplaceAll(part, `"`, `""`))
	}
	return strings.Join(parts, ".")
}

// nullTypes are the driver.Valuers whose value comes back from the database as it went in.
var nullTypes = map[reflect.Type]reflect.Type{
	reflect.TypeFor[sql.NullString]():  reflect.TypeFor[string](),
	reflect.TypeFor[sql.NullInt64]():   reflect.TypeFor[int64](),
	reflect.TypeFor[sql.NullInt32]():   reflect.TypeFor[int32](),
	reflect.TypeFor[sql.NullInt16]():   reflect.TypeFor[int16](),
	reflect.TypeFor[sql.NullBool]():    reflect.TypeFor[bool](),
	reflect.TypeFor[sql.NullFloat64](): reflect.TypeFor[float64](),
	reflect.TypeFor[sql.NullTime]():    reflect.TypeFor[time.Time](),
	reflect.TypeFor[gorm.DeletedAt]():  reflect.TypeFor[time.Time](),
}

// keeps says whether a column of that type gives back what a field of this Go type puts in.
func keeps(field *schema.Field, column string, postgres bool) bool {
	if field.Serializer != nil || column == "" {
		return false
	}
	goType := field.IndirectFieldType
	if plain, ok := nullTypes[goType]; ok {
		goType = plain
	} else if goType != reflect.TypeFor[time.Time]() && isValuer(goType) {
		return false
	}
	if postgres {
		return keepsOnPostgres(goType, column)
	}
	return keepsOnSQLite(goType, column)
}

func isValuer(t reflect.Type) bool {
	pointer := reflect.PointerTo(t)
	return pointer.Implements(reflect.TypeFor[driver.Valuer]()) || pointer.Implements(reflect.TypeFor[gorm.Valuer]())
}

func keepsOnPostgres(goType reflect.Type, column string) bool {
	switch goType.Kind() {
	case reflect.String:
		return column == "text" || column == "citext" || strings.HasPrefix(column, "character varying")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return column == "bigint" || column == "integer" || column == "smallint"
	case reflect.Float64:
		return column == "double precision" || column == "numeric"
	case reflect.Float32:
		return column == "double precision" || column == "numeric" || column == "real"
	case reflect.Bool:
		return column == "boolean"
	case reflect.Struct:
		return goType == reflect.TypeFor[time.Time]() && column == "timestamp with time zone"
	}
	return false
}

// keepsOnSQLite goes by the affinity that SQLite derives from a type's name: https://sqlite.org/datatype3.html, 3.1.
func keepsOnSQLite(goType reflect.Type, column string) bool {
	name, _, _ := strings.Cut(column, "(")
	switch goType.Kind() {
	case reflect.String:
		return strings.Contains(name, "text") || strings.Contains(name, "char")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strings.Contains(name, "int")
	case reflect.Float64:
		return name == "real" || name == "double" || name == "float"
	case reflect.Bool:
		return name == "numeric" || name == "boolean" || name == "bool"
	case reflect.Struct:
		return goType == reflect.TypeFor[time.Time]() && (name == "datetime" || name == "timestamp")
	}
	return false
}
