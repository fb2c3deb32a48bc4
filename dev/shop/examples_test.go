package shop

import (
	"slices"
	"sync"
	"testing"

	"gorm.io/gorm/schema"

	"github.com/silquetech/silque-notifications/internal/address"
	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/rule"
)

// described gives the models as the catalog will list them.
func described(t *testing.T) catalog.Set {
	t.Helper()
	set := catalog.Set{}
	for _, m := range Models() {
		parsed, err := schema.Parse(m, &sync.Map{}, schema.NamingStrategy{})
		if err != nil {
			t.Fatal(err)
		}
		entry, err := catalog.Describe(parsed)
		if err != nil {
			t.Fatal(err)
		}
		set[entry.Name] = entry
	}
	return set
}

func TestTheExamplesAreValid(t *testing.T) {
	t.Parallel()
	models := described(t)
	for _, n := range Examples() {
		if err := (rule.Reader{Models: models, Addresses: address.Normalizer{}}).Validate(&n).Err(); err != nil {
			t.Errorf("%q: %v", n.Title, err)
		}
		if !n.Active || n.ID != "" {
			t.Errorf("%q: active %t, ID %q", n.Title, n.Active, n.ID)
		}
	}
}

func TestTheExamplesShowWhatTheSystemCanDo(t *testing.T) {
	t.Parallel()
	examples := Examples()
	for what, shown := range map[string]func(rule.Notification) bool{
		"email":            func(n rule.Notification) bool { return n.Channel == rule.Email },
		"SMS":              func(n rule.Notification) bool { return n.Channel == rule.SMS },
		"WhatsApp":         func(n rule.Notification) bool { return n.Channel == rule.WhatsApp },
		"new":              func(n rule.Notification) bool { return n.Trigger == rule.OnNew },
		"update":           func(n rule.Notification) bool { return n.Trigger == rule.OnUpdate },
		"delete":           func(n rule.Notification) bool { return n.Trigger == rule.OnDelete },
		"value change":     func(n rule.Notification) bool { return n.Trigger == rule.OnValueChange },
		"conditions":       func(n rule.Notification) bool { return n.Conditions != "" },
		"HTML":             func(n rule.Notification) bool { return n.HTMLMessage != "" },
		"direct addresses": func(n rule.Notification) bool { return n.Recipients[0].Address != "" },
		"document fields":  func(n rule.Notification) bool { return n.Recipients[0].DocumentField != "" },
	} {
		if !slices.ContainsFunc(examples, shown) {
			t.Errorf("no example shows %s", what)
		}
	}
}

func TestTheCatalogSeesAmountsDatesAndRelations(t *testing.T) {
	t.Parallel()
	models := described(t)
	for _, c := range []struct {
		model, field string
		want         rule.FieldType
	}{
		{"orders", "amount", rule.Decimal}, {"invoices", "total", rule.Decimal}, {"invoices", "due_date", rule.Date},
		{"invoices", "paid", rule.Boolean}, {"orders", "customer_id", rule.Integer}, {"customers", "created_at", rule.DateTime},
	} {
		if f, ok := models[c.model].Field(c.field); !ok || f.Type != c.want {
			t.Errorf("%s.%s is %q, want %q", c.model, c.field, f.Type, c.want)
		}
	}
	for model, relations := range map[string][]string{
		"orders": {"customer", "supplier", "employee", "invoices"}, "invoices": {"order"},
		"customers": {"orders"}, "suppliers": {"orders"}, "employees": {"orders"},
	} {
		for _, name := range relations {
			if _, ok := models[model].Relation(name); !ok {
				t.Errorf("%s has no relation %s", model, name)
			}
		}
	}
}
