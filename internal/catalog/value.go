package catalog

import (
	"bytes"
	"database/sql/driver"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/silquetech/silque-notifications/internal/rule"
)

var (
	errUnreadable = errors.New("catalog: the column could not be read")
	errForm       = errors.New("catalog: the value has no form in the field's type")
)

// rawJSON is JSON that needs no further encoding.
type rawJSON []byte

// valuerDepth bounds how often a driver.Valuer may answer with another one.
const valuerDepth = 5

// plain takes pointers and driver.Valuers away; nil stands for null.
func plain(value any) (any, error) {
	for range valuerDepth {
		switch value.(type) {
		case nil, bool, int, int64, uint64, float64, string, time.Time:
			return value, nil
		}
		v := reflect.ValueOf(value)
		if v.Kind() == reflect.Pointer && v.IsNil() {
			return nil, nil
		}
		if valuer, ok := value.(driver.Valuer); ok {
			next, err := valuer.Value()
			if err != nil {
				return nil, fmt.Errorf("catalog: value: %w", err)
			}
			value = next
			continue
		}
		switch {
		case v.Kind() == reflect.Pointer:
			value = v.Elem().Interface()
		case v.Kind() == reflect.Slice && v.IsNil():
			return nil, nil
		case v.Type().ConvertibleTo(reflect.TypeFor[time.Time]()):
			return v.Convert(reflect.TypeFor[time.Time]()).Interface(), nil
		default:
			return value, nil
		}
	}
	return nil, errForm
}

// jsonOf gives the JSON of a field of type JSON: what a Valuer stores is JSON already, anything else is marshalled.
func jsonOf(value any) (any, error) {
	stored, err := plain(value)
	if err != nil || stored == nil {
		return nil, err
	}
	var text []byte
	switch v := stored.(type) {
	case string:
		text = []byte(v)
	case []byte:
		text = v
	case json.RawMessage:
		text = v
	default:
		return marshalled(stored)
	}
	var compact bytes.Buffer
	if json.Compact(&compact, text) != nil {
		return marshalled(string(text))
	}
	return rawJSON(compact.Bytes()), nil
}

func marshalled(value any) (any, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("catalog: value: %w", err)
	}
	return rawJSON(text), nil
}

// appendValue appends a value that plain has given, in the form of its field's type.
func appendValue(buffer []byte, kind rule.FieldType, scale int, value any) ([]byte, error) {
	if raw, ok := value.(rawJSON); ok {
		return append(buffer, raw...), nil
	}
	switch kind {
	case rule.Integer:
		return appendInteger(buffer, value)
	case rule.Float:
		return appendFloat(buffer, value)
	case rule.Decimal:
		return appendDecimal(buffer, scale, value)
	case rule.Boolean:
		return appendBoolean(buffer, value)
	case rule.Date:
		return appendMoment(buffer, value, "2006-01-02", false)
	case rule.Time:
		return appendMoment(buffer, value, "15:04:05", false)
	case rule.DateTime:
		return appendMoment(buffer, value, time.RFC3339Nano, true)
	case rule.Bytes:
		return appendBytes(buffer, value)
	default:
		return appendText(buffer, value)
	}
}

func appendInteger(buffer []byte, value any) ([]byte, error) {
	v := reflect.ValueOf(value)
	switch {
	case v.CanInt():
		return strconv.AppendInt(buffer, v.Int(), 10), nil
	case v.CanUint():
		return strconv.AppendUint(buffer, v.Uint(), 10), nil
	case v.CanFloat() && v.Float() == math.Trunc(v.Float()) && math.Abs(v.Float()) < 1<<53:
		return strconv.AppendInt(buffer, int64(v.Float()), 10), nil
	case v.Kind() == reflect.Bool && v.Bool():
		return append(buffer, '1'), nil
	case v.Kind() == reflect.Bool:
		return append(buffer, '0'), nil
	}
	text := textOf(value)
	if number, err := strconv.ParseInt(text, 10, 64); err == nil {
		return strconv.AppendInt(buffer, number, 10), nil
	}
	if number, err := strconv.ParseUint(text, 10, 64); err == nil {
		return strconv.AppendUint(buffer, number, 10), nil
	}
	return buffer, errForm
}

