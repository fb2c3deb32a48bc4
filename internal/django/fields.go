package django

import (
	"encoding/json"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"
)

// fields are one object's, by the names that they have in the export. What was asked for counts as known.
type fields struct {
	raw   map[string]json.RawMessage
	known map[string]bool
}

func newFields(raw map[string]json.RawMessage) *fields {
	return &fields{raw: raw, known: map[string]bool{}}
}

// take gives the first of these names that has a value. The names that it passes over have none.
func (f *fields) take(names []string) (name string, value json.RawMessage) {
	for _, n := range names {
		raw, there := f.raw[n]
		if !there {
			continue
		}
		f.known[n] = true
		if string(raw) != "null" {
			return n, raw
		}
	}
	return names[0], nil
}

// unknown lists the fields that nothing asked for and that say something.
func (f *fields) unknown() []string {
	var names []string
	for name, raw := range f.raw {
		if !f.known[name] && !says(raw, `null`, `""`, `[]`, `{}`, `false`) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// says is whether a value is one of these.
func says(raw json.RawMessage, values ...string) bool {
	for _, v := range values {
		if string(raw) == v {
			return true
		}
	}
	return false
}

// text gives a text; a number's digits count as one. Null and a missing field are empty.
func (f *fields) text(names []string) (string, error) {
	name, raw := f.take(names)
	if raw == nil {
		return "", nil
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text, nil
	}
	var number json.Number
	if json.Unmarshal(raw, &number) == nil {
		return number.String(), nil
	}
	return "", fmt.Errorf("%s must be a text", name)
}

// boolean gives a yes or no; there is false when the field is missing or null.
func (f *fields) boolean(names []string) (value, there bool, err error) {
	name, raw := f.take(names)
	if raw == nil {
		return false, false, nil
	}
	value, err = strconv.ParseBool(strings.ToLower(strings.Trim(string(raw), `"`)))
	if err != nil {
		return false, true, fmt.Errorf("%s must be true or false", name)
	}
	return value, true, nil
}

// days gives a whole number from 0 to what the database's column holds; nil when the field is missing or null.
func (f *fields) days(names []string) (*int, error) {
	name, raw := f.take(names)
	if raw == nil || string(raw) == `""` {
		return nil, nil
	}
	days, err := strconv.ParseInt(strings.Trim(string(raw), `"`), 10, 64)
	if err != nil || days < 0 || days > math.MaxInt32 {
		return nil, fmt.Errorf("%s must be a whole number from 0 to %d", name, math.MaxInt32)
	}
	whole := int(days)
	return &whole, nil
}

// timeForms are how Django writes a time: with a zone, or without one where USE_TZ is off.
var timeForms = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999"}

// moment gives a time in UTC. One that cannot be read is zero: it only says when the notification was written.
func (f *fields) moment(names []string) time.Time {
	_, raw := f.take(names)
	var text string
	if raw == nil || json.Unmarshal(raw, &text) != nil {
		return time.Time{}
	}
	for _, form := range timeForms {
		if t, err := time.Parse(form, text); err == nil && t.Year() >= 1970 && t.Year() <= 9999 {
			return t.UTC()
		}
	}
	return time.Time{}
}

// list gives the elements of a list; a single value is a list of one.
func (f *fields) list(names []string) []json.RawMessage {
	_, raw := f.take(names)
	if raw == nil || string(raw) == `""` {
		return nil
	}
	var elements []json.RawMessage
	if json.Unmarshal(raw, &elements) == nil {
		return elements
	}
	return []json.RawMessage{raw}
}
