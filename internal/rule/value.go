package rule

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// dateTimeForm is how the Django app printed times; they are in UTC.
const dateTimeForm = "2006-01-02 15:04:05-07:00"

// isNull tells null, and a row that does not exist.
func isNull(v any) bool {
	if row, ok := v.(map[string]any); ok {
		return row == nil
	}
	return v == nil
}

// equal compares two values of a document by value: numbers whatever their representation, times by instant. Null
// equals null only.
func equal(a, b any) bool {
	if isNull(a) || isNull(b) {
		return isNull(a) && isNull(b)
	}
	if isNumber(a) && isNumber(b) {
		order, ok := compareNumbers(a, b)
		return ok && order == 0
	}
	switch a := a.(type) {
	case time.Time:
		b, ok := b.(time.Time)
		return ok && a.Equal(b)
	case span:
		b, ok := b.(span)
		return ok && a.length().Cmp(b.length()) == 0
	case []byte:
		b, ok := b.([]byte)
		return ok && bytes.Equal(a, b)
	case []any:
		b, ok := b.([]any)
		return ok && equalLists(a, b)
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && equalObjects(a, b)
	default:
		return reflect.TypeOf(a).Comparable() && a == b
	}
}

func equalLists(a, b []any) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

func equalObjects(a, b map[string]any) bool {
	if len(a) != len(b) {
		return false
	}
	for key, value := range a {
		other, ok := b[key]
		if !ok || !equal(value, other) {
			return false
		}
	}
	return true
}

// Text writes a value of a field for people, as placeholders do.
func Text(t FieldType, value any) string { return format(t, value) }

// format writes a value for people, as the Django app printed it: True and False, 2026-01-31,
// 2026-01-31 15:04:05+00:00, decimals with the digits that are stored, nothing for null.
func format(t FieldType, value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		if t != JSON {
			// Neither a mail nor PostgreSQL's text can hold a NUL.
			return strings.ReplaceAll(v, "\x00", "")
		}
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return formatFloat(v)
	case ExactDecimal:
		return v.String()
	case bool:
		if t != JSON {
			return map[bool]string{true: "True", false: "False"}[v]
		}
	case time.Time:
		return formatMoment(t, v)
	case []byte:
		return base64.StdEncoding.EncodeToString(v)
	}
	return compactJSON(value)
}

// formatFloat gives the shortest digits that read back as the same number, with an exponent only where they would be
// unreadable without one (the limits are those of JavaScript and JSON).
func formatFloat(v float64) string {
	if size := math.Abs(v); size != 0 && (size < 1e-6 || size >= 1e21) {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

func formatMoment(t FieldType, v time.Time) string {
	switch t {
	case Date:
		return v.Format(time.DateOnly)
	case Time:
		return v.Format(time.TimeOnly)
	default:
		return v.UTC().Format(dateTimeForm)
	}
}

// compactJSON leaves < and & as they are: an HTML template escapes them itself.
func compactJSON(value any) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return ""
	}
	return strings.TrimSuffix(out.String(), "\n")
}
