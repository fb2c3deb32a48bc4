package datealert

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// keyTextLimit bounds the part of an idempotency key that is the row's own; a longer one is hashed.
const keyTextLimit = 100

// idempotencyKey names an alert: the notification, how it counts, the row and the value of its date. A notification that
// tells another number of days before is another alert.
func idempotencyKey(n *rule.Notification, key string, date time.Time) string {
	if len(key) > keyTextLimit {
		sum := sha256.Sum256([]byte(key))
		key = hex.EncodeToString(sum[:])
	}
	days := 0
	if n.AlertDays != nil {
		days = *n.AlertDays
	}
	return fmt.Sprintf("alert:%s:%s %s %d%s:%s:%s", n.ID, n.Trigger, n.DateField, days, n.AlertUnit, key, date.UTC().Format(time.RFC3339Nano))
}

// keyText is a row's primary key as an event carries it: its values, joined by commas.
func keyText(m *rule.Model, doc rule.Document) string {
	parts := make([]string, len(m.PrimaryKey))
	for i, column := range m.PrimaryKey {
		field, _ := m.Field(column)
		parts[i] = rule.Text(field.Type, doc[column])
	}
	return strings.Join(parts, ",")
}

// keyOf is a row's primary key as the place of a scan keeps it.
func keyOf(m *rule.Model, doc rule.Document) string {
	values := make(map[string]any, len(m.PrimaryKey))
	for _, column := range m.PrimaryKey {
		values[column] = doc[column]
	}
	encoded, _ := json.Marshal(values) // values of a snapshot always encode
	return string(encoded)
}

// after gives the primary key of the last row that was looked at; nil at the beginning.
func (w *scan) after() []any {
	if w.place.AfterKey == "" {
		return nil
	}
	keys := &rule.Model{Name: w.model.Name, PrimaryKey: w.model.PrimaryKey}
	for _, column := range w.model.PrimaryKey {
		field, _ := w.model.Field(column)
		keys.Fields = append(keys.Fields, field)
	}
	doc, err := rule.DecodeDocument(keys, json.RawMessage(w.place.AfterKey))
	if err != nil {
		return nil // the key has changed its type: begin anew, which makes no event twice
	}
	values := make([]any, len(keys.PrimaryKey))
	for i, column := range keys.PrimaryKey {
		values[i] = doc[column]
	}
	return values
}
