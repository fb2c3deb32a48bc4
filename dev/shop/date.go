package shop

import (
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Date is a day without a time. JSON has it as "2026-01-31"; a time as in RFC 3339 is taken for the day that it names in
// its own zone.
type Date struct{ midnight time.Time }

var errDateForm = errors.New("must be a date such as 2026-01-31")

// DateOf gives the day of a moment, in the moment's own zone.
func DateOf(moment time.Time) Date {
	year, month, day := moment.Date()
	return Date{time.Date(year, month, day, 0, 0, 0, 0, time.UTC)}
}

// ParseDate reads YYYY-MM-DD, or RFC 3339. Its error completes the sentence "due_date …".
func ParseDate(text string) (Date, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if moment, err := time.Parse(layout, text); err == nil && moment.Year() > 0 {
			return DateOf(moment), nil
		}
	}
	return Date{}, errDateForm
}

// String gives YYYY-MM-DD.
func (d Date) String() string { return d.midnight.Format(time.DateOnly) }

// Value gives the database midnight in UTC, which is what a time.Time in a date column would give.
func (d Date) Value() (driver.Value, error) { return d.midnight, nil }

// Scan reads what the databases give: a time, or text.
func (d *Date) Scan(value any) (err error) {
	switch v := value.(type) {
	case time.Time:
		*d = DateOf(v)
		return nil
	case string:
		*d, err = ParseDate(v)
	case []byte:
		*d, err = ParseDate(string(v))
	default:
		return fmt.Errorf("shop: a date cannot be read from a %T", value)
	}
	return err
}

// MarshalJSON gives "2026-01-31".
func (d Date) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// UnmarshalJSON takes a string in one of ParseDate's forms.
func (d *Date) UnmarshalJSON(raw []byte) error {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return errDateForm
	}
	date, err := ParseDate(text)
	if err == nil {
		*d = date
	}
	return err
}
