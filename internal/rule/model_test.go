package rule

import (
	"encoding/json"
	"errors"
	"testing"
	"time"
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
		{Name: "customer_id", Type: Integer, Nullable: true},
	},
	Relations: []Relation{
		{Name: "customer", Kind: BelongsTo, Model: "customers", Field: "customer_id", RemoteField: "id"},
		{Name: "items", Kind: HasMany, Model: "items", Field: "id", RemoteField: "order_id"},
	},
}

// customers are the other end of an order's relation, and have orders themselves.
var customers = &Model{
	Name: "customers", Label: "Customer", PrimaryKey: []string{"id"},
	Fields: []Field{
		{Name: "id", Type: Integer}, {Name: "name", Type: String}, {Name: "email", Type: String, Nullable: true},
		{Name: "phone", Type: String, Nullable: true}, {Name: "language", Type: String, Nullable: true},
		{Name: "manager_id", Type: Integer, Nullable: true},
	},
	Relations: []Relation{
		{Name: "manager", Kind: BelongsTo, Model: "employees", Field: "manager_id", RemoteField: "id"},
		{Name: "orders", Kind: HasMany, Model: "orders", Field: "id", RemoteField: "customer_id"},
	},
}

// employees have an address under a name that is not a common one, and a role.
var employees = &Model{
	Name: "employees", Label: "Employee", PrimaryKey: []string{"id"},
	Fields: []Field{
		{Name: "id", Type: Integer}, {Name: "name", Type: String}, {Name: "work_mail", Type: String, Nullable: true},
		{Name: "mobile", Type: String, Nullable: true}, {Name: "role", Type: String, Nullable: true},
	},
	Relations: []Relation{},
}

// items belong to an order.
var items = &Model{
	Name: "items", Label: "Item", PrimaryKey: []string{"id"},
	Fields: []Field{
		{Name: "id", Type: Integer}, {Name: "name", Type: String}, {Name: "price", Type: Decimal}, {Name: "order_id", Type: Integer},
	},
	Relations: []Relation{{Name: "order", Kind: BelongsTo, Model: "orders", Field: "order_id", RemoteField: "id"}},
}

var shop = modelSet{"orders": orders, "customers": customers, "employees": employees, "items": items}

// reader reads notifications about the shop.
func reader() Reader { return Reader{Models: shop, Addresses: plainAddresses{}} }

// orderNames are those that a notification about orders may use.
func orderNames() *scopeNames { return newNames(shop, orders, newNeeds(), time.UTC) }

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
	c, err := reader().Compile(n)
	if err != nil {
		t.Fatalf("compile: %v", err)
	}
	return c
}
