package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm/schema"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// Encoder turns rows of one model into snapshots. It is safe for concurrent use.
type Encoder struct {
	columns   []column
	keys      []column
	precision time.Duration
}

type column struct {
	field *schema.Field
	kind  rule.FieldType
	// name is the JSON of `"name":`.
	name []byte
	// scale is the number of decimal places that the column keeps; -1 when it is not known.
	scale int
}

// NewEncoder prepares the encoding of s's rows in the form that m describes. Times are cut to the precision that the
// database keeps; zero keeps all.
func NewEncoder(s *schema.Schema, m *Model, precision time.Duration) *Encoder {
	e := &Encoder{precision: precision}
	for _, f := range m.Fields {
		field := s.FieldsByDBName[f.Name]
		name, _ := json.Marshal(f.Name) // a string always encodes
		e.columns = append(e.columns, column{field: field, kind: f.Type, name: append(name, ':'), scale: scaleOf(field)})
	}
	for _, name := range m.PrimaryKey {
		for _, c := range e.columns {
			if c.field.DBName == name {
				e.keys = append(e.keys, c)
			}
		}
	}
	return e
}

// Encode gives the row as a JSON object keyed by column. A value that has no form in its field's type becomes null and
// its column is listed in unencodable, as are the given columns that could not be read: a snapshot never fails.
func (e *Encoder) Encode(ctx context.Context, row reflect.Value, unreadable ...string) (snapshot []byte, unencodable []string) {
	snapshot = make([]byte, 0, 32*len(e.columns))
	snapshot = append(snapshot, '{')
	for i := range e.columns {
		c := &e.columns[i]
		if i > 0 {
			snapshot = append(snapshot, ',')
		}
		snapshot = append(snapshot, c.name...)
		var err error
		if contains(unreadable, c.field.DBName) {
			err = errUnreadable
		} else {
			snapshot, err = e.appendColumn(ctx, snapshot, c, row)
		}
		if err != nil {
			snapshot = append(snapshot, "null"...)
			unencodable = append(unencodable, c.field.DBName)
		}
	}
	return append(snapshot, '}'), unencodable
}

// Key gives the primary key's values as text, joined by commas.
func (e *Encoder) Key(ctx context.Context, row reflect.Value) string {
	parts := make([]string, len(e.keys))
	for i := range e.keys {
		encoded, err := e.appendColumn(ctx, nil, &e.keys[i], row)
		if err != nil {
			value, _ := e.keys[i].field.ValueOf(ctx, row)
			parts[i] = fmt.Sprint(value)
			continue
		}
		parts[i] = string(encoded)
		if len(encoded) > 0 && encoded[0] == '"' {
			_ = json.Unmarshal(encoded, &parts[i]) // it was marshalled a line ago
		}
	}
	return strings.Join(parts, ",")
}

// appendColumn leaves buffer as it was when it fails. The application's own methods (driver.Valuer, json.Marshaler) run
// here: their panic is their value's problem, not the save's.
func (e *Encoder) appendColumn(ctx context.Context, buffer []byte, c *column, row reflect.Value) (result []byte, err error) {
	defer func() {
		if recovered := recover(); recovered != nil {
			result, err = buffer, fmt.Errorf("catalog: the value's own method panicked")
		}
	}()
	value, err := e.valueOf(ctx, c, row)
	if err != nil {
		return buffer, err
	}
	if value == nil {
		return append(buffer, "null"...), nil
	}
	if moment, ok := value.(time.Time); ok && e.precision > 0 {
		value = moment.Truncate(e.precision)
	}
	encoded, err := appendValue(buffer, c.kind, c.scale, value)
	if err != nil {
		return buffer, err
	}
	return encoded, nil
}

// valueOf gives what the driver would get, except for serialized fields: there the Go value says more than its storage.
func (e *Encoder) valueOf(ctx context.Context, c *column, row reflect.Value) (any, error) {
	if c.field.Serializer != nil {
		value := c.field.ReflectValueOf(ctx, row).Interface()
		if c.kind == rule.JSON {
			return marshalled(value)
		}
		if serializerName(c.field) == "unixtime" {
			return unixTime(value)
		}
	}
	value, _ := c.field.ValueOf(ctx, row)
	if c.kind == rule.JSON {
		return jsonOf(value)
	}
	return plain(value)
}

func unixTime(value any) (any, error) {
	v := reflect.ValueOf(value)
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil, nil
		}
		v = v.Elem()
	}
	switch {
	case v.CanInt():
		return time.Unix(v.Int(), 0), nil
	case v.CanUint():
		return time.Unix(int64(v.Uint()), 0), nil //nolint:gosec // a moment in seconds: beyond 2^63 there is none
	}
	return plain(value)
}

// scaleOf reads the number of decimal places from the tags: `scale:2` or `type:numeric(10,2)`.
func scaleOf(f *schema.Field) int {
	if f.Scale > 0 {
		return f.Scale
	}
	_, size, found := strings.Cut(f.TagSettings["TYPE"], "(")
	_, digits, comma := strings.Cut(strings.TrimSuffix(strings.TrimSpace(size), ")"), ",")
	if !found || !comma {
		return -1
	}
	scale, err := strconv.Atoi(strings.TrimSpace(digits))
	if err != nil || scale < 0 {
		return -1
	}
	return scale
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}
