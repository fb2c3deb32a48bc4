package rule

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// Document is a row as a rule sees it: a value for every field of the model, nil for null. The values are string,
// int64, float64, ExactDecimal, bool, time.Time (dates and times of day too, in UTC), []byte, and for a JSON field what
// encoding/json gives with numbers kept as json.Number. A nil Document is a row that does not exist, such as old_doc
// when a row is created.
type Document map[string]any

// DecodeDocument reads a snapshot's JSON, in the form that FieldType describes. Keys that the model does not have are
// left out, missing ones are null, and an empty or null snapshot is a nil Document. A value that does not fit its field
// is an *Error with the code EventDecodeFail that names the field but not the value.
func DecodeDocument(m *Model, raw json.RawMessage) (Document, error) {
	trimmed := bytes.TrimSpace(raw)
	if len(trimmed) == 0 || string(trimmed) == "null" {
		return nil, nil
	}
	var values map[string]any
	if err := decodeJSON(trimmed, &values); err != nil {
		return nil, &Error{
			Code: EventDecodeFail, Message: "a snapshot of " + m.Name + " must be a JSON object", cause: err,
		}
	}
	doc := make(Document, len(m.Fields))
	for _, field := range m.Fields {
		value, err := decodeValue(field.Type, values[field.Name])
		if err != nil {
			return nil, &Error{Code: EventDecodeFail, Message: fmt.Sprintf("field %s must be %s", field.Name, err)}
		}
		doc[field.Name] = value
	}
	return doc, nil
}

// DecodeRow is DecodeDocument for a row that was read from its table: a value that does not fit its field is null, so that
// one odd value hides no other. It fails for what is no JSON object.
func DecodeRow(m *Model, raw json.RawMessage) (Document, error) {
	var values map[string]any
	if err := decodeJSON(bytes.TrimSpace(raw), &values); err != nil {
		return nil, &Error{Code: EventDecodeFail, Message: "a row of " + m.Name + " must be a JSON object", cause: err}
	}
	doc := make(Document, len(m.Fields))
	for _, field := range m.Fields {
		doc[field.Name], _ = decodeValue(field.Type, values[field.Name])
	}
	return doc, nil
}

// decodeJSON keeps numbers as they are written and refuses what follows the value.
func decodeJSON(raw []byte, target any) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(target); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}

// decodeValue turns a JSON value into the field's type. Applications in other languages, and drivers, write numbers as
// strings and booleans as 0 and 1: that is taken. The error completes the sentence "field x must be …".
func decodeValue(t FieldType, value any) (any, error) {
	if value == nil || t == JSON {
		return value, nil
	}
	switch t {
	case String:
		return decodeText(value)
	case Integer:
		return decodeInteger(value)
	case Float:
		return decodeFloat(value)
	case Decimal:
		return decodeDecimal(value)
	case Boolean:
		return decodeBoolean(value)
	case Date, DateTime, Time:
		return decodeMoment(t, value)
	case Bytes:
		return decodeBytes(value)
	default:
		return nil, fmt.Errorf("of a known type, and %q is none", string(t))
	}
}

func decodeText(value any) (any, error) {
	if text, ok := value.(string); ok {
		return text, nil
	}
	return nil, errors.New("a string")
}

// written gives the characters of a number, however it was sent.
func written(value any) string {
	switch v := value.(type) {
	case json.Number:
		return v.String()
	case string:
		return strings.TrimSpace(v)
	default:
		return ""
	}
}

func decodeInteger(value any) (any, error) {
	text := written(value)
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	// 9.0 and 9e0 are whole numbers too: some encoders write every number as a float.
	if d, err := ParseDecimal(text); err == nil && d.value.IsInt() && d.value.Num().IsInt64() {
		return d.value.Num().Int64(), nil
	}
	return nil, errors.New("a whole number of at most 64 bits")
}

func decodeFloat(value any) (any, error) {
	f, err := strconv.ParseFloat(written(value), 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return nil, errors.New("a finite number")
	}
	return f, nil
}

func decodeDecimal(value any) (any, error) {
	d, err := ParseDecimal(written(value))
	if err != nil {
		return nil, errors.New(`a decimal number in a string, such as "12.50"`)
	}
	return d, nil
}

func decodeBoolean(value any) (any, error) {
	if b, ok := value.(bool); ok {
		return b, nil
	}
	switch written(value) {
	case "0":
		return false, nil
	case "1":
		return true, nil
	default:
		return nil, errors.New("true or false")
	}
}

func decodeMoment(t FieldType, value any) (any, error) {
	text, _ := value.(string)
	moment, err := parseMoment(t, text)
	if err != nil {
		return nil, err
	}
	return moment, nil
}

func decodeBytes(value any) (any, error) {
	if text, ok := value.(string); ok {
		if data, err := base64.StdEncoding.DecodeString(text); err == nil {
			return data, nil
		}
	}
	return nil, errors.New("a string in standard base64")
}

// dateTimeLayouts are tried in order; the fraction of a second is optional in each. Without a zone it is UTC.
var dateTimeLayouts = []string{
	time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02 15:04:05",
	"2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly,
}

// parseMoment reads a date, a time with a date, or a time of day (as that time on the first day of year 0). The error
// completes the sentence "… must be …".
func parseMoment(t FieldType, text string) (time.Time, error) {
	return parseMomentIn(t, text, time.UTC)
}

// parseMomentIn reads a time without a zone in one.
func parseMomentIn(t FieldType, text string, zone *time.Location) (time.Time, error) {
	layouts, form := dateTimeLayouts, "a time such as 2026-01-31T15:04:05Z"
	switch t {
	case Time:
		layouts, form = []string{time.TimeOnly, "15:04"}, "a time of day such as 15:04:05"
	case Date:
		form = "a date such as 2026-01-31"
		if day, err := time.Parse(time.DateOnly, text); err == nil {
			return day, nil
		}
	}
	for _, layout := range layouts {
		moment, err := time.ParseInLocation(layout, text, zone)
		if err != nil {
			continue
		}
		if t == Date {
			year, month, day := moment.Date()
			return time.Date(year, month, day, 0, 0, 0, 0, time.UTC), nil
		}
		if t == Time {
			return time.Date(0, 1, 1, moment.Hour(), moment.Minute(), moment.Second(), moment.Nanosecond(), time.UTC), nil
		}
		return moment.UTC(), nil
	}
	return time.Time{}, errors.New(form)
}
