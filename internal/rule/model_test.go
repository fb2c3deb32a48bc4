package rule

import (
	"encoding/json"
	"errors"
	"testing"
)

// orders is a model with a field of every type.
var orders = &Model{
	Name: "orders", Label: "Order", PrimaryKey: []string{"id"},
	Fields: []Field{
		{Name: "id", Type: Integer}, {Name: "status", Type: String}, {Name: "email", Type: String, Nullable: true},
		{Name: "quantity", Type: Integer, Nullable: true}, {Name: "amount", Type: Decimal, Nullable: true},
		{Name: "weight", Type: Float, Nullable: true}, {Name: "paid", Type: Boolean, Nullable: true},
		{Name: "due", Type: Date, Nullable: true}, {Name: "shipped_at", Type: DateTime, Nullable: true},
		{Name: "opens", Type: Time, Nullable: true}, {Name: "seal", Type: Bytes, Nullable: true},
		{Name: "tags", Type: JSON, Nullable: true}, {Name: "phone", Type: Integer, Nullable: true},
	},
	Relations: []Relation{
		{Name: "customer", Kind: BelongsTo, Model: "customers", Field: "customer_id", RemoteField: "id"},
	},
}

type modelSet map[string]*Model

func (s modelSet) Model(name string) (*Model, bool) {
	m, ok := s[name]
	return m, ok
}

// plainAddresses takes what has an @ for email and what begins with + for the rest.
type plainAddresses struct{}

func (plainAddresses) Normalize(c Channel, raw string) (string, error) {
	if c == Email != (raw[0] != '+') {
		return "", errors.New("not an address of the channel")
	}
	return raw, nil
}

// anOrder is a row with every field filled in.
const anOrder = `{"id":7,"status":"APPROVED","email":"buyer@example.com","quantity":9,"amount":"12.50","weight":0.1,
	"paid":true,"due":"2026-01-31","shipped_at":"2026-01-31T15:04:05Z","opens":"08:30:00","seal":"AAEC",
	"tags":["new",{"a":1.0}],"phone":12025550123,"secret":"left out"}`

func document(t testing.TB, raw string) Document {
	t.Helper()
	doc, err := DecodeDocument(orders, json.RawMessage(raw))
	if err != nil {
		t.Fatalf("decode %s: %v", raw, err)
	}
	return doc
}

// notification is one that is valid.
func notification() *Notification {
	return &Notification{
		ID: "n1", Title: "Order {{ doc.id }}", Message: "It is {{ doc.status }}", Active: true, Channel: Email,
		Model: "orders", Trigger: OnUpdate, Recipients: []Recipient{{Address: "sales@example.com"}},
	}
}

func compiled(t testing.TB, change func(*Notification)) *Compiled {
	t.Helper()
	n := notification()
	change(n)
	c, err := Compile(n, orders)
	if err != nil {
		t.Fatalf("compile: %v", err)
	}
	return c
}