func appendFloat(buffer []byte, value any) ([]byte, error) {
	v := reflect.ValueOf(value)
	size, number := 64, 0.0
	switch {
	case v.CanFloat():
		number = v.Float()
		if v.Kind() == reflect.Float32 {
			size = 32
		}
	case v.CanInt() || v.CanUint():
		return appendInteger(buffer, value)
	default:
		parsed, err := strconv.ParseFloat(textOf(value), 64)
		if err != nil {
			return buffer, errForm
		}
		number = parsed
	}
	if math.IsNaN(number) || math.IsInf(number, 0) {
		return buffer, errForm // JSON has no such number
	}
	format := byte('f')
	if magnitude := math.Abs(number); magnitude != 0 && (magnitude < 1e-6 || magnitude >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(buffer, number, format, -1, size), nil
}

var decimalForm = regexp.MustCompile(`^[-+]?[0-9]+(\.[0-9]+)?$`)

func appendDecimal(buffer []byte, scale int, value any) ([]byte, error) {
	v := reflect.ValueOf(value)
	var text string
	switch {
	case v.CanFloat():
		number, err := appendFloat(nil, value)
		if err != nil {
			return buffer, err
		}
		text = string(number)
		if strings.Contains(text, "e") {
			text = strconv.FormatFloat(v.Float(), 'f', -1, 64)
		}
		if scale >= 0 {
			text = strconv.FormatFloat(v.Float(), 'f', scale, 64)
		}
	case v.CanInt() || v.CanUint():
		number, err := appendInteger(nil, value)
		if err != nil {
			return buffer, err
		}
		text = string(number)
	default:
		text = strings.TrimSpace(textOf(value))
	}
	if !decimalForm.MatchString(text) {
		return buffer, errForm
	}
	return appendString(buffer, padDecimal(text, scale)), nil
}

// padDecimal writes as many places as the column keeps: SQLite gives 12.5 for what Postgres calls 12.50.
func padDecimal(text string, scale int) string {
	whole, places, _ := strings.Cut(text, ".")
	if scale <= 0 || len(places) >= scale {
		return text
	}
	return whole + "." + places + strings.Repeat("0", scale-len(places))
}

func appendBoolean(buffer []byte, value any) ([]byte, error) {
	v := reflect.ValueOf(value)
	switch {
	case v.Kind() == reflect.Bool:
		return strconv.AppendBool(buffer, v.Bool()), nil
	case v.CanInt():
		return strconv.AppendBool(buffer, v.Int() != 0), nil
	case v.CanUint():
		return strconv.AppendBool(buffer, v.Uint() != 0), nil
	}
	truth, err := strconv.ParseBool(textOf(value))
	if err != nil {
		return buffer, errForm
	}
	return strconv.AppendBool(buffer, truth), nil
}

// momentForms are the texts in which databases and drivers hand over dates and times.
var momentForms = []string{
	time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999",
	"2006-01-02T15:04:05.999999999", "2006-01-02 15:04", "2006-01-02", "15:04:05.999999999", "15:04",
}

func appendMoment(buffer []byte, value any, form string, utc bool) ([]byte, error) {
	moment, ok := value.(time.Time)
	for i := 0; !ok && i < len(momentForms); i++ {
		parsed, err := time.Parse(momentForms[i], textOf(value))
		moment, ok = parsed, err == nil
	}
	if !ok {
		return buffer, errForm
	}
	if utc {
		moment = moment.UTC()
	}
	if moment.Year() < 0 || moment.Year() > 9999 {
		return buffer, errForm // RFC 3339 has four digits
	}
	return append(moment.AppendFormat(append(buffer, '"'), form), '"'), nil
}

func appendBytes(buffer []byte, value any) ([]byte, error) {
	v := reflect.ValueOf(value)
	var content []byte
	switch {
	case v.Kind() == reflect.String:
		content = []byte(v.String())
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8:
		content = v.Bytes()
	case v.Kind() == reflect.Array && v.Type().Elem().Kind() == reflect.Uint8:
		content = make([]byte, v.Len())
		reflect.Copy(reflect.ValueOf(content), v)
	default:
		return buffer, errForm
	}
	buffer = append(buffer, '"')
	buffer = base64.StdEncoding.AppendEncode(buffer, content)
	return append(buffer, '"'), nil
}

func appendText(buffer []byte, value any) ([]byte, error) {
	v := reflect.ValueOf(value)
	switch {
	case v.Kind() == reflect.String:
		return appendString(buffer, v.String()), nil
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 && utf8.Valid(v.Bytes()):
		return appendString(buffer, string(v.Bytes())), nil
	case v.CanInt(), v.CanUint():
		number, err := appendInteger(nil, value)
		return appendString(buffer, string(number)), err
	case v.CanFloat():
		number, err := appendFloat(nil, value)
		return appendString(buffer, string(number)), err
	case v.Kind() == reflect.Bool:
		return appendString(buffer, strconv.FormatBool(v.Bool())), nil
	}
	if moment, ok := value.(time.Time); ok {
		return appendMoment(buffer, moment, time.RFC3339Nano, true)
	}
	if stringer, ok := value.(fmt.Stringer); ok {
		return appendString(buffer, stringer.String()), nil
	}
	return buffer, errForm
}

// appendString writes plain text as it is, which is nearly all text, and leaves the rest to encoding/json.
func appendString(buffer []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			encoded, _ := json.Marshal(text) // a string always encodes
			return append(buffer, encoded...)
		}
	}
	buffer = append(buffer, '"')
	buffer = append(buffer, text...)
	return append(buffer, '"')
}

// textOf gives the text of strings and byte slices, and nothing for the rest.
func textOf(value any) string {
	v := reflect.ValueOf(value)
	switch {
	case v.Kind() == reflect.String:
		return v.String()
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8:
		return string(v.Bytes())
	}
	return ""
}
