package shop

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/testdb"
)

// listen collects what a gorm plugin would hear: the statement, its table, and the request whose context it ran in.
func listen(t *testing.T, db *gorm.DB) func() []string {
	t.Helper()
	var mutex sync.Mutex
	var heard []string
	hear := func(action string) func(*gorm.DB) {
		return func(tx *gorm.DB) {
			mutex.Lock()
			defer mutex.Unlock()
			heard = append(heard, fmt.Sprintf("%s %s %d in %v", action, tx.Statement.Table, tx.RowsAffected, tx.Statement.Context.Value(visitKey{})))
		}
	}
	callbacks := db.Callback()
	for _, err := range []error{
		callbacks.Create().After("gorm:create").Register("listen", hear("create")),
		callbacks.Update().After("gorm:update").Register("listen", hear("update")),
		callbacks.Delete().After("gorm:delete").Register("listen", hear("delete")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return func() []string {
		mutex.Lock()
		defer mutex.Unlock()
		return slices.Clone(heard)
	}
}

func TestEveryChangeIsAGormSaveInTheRequestsContext(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := newStand(t, db)
		heard := listen(t, db)
		s.send("POST", "/demo/api/customers", `{"name":"A"}`, "Content-Type", jsonType, "Visit", "1")
		s.send("POST", "/demo/api/orders", `{"customer_id":1}`, "Content-Type", jsonType, "Visit", "2")
		s.send("PATCH", "/demo/api/orders/1", `{"status":"CLOSED"}`, "Content-Type", jsonType, "Visit", "3")
		s.send("PATCH", "/demo/api/orders/1", `{"status":7}`, "Content-Type", jsonType, "Visit", "4")
		s.send("DELETE", "/demo/api/customers/1", "", "Visit", "5")
		want := []string{
			"create customers 1 in 1", "create orders 1 in 2", "update orders 1 in 3",
			"update orders 1 in 5", "delete customers 1 in 5",
		}
		if got := heard(); !slices.Equal(got, want) {
			t.Errorf("heard %q, want %q", got, want)
		}
	})
}

func TestARowThatIsReferredToCanBeDeleted(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := newStand(t, db)
		if err := Seed(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		for path, column := range map[string]string{"customers/1": "customer_id", "suppliers/1": "supplier_id", "employees/1": "employee_id"} {
			if got := s.json(http.MethodDelete, "/demo/api/"+path, ""); got.status != http.StatusNoContent {
				t.Fatalf("%s: %d %s", path, got.status, got.body)
			}
			if order := s.object(s.json(http.MethodGet, "/demo/api/orders/1", ""), http.StatusOK); order[column] != nil {
				t.Errorf("%s is gone, and the order has %s %v", path, column, order[column])
			}
		}
		if order := s.object(s.json(http.MethodGet, "/demo/api/orders/2", ""), http.StatusOK); order["customer_id"] != 2.0 {
			t.Errorf("another customer's order is %v", order)
		}
	})
}

func TestChangesOfDifferentFieldsAtOnceAreBothKept(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := newStand(t, db)
		s.json(http.MethodPost, "/demo/api/customers", `{"name":"A"}`)
		var changes sync.WaitGroup
		for _, field := range []string{"name", "email", "phone"} {
			changes.Go(func() {
				for i := range 15 {
					want := fmt.Sprint(i)
					got := s.json(http.MethodPatch, "/demo/api/customers/1", fmt.Sprintf(`{"%s":"%s"}`, field, want))
					later := s.json(http.MethodGet, "/demo/api/customers/1", "")
					// Nobody else changes this field: an older value is what another change's stale row brought back.
					if got.status != http.StatusOK || s.object(later, http.StatusOK)[field] != want {
						t.Errorf("%s was set to %s (%d), and later the row is %s", field, want, got.status, later.body)
						return
					}
				}
			})
		}
		changes.Wait()
	})
}

func TestAChangeLeavesCreatedAtInTheDatabaseAsItWas(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := newStand(t, db)
		s.json(http.MethodPost, "/demo/api/customers", `{"name":"A"}`)
		stored := func() (created string) {
			if err := db.Raw("SELECT CAST(created_at AS text) || '' FROM customers").Scan(&created).Error; err != nil || created == "" {
				t.Fatalf("created_at is %q (%v)", created, err)
			}
			return created
		}
		before := stored()
		s.object(s.json(http.MethodPatch, "/demo/api/customers/1", `{"name":"B"}`), http.StatusOK)
		if after := stored(); after != before {
			t.Errorf("created_at was %s and is %s", before, after)
		}
	})
}

func TestMigrateAndSeedCanBeRepeated(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		for range 3 {
			if err := Migrate(t.Context(), db); err != nil {
				t.Fatal(err)
			}
			if err := Seed(t.Context(), db); err != nil {
				t.Fatal(err)
			}
		}
		for name, want := range map[string]int64{"customers": 3, "suppliers": 2, "employees": 2, "orders": 3, "invoices": 2} {
			var n int64
			if err := db.Table(name).Count(&n).Error; err != nil || n != want {
				t.Errorf("%d %s, want %d (%v)", n, name, want, err)
			}
		}
		var order Order
		if err := db.Preload("Customer").Preload("Invoices").Take(&order, 2).Error; err != nil {
			t.Fatal(err)
		}
		if order.Customer == nil || order.Customer.Name != "Corner Café" || len(order.Invoices) != 1 || order.Invoices[0].Total != order.Amount {
			t.Errorf("the seeded order is %+v", order)
		}
	})
}

func TestSeedLeavesAShopAloneThatHasAnyRow(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	newStand(t, db)
	if err := db.Create(&Invoice{Number: "mine"}).Error; err != nil {
		t.Fatal(err)
	}
	if err := Seed(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	var customers int64
	if err := db.Model(&Customer{}).Count(&customers).Error; err != nil || customers != 0 {
		t.Errorf("%d customers (%v)", customers, err)
	}
}

func TestModelsListsEveryTableOnce(t *testing.T) {
	t.Parallel()
	listed := map[reflect.Type]bool{}
	for _, m := range Models() {
		listed[reflect.TypeOf(m)] = true
	}
	for _, m := range models {
		if !listed[reflect.TypeOf(m.blank())] {
			t.Errorf("Models lacks %s", m.name)
		}
	}
	if len(listed) != len(models) {
		t.Errorf("%d models, want %d", len(listed), len(models))
	}
}
