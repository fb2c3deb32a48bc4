package ledger

import (
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestAModelKeepsItsIdentityWhileItsDefinitionStays(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	l := New(db)
	model := &catalog.Model{Name: "orders", Label: "Orders", PrimaryKey: []string{"id"}, Fields: []rule.Field{{Name: "id", Type: rule.Integer}}}
	save := func() {
		t.Helper()
		if err := catalog.Save(t.Context(), db, model); err != nil {
			t.Fatal(err)
		}
	}
	read := func() *rule.Model {
		t.Helper()
		models, err := l.Models(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		found, _ := models.Model("orders")
		return found
	}
	aged := func() { l.models.readAt = time.Now().Add(-2 * modelsAge) }

	if found := read(); found != nil {
		t.Fatalf("an empty catalog has %+v", found)
	}
	save()
	if found := read(); found != nil {
		t.Error("the catalog was read again at once")
	}
	aged()
	first := read()
	if first == nil {
		t.Fatal("a model that was registered is not seen after a while")
	}
	aged()
	save()
	if read() != first {
		t.Error("the same definition became another model: every compiled rule would be compiled again")
	}
	model.Label = "Sales"
	save()
	if read() != first {
		t.Error("the catalog was read again at once")
	}
	aged()
	if second := read(); second == first || second.Label != "Sales" || first.Label != "Orders" {
		t.Errorf("a changed definition gives %+v", second)
	}
}
