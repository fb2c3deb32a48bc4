package catalog

import (
	"encoding/json"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// EncodeColumns gives a snapshot of a row that was read without its Go type, as a map from column to the driver's value.
// A value that has no form in its field's type becomes null.
func EncodeColumns(m *Model, values map[string]any) []byte {
	snapshot := []byte{'{'}
	for i, field := range m.Fields {
		if i > 0 {
			snapshot = append(snapshot, ',')
		}
		name, _ := json.Marshal(field.Name) // a string always encodes
		snapshot = append(append(snapshot, name...), ':')
		encoded, err := encodeColumn(field, values[field.Name])
		if err != nil {
			encoded = []byte("null")
		}
		snapshot = append(snapshot, encoded...)
	}
	return append(snapshot, '}')
}

func encodeColumn(field rule.Field, value any) ([]byte, error) {
	stored, err := columnValue(field.Type, value)
	if err != nil || stored == nil {
		return []byte("null"), err
	}
	scale := -1
	if field.Scale > 0 { // SQLite drops the zeros at the end
		scale = field.Scale
	}
	return appendValue(nil, field.Type, scale, stored)
}

func columnValue(kind rule.FieldType, value any) (any, error) {
	if kind == rule.JSON {
		return jsonOf(value)
	}
	return plain(value)
}
