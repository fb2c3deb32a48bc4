package django

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/internal/address"
	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

// values are the fields of an object in an export.
type values map[string]any

// export builds what manage.py dumpdata silque_notifications writes.
type export struct {
	objects []map[string]any
	layout  layout
	keys    int
}

// layout is how a version of the app keeps a notification's recipients.
type layout string

const (
	// manyToMany is the layout of 0.1.0 and 0.1.1: the notification lists the keys of its recipients.
	manyToMany layout = "lists of keys"
	// foreignKeys are recipients that name their notification.
	foreignKeys layout = "foreign keys"
	// inline are recipients within the notification.
	inline layout = "within the notification"
)

var layouts = []layout{manyToMany, foreignKeys, inline}

func (e *export) object(model string, key any, fields values) *export {
	e.objects = append(e.objects, map[string]any{"model": model, "pk": key, "fields": fields})
	return e
}

// notification adds one with the fields of the app's model, changed by these, and its recipients.
func (e *export) notification(key any, changes values, emails, numbers []values) *export {
	fields := values{
		"is_active": true, "channel": "E", "title": "Order {{ doc.number }}", "message": "It is {{ doc.status }}.",
		"model": "shop ~ Order ~ order", "send_alert_on": "U", "value_change_field": nil, "date_field": nil,
		"alert_days": nil, "conditions": nil, "created": "2025-03-01T10:30:00Z", "updated": "2025-03-02T10:30:00.123Z",
		"email_recipients": []any{}, "number_recipients": []any{},
	}
	maps.Copy(fields, changes)
	e.recipients(key, fields, "email_recipients", "silque_notifications.emailrecipient", emails)
	e.recipients(key, fields, "number_recipients", "silque_notifications.numberrecipient", numbers)
	return e.object("silque_notifications.notification", key, fields)
}

func (e *export) recipients(owner any, notification values, list, model string, rows []values) {
	var listed []any
	for _, row := range rows {
		e.keys++
		fields := values{"by_docfield": nil, "created": nil, "updated": nil}
		maps.Copy(fields, row)
		switch e.layout {
		case foreignKeys:
			fields["notification"] = owner
			e.object(model, e.keys, fields)
			delete(notification, list)
		case inline:
			listed = append(listed, fields)
		default:
			listed = append(listed, e.keys)
			e.object(model, e.keys, fields)
		}
	}
	if e.layout != foreignKeys && listed != nil {
		notification[list] = listed
	}
}

func (e *export) String() string {
	if e.objects == nil {
		return "[]"
	}
	encoded, err := json.Marshal(e.objects)
	if err != nil {
		panic(err)
	}
	return string(encoded)
}

// Recipients as the app keeps them.
func byEmail(address string) values      { return values{"by_email": address} }
func byNumber(number string) values      { return values{"by_number": number} }
func byDocField(path string) values      { return values{"by_docfield": path} }
func rows(recipients ...values) []values { return recipients }

// shop is a catalog: orders with their customers.
func shop() catalog.Set {
	id := rule.Field{Name: "id", Type: rule.Integer}
	text := func(name string) rule.Field { return rule.Field{Name: name, Type: rule.String} }
	return catalog.Set{
		"orders": {Name: "orders", PrimaryKey: []string{"id"}, Fields: []rule.Field{
			id, text("number"), text("status"), text("email"), text("phone"), {Name: "amount", Type: rule.Decimal},
			{Name: "customer_id", Type: rule.Integer}, {Name: "due_on", Type: rule.Date},
		}, Relations: []rule.Relation{
			{Name: "customer", Kind: rule.BelongsTo, Model: "customers", Field: "customer_id", RemoteField: "id"},
		}},
		"customers":       {Name: "customers", PrimaryKey: []string{"id"}, Fields: []rule.Field{id, text("email"), text("phone")}},
		"stock_category":  {Name: "stock_category", PrimaryKey: []string{"id"}, Fields: []rule.Field{id, text("email")}},
		"purchase_orders": {Name: "purchase_orders", PrimaryKey: []string{"id"}, Fields: []rule.Field{id, text("email")}},
	}
}

var addresses = address.Normalizer{DefaultRegion: "US"}

// translated reads an export and translates it.
func translated(t *testing.T, e fmt.Stringer, mappings ...Mapping) *translation {
	t.Helper()
	d, err := Read(strings.NewReader(e.String()))
	if err != nil {
		t.Fatal(err)
	}
	result, err := translate(d, shop(), mappings)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// only gives the one notification of an export.
func only(t *testing.T, e fmt.Stringer) *item {
	t.Helper()
	result := translated(t, e)
	if len(result.items) != 1 {
		t.Fatalf("%d notifications, want 1", len(result.items))
	}
	return result.items[0]
}

// has fails the test when a text is not there.
func has(t *testing.T, text string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in:\n%s", want, text)
		}
	}
}
