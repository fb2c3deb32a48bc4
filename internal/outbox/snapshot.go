package outbox

import (
	"database/sql/driver"
	"fmt"
)

// Snapshot is JSON in a text column; nil is SQL's NULL and JSON's null.
type Snapshot []byte

// Value stores the JSON as text: SQLite would keep bytes as a blob, which its text functions do not read.
func (s Snapshot) Value() (driver.Value, error) {
	if s == nil {
		return nil, nil
	}
	return string(s), nil
}

// Scan reads the column.
func (s *Snapshot) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		*s = nil
	case string:
		*s = Snapshot(v)
	case []byte:
		*s = append(Snapshot(nil), v...)
	default:
		return fmt.Errorf("outbox: a snapshot cannot be read from %T", value)
	}
	return nil
}

// MarshalJSON gives the JSON as it is.
func (s Snapshot) MarshalJSON() ([]byte, error) {
	if s == nil {
		return []byte("null"), nil
	}
	return s, nil
}

// UnmarshalJSON keeps the JSON as it is.
func (s *Snapshot) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*s = nil
		return nil
	}
	*s = append(Snapshot(nil), data...)
	return nil
}
