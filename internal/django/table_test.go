package django

import (
	"testing"

	"github.com/silquetech/silque-notifications/internal/catalog"
)

func TestATableIsFoundByAppAndModelAndNeverByTheLabel(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, identifier string
		tables           []string
		mappings         []Mapping
		want, says       string
	}{
		{"Django's own name", "shop ~ Order ~ order", []string{"shop_order", "order", "orders"}, nil, "shop_order", ""},
		{"the model", "shop ~ Order ~ x", []string{"order", "orders"}, nil, "order", ""},
		{"its plural", "shop ~ Order ~ x", []string{"orders"}, nil, "orders", ""},
		{"its plural in ies", "shop ~ Category ~ x", []string{"categories"}, nil, "categories", ""},
		{"its plural in ys", "shop ~ Day ~ x", []string{"days"}, nil, "days", ""},
		{"its plural in es", "shop ~ Address ~ x", []string{"addresses"}, nil, "addresses", ""},
		{"words", "shop ~ PurchaseOrder ~ x", []string{"purchase_order"}, nil, "purchase_order", ""},
		{"words in the plural", "shop ~ PurchaseOrder ~ x", []string{"purchase_orders"}, nil, "purchase_orders", ""},
		{"words with capitals", "shop ~ HTMLPage ~ x", []string{"html_pages"}, nil, "html_pages", ""},
		{"a changed label", "shop ~ Order ~ Kauf ~ neu", []string{"orders"}, nil, "orders", ""},
		{"no label", "shop~Order", []string{"orders"}, nil, "orders", ""},
		{"dotted", "shop.Order", []string{"orders"}, nil, "orders", ""},
		{"a mapping comes first", "shop ~ Order ~ x", []string{"shop_order", "sales"}, []Mapping{{"Shop.order", "sales"}}, "sales", ""},
		{"the label is not the model", "shop ~ Purchase ~ orders", []string{"orders"}, nil, "", "--map shop.Purchase=table"},
		{"nothing is like it", "shop ~ Order ~ x", []string{"customers"}, nil, "", "no table is known for shop.Order"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			models := catalog.Set{}
			for _, name := range test.tables {
				models[name] = &catalog.Model{Name: name}
			}
			id, err := parseIdentifier(test.identifier)
			if err != nil {
				t.Fatal(err)
			}
			found, err := newTables(models, test.mappings, []identifier{id})
			if err != nil {
				t.Fatal(err)
			}
			m, err := found.find(id)
			switch {
			case test.want == "" && err != nil:
				has(t, err.Error(), test.says)
			case err != nil || m.Name != test.want:
				t.Errorf("it is %v, error %v; want %s", m, err, test.want)
			}
		})
	}
}

func TestTwoModelsOfOneNameAreNotTakenForOneTable(t *testing.T) {
	t.Parallel()
	shop, stock := identifier{"shop", "Order"}, identifier{"stock", "order"}
	models := catalog.Set{"orders": {Name: "orders"}, "stock_orders": {Name: "stock_orders"}}
	found, err := newTables(models, nil, []identifier{shop, stock})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := found.find(shop); err == nil {
		t.Errorf("it is %s", m.Name)
	} else {
		has(t, err.Error(), "shop.Order and stock.order could all be the table orders", "--map shop.Order=table")
	}
	found, err = newTables(models, []Mapping{{"stock.Order", "stock_orders"}}, []identifier{shop, stock})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := found.find(shop); err != nil || m.Name != "orders" {
		t.Errorf("with a mapping for the other one it is %v, error %v", m, err)
	}
}

func TestAMappingToNoTableIsAnError(t *testing.T) {
	t.Parallel()
	_, err := newTables(catalog.Set{}, []Mapping{{"shop.Order", "ordrs"}}, nil)
	if err == nil {
		t.Fatal("no error")
	}
	has(t, err.Error(), "--map shop.Order=ordrs: the catalog has no model ordrs")
}
