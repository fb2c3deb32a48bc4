package catalog_test

import (
	"database/sql/driver"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm/schema"

	"github.com/silquetech/silque-notifications/internal/catalog"
)

type money struct{ cents int64 }

func (m money) Value() (driver.Value, error) {
	switch m.cents {
	case 13:
		panic("unlucky")
	case 14:
		return nil, errors.New("refused")
	}
	return float64(m.cents) / 100, nil
}
func (m *money) Scan(any) error { return nil }

type part struct{ Colour string }

// sample has a field of every kind.
type sample struct {
	ID       string `gorm:"primaryKey"`
	Second   int    `gorm:"primaryKey"`
	Big      uint64
	Small    int8
	Ratio    float64
	Single   float32
	Price    float64 `gorm:"type:numeric(10,2)"`
	Exact    string  `gorm:"type:decimal(12,3)"`
	Money    money   `notify:"type:decimal"`
	Yes      *bool
	Day      time.Time `gorm:"type:date"`
	Clock    string    `gorm:"type:time"`
	At       *time.Time
	Raw      []byte
	Options  json.RawMessage
	Tags     []string `gorm:"serializer:json"`
	Stamp    int64    `gorm:"serializer:unixtime;type:datetime"`
	*part    `gorm:"embedded"`
	Part     *part  `gorm:"embedded;embeddedPrefix:part_"`
	Password string `notify:"-"`
}

func encode(t *testing.T, s *sample, unreadable ...string) (map[string]string, []string, string) {
	t.Helper()
	parsed, err := schema.Parse(s, &sync.Map{}, schema.NamingStrategy{})
	if err != nil {
		t.Fatal(err)
	}
	model, err := catalog.Describe(parsed)
	if err != nil {
		t.Fatal(err)
	}
	encoder := catalog.NewEncoder(parsed, model, time.Microsecond)
	value := reflect.ValueOf(s).Elem()
	snapshot, unencodable := encoder.Encode(t.Context(), value, unreadable...)
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(snapshot, &raw); err != nil {
		t.Fatalf("%s: %v", snapshot, err)
	}
	fields := make(map[string]string, len(raw))
	for name, text := range raw {
		fields[name] = string(text)
	}
	return fields, unencodable, encoder.Key(t.Context(), value)
}

func TestEveryTypeHasItsFormInTheSnapshot(t *testing.T) {
	t.Parallel()
	yes := true
	at := time.Date(2026, 5, 6, 7, 8, 9, 123456789, time.FixedZone("", 2*3600))
	fields, unencodable, key := encode(t, &sample{
		ID: `a"b`, Second: -2, Big: math.MaxUint64, Small: -8, Ratio: 0.1, Single: 0.1, Price: 12.5, Exact: "7.1",
		Money: money{1999}, Yes: &yes, Day: time.Date(2026, 5, 6, 0, 30, 0, 0, time.FixedZone("", 2*3600)), Clock: "07:08:09",
		At: &at, Raw: []byte{0xff, 0}, Options: json.RawMessage(`{"a": 1}`), Tags: []string{"x"}, Stamp: 0,
		Part: &part{Colour: "red"}, Password: "secret",
	})
	if len(unencodable) != 0 || key != `a"b,-2` {
		t.Fatalf("unencodable %v, key %q", unencodable, key)
	}
	for name, want := range map[string]string{
		"id": `"a\"b"`, "second": "-2", "big": "18446744073709551615", "small": "-8", "ratio": "0.1", "single": "0.1",
		"price": `"12.50"`, "exact": `"7.100"`, "money": `"19.99"`, "yes": "true", "day": `"2026-05-06"`, "clock": `"07:08:09"`,
		"at": `"2026-05-06T05:08:09.123456Z"`, "raw": `"/wA="`, "options": `{"a":1}`, "tags": `["x"]`,
		"stamp": `"1970-01-01T00:00:00Z"`, "part_colour": `"red"`,
	} {
		if fields[name] != want {
			t.Errorf("%s is %s, want %s", name, fields[name], want)
		}
	}
	if _, there := fields["password"]; there {
		t.Error("the hidden column is in the snapshot")
	}
}

func TestNothingIsNull(t *testing.T) {
	t.Parallel()
	fields, _, _ := encode(t, &sample{})
	for _, name := range []string{"yes", "at", "raw", "options", "part_colour"} {
		if fields[name] != "null" {
			t.Errorf("%s is %s, want null", name, fields[name])
		}
	}
}

func TestAValueWithoutAFormIsNullAndIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, field string
		sample      sample
		unreadable  []string
	}{
		{"not a number", "ratio", sample{Ratio: math.NaN()}, nil},
		{"infinity", "single", sample{Single: float32(math.Inf(1))}, nil},
		{"a decimal that is none", "exact", sample{Exact: "twelve"}, nil},
		{"a Valuer that panics", "money", sample{Exact: "1", Money: money{13}}, nil},
		{"a Valuer that fails", "money", sample{Exact: "1", Money: money{14}}, nil},
		{"a year that RFC 3339 cannot say", "day", sample{Exact: "1", Day: time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC)}, nil},
		{"a column that could not be read", "big", sample{Exact: "1"}, []string{"big"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			fields, unencodable, _ := encode(t, &c.sample, c.unreadable...)
			if fields[c.field] != "null" || !strings.Contains(strings.Join(unencodable, " "), c.field) {
				t.Fatalf("%s is %s, unencodable %v", c.field, fields[c.field], unencodable)
			}
		})
	}
}
