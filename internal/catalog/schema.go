package catalog

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// tagName is the struct tag that steers what a field looks like to rules.
const tagName = "notify"

// Describe tells what a gorm model looks like to rules. Fields are named by their columns, in the order of the struct.
// The tag `notify:"-"` keeps a column out, `notify:"label:…"` and `notify:"type:…"` overrule what is derived, and
// `notify:"address:email"` or `notify:"address:number"` marks where a row's address is; several are separated by semicolons. Relations over several columns, polymorphic and many-to-many ones are left out.
func Describe(s *schema.Schema) (*Model, error) { return DescribeFields(s, Visible(s)) }

// DescribeFields is Describe for a table that has columns for these fields alone. They must hold the primary key.
func DescribeFields(s *schema.Schema, fields []*schema.Field) (*Model, error) {
	if len(s.PrimaryFields) == 0 {
		return nil, fmt.Errorf("catalog: model %s has no primary key: mark its key with `gorm:\"primaryKey\"`", s.Name)
	}
	m := &Model{Name: s.Table, Label: label(lastPart(s.Table)), Fields: []rule.Field{}, Relations: []rule.Relation{}}
	for _, key := range s.PrimaryFields {
		if hidden(key) {
			return nil, fmt.Errorf("catalog: model %s hides %s, which is in its primary key: events need it", s.Name, key.DBName)
		}
		m.PrimaryKey = append(m.PrimaryKey, key.DBName)
	}
	for _, f := range fields {
		described, err := describeField(f)
		if err != nil {
			return nil, fmt.Errorf("catalog: model %s: %w", s.Name, err)
		}
		m.Fields = append(m.Fields, described)
	}
	m.Relations = describeRelations(s, fields)
	m.SoftDelete = softDelete(s)
	if err := CheckNames(m); err != nil {
		return nil, err
	}
	return m, nil
}

// Visible lists the fields that snapshots hold: every column but those that `notify:"-"` keeps out, those that gorm may
// not read (`gorm:"->:false"`), and those that gorm makes no column for (`gorm:"-:migration"`, the mark of fields that
// only a query of the application's fills). The primary key is always a column.
func Visible(s *schema.Schema) []*schema.Field {
	fields := make([]*schema.Field, 0, len(s.DBNames))
	for _, name := range s.DBNames {
		if f := s.FieldsByDBName[name]; !hidden(f) && f.DataType != "" && (f.PrimaryKey || !f.IgnoreMigration) {
			fields = append(fields, f)
		}
	}
	return fields
}

// softDelete finds gorm's own mark of deleted rows.
func softDelete(s *schema.Schema) string {
	for _, f := range s.Fields {
		if f.IndirectFieldType == reflect.TypeFor[gorm.DeletedAt]() && f.DBName != "" {
			return f.DBName
		}
	}
	return ""
}

func describeField(f *schema.Field) (rule.Field, error) {
	described := rule.Field{Name: f.DBName, Label: label(f.DBName), Type: fieldType(f), Nullable: nullable(f)}
	settings := schema.ParseTagSetting(f.Tag.Get(tagName), ";")
	if text := settings["LABEL"]; text != "" {
		described.Label = text
	}
	if described.Type == rule.Decimal {
		described.Scale = max(0, scaleOf(f))
	}
	switch held := strings.ToLower(settings["ADDRESS"]); held {
	case "", rule.HoldsEmail, rule.HoldsNumber:
		described.Address = held
	default:
		return described, fmt.Errorf("field %s holds the address %q in its notify tag: write email or number", f.DBName, held)
	}
	if wanted := settings["TYPE"]; wanted != "" {
		described.Type = rule.FieldType(strings.ToLower(wanted))
		if !knownType(described.Type) {
			return described, fmt.Errorf("field %s asks for the unknown type %q in its notify tag", f.DBName, wanted)
		}
	}
	return described, nil
}

func hidden(f *schema.Field) bool { return f.Tag.Get(tagName) == "-" || !f.Readable }

func knownType(t rule.FieldType) bool {
	switch t {
	case rule.String, rule.Integer, rule.Float, rule.Decimal, rule.Boolean, rule.Date, rule.DateTime, rule.Time,
		rule.Bytes, rule.JSON:
		return true
	}
	return false
}

// columnTypes maps the names of column types, without their size, to what rules see.
var columnTypes = map[string]rule.FieldType{
	"date": rule.Date, "time": rule.Time, "timetz": rule.Time,
	"datetime": rule.DateTime, "timestamp": rule.DateTime, "timestamptz": rule.DateTime,
	"decimal": rule.Decimal, "numeric": rule.Decimal, "money": rule.Decimal,
	"json": rule.JSON, "jsonb": rule.JSON,
	"bool": rule.Boolean, "boolean": rule.Boolean,
	"bytes": rule.Bytes, "blob": rule.Bytes, "bytea": rule.Bytes,
}

// rawJSONType is bytes to gorm.
var rawJSONType = reflect.TypeFor[json.RawMessage]()

// fieldType prefers what the column says over what Go says: a time.Time in a date column is a date.
func fieldType(f *schema.Field) rule.FieldType {
	switch strings.ToLower(serializerName(f)) {
	case "":
	case "json":
		return rule.JSON
	case "unixtime":
		return rule.DateTime
	case "gob":
		return rule.Bytes
	default:
		return rule.String
	}
	if t, ok := columnTypes[baseType(f.TagSettings["TYPE"])]; ok {
		return t
	}
	goTime := f.GORMDataType == schema.Time && f.IndirectFieldType.Kind() == reflect.Struct // gorm calls it "time"
	if t, ok := columnTypes[baseType(string(f.GORMDataType))]; ok && !goTime && f.IndirectFieldType != rawJSONType {
		return t
	}
	return typeOfGo(f.IndirectFieldType, f.GORMDataType)
}

func serializerName(f *schema.Field) string {
	if f.Serializer == nil {
		return ""
	}
	for _, setting := range []string{"JSON", "SERIALIZER"} {
		if name := f.TagSettings[setting]; name != "" {
			return name
		}
	}
	return "custom"
}

func typeOfGo(t reflect.Type, data schema.DataType) rule.FieldType {
	switch {
	case t == rawJSONType:
		return rule.JSON
	case strings.HasSuffix(t.Name(), "Decimal") || t.Name() == "Numeric":
		return rule.Decimal // the common decimal libraries hand strings to the driver
	case t.ConvertibleTo(reflect.TypeFor[time.Time]()):
		return rule.DateTime
	}
	switch data {
	case schema.Bool:
		return rule.Boolean
	case schema.Int, schema.Uint:
		return rule.Integer
	case schema.Float:
		return rule.Float
	case schema.String:
		return rule.String
	case schema.Time:
		return rule.DateTime
	case schema.Bytes:
		return rule.Bytes
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[driver.Valuer]()) {
		return rule.String
	}
	return rule.JSON
}

// baseType gives "numeric" for "NUMERIC(10,2)" and "timestamp" for "timestamp without time zone".
func baseType(name string) string {
	name, _, _ = strings.Cut(strings.ToLower(strings.TrimSpace(name)), "(")
	name, _, _ = strings.Cut(name, " ")
	return name
}

// nullable says whether the Go type can hold null: what it cannot hold is read as its zero value.
func nullable(f *schema.Field) bool {
	if f.NotNull || f.PrimaryKey {
		return false
	}
	switch f.FieldType.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		return true
	}
	value, err := plain(reflect.Zero(f.FieldType).Interface())
	return err == nil && value == nil
}

func describeRelations(s *schema.Schema, fields []*schema.Field) []rule.Relation {
	relations := []rule.Relation{}
	for name, r := range s.Relationships.Relations {
		if r.Polymorphic != nil || len(r.References) != 1 || r.FieldSchema == nil {
			continue
		}
		reference := r.References[0]
		relation := rule.Relation{Model: r.FieldSchema.Table}
		own, remote := reference.PrimaryKey, reference.ForeignKey
		switch r.Type {
		case schema.BelongsTo:
			relation.Kind = rule.BelongsTo
			own, remote = reference.ForeignKey, reference.PrimaryKey
		case schema.HasOne:
			relation.Kind = rule.HasOne
		case schema.HasMany:
			relation.Kind = rule.HasMany
		default:
			continue
		}
		if own == nil || remote == nil || !slices.Contains(fields, own) || hidden(remote) {
			continue
		}
		relation.Name = schema.NamingStrategy{}.ColumnName("", name)
		relation.Label = label(relation.Name)
		relation.Field, relation.RemoteField = own.DBName, remote.DBName
		relations = append(relations, relation)
	}
	sort.Slice(relations, func(i, j int) bool { return relations[i].Name < relations[j].Name })
	return relations
}

// label makes "Due date" of "due_date", and "Customer ID" of "customer_id".
func label(name string) string {
	words := strings.Fields(strings.ReplaceAll(name, "_", " "))
	for i, word := range words {
		switch lower := strings.ToLower(word); {
		case lower == "id" || lower == "url" || lower == "sms" || lower == "vat" || lower == "sku":
			words[i] = strings.ToUpper(word)
		case i == 0:
			words[i] = strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return strings.Join(words, " ")
}

// lastPart drops the database schema of a table's name.
func lastPart(table string) string { return table[strings.LastIndex(table, ".")+1:] }
