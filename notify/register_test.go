package notify_test

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/notify"
)

func TestRegistrationWritesTheModelIntoTheDatabase(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		set, err := catalog.Load(t.Context(), s.db)
		must(t, err)
		m, ok := set.Model("orders")
		if !ok || m.Label != "Orders" || !reflect.DeepEqual(m.PrimaryKey, []string{"id"}) {
			t.Fatalf("orders: %+v", m)
		}
		for _, want := range []rule.Field{
			{Name: "id", Label: "ID", Type: rule.Integer},
			{Name: "number", Label: "Number", Type: rule.String},
			{Name: "amount", Label: "Amount", Type: rule.Decimal, Scale: 2},
			{Name: "weight", Label: "Weight", Type: rule.Float},
			{Name: "paid", Label: "Paid", Type: rule.Boolean},
			{Name: "due_date", Label: "Due date", Type: rule.Date, Nullable: true},
			{Name: "customer_id", Label: "Customer ID", Type: rule.Integer, Nullable: true},
			{Name: "ship_city", Label: "Town", Type: rule.String},
			{Name: "created_at", Label: "Created at", Type: rule.DateTime},
			{Name: "deleted_at", Label: "Deleted at", Type: rule.DateTime, Nullable: true},
		} {
			if got, _ := m.Field(want.Name); got != want {
				t.Errorf("field %+v, want %+v", got, want)
			}
		}
		want := rule.Relation{Name: "customer", Label: "Customer", Kind: rule.BelongsTo, Model: "customers", Field: "customer_id", RemoteField: "id"}
		if got, _ := m.Relation("customer"); got != want {
			t.Errorf("relation %+v, want %+v", got, want)
		}
		customers, _ := set.Model("customers")
		want = rule.Relation{Name: "orders", Label: "Orders", Kind: rule.HasMany, Model: "orders", Field: "id", RemoteField: "customer_id"}
		if got, _ := customers.Relation("orders"); got != want {
			t.Errorf("relation %+v, want %+v", got, want)
		}
		if _, there := customers.Field("password"); there {
			t.Error("the hidden column is in the catalog")
		}
		lines, _ := set.Model("lines")
		if !reflect.DeepEqual(lines.PrimaryKey, []string{"order_number", "position"}) {
			t.Errorf("composite key %v", lines.PrimaryKey)
		}
		must(t, s.plugin.Register(allModels...)) // again
	})
}

// quotedTable has a table whose name breaks out of its quotes.
type quotedTable struct{ ID int }

func (quotedTable) TableName() string { return "a`; DROP TABLE notify_events; --" }

func TestRegistrationNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	plugin := notify.New(notify.Options{})
	defer func() { _ = plugin.Close() }()
	if err := plugin.Register(&tagRow{}); err == nil || !strings.Contains(err.Error(), "db.Use") {
		t.Fatalf("before db.Use: %v", err)
	}
	if err := plugin.Refresh(t.Context()); err == nil || !strings.Contains(err.Error(), "db.Use") {
		t.Fatalf("before db.Use: %v", err)
	}
	must(t, db.Use(plugin))
	type keyless struct{ Name string }
	type secretKey struct {
		ID string `notify:"-"`
	}
	type odd struct {
		ID   int
		Name string `notify:"type:colour"`
	}
	type named struct {
		ID   int
		Name string `gorm:"column:a\"b"`
	}
	for _, c := range []struct {
		model any
		want  string
	}{
		{&named{}, "holds a quote"}, {&quotedTable{}, "holds a quote"}, {&keyless{}, "primary key"}, {&secretKey{}, "primary key"}, {&odd{}, "unknown type"}, {"text", "no gorm model"},
	} {
		if err := plugin.Register(c.model); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%T: %v, want %q in it", c.model, err, c.want)
		}
	}
}

func TestThePluginCannotBeUsedTwice(t *testing.T) {
	t.Parallel()
	plugin := notify.New(notify.Options{})
	defer func() { _ = plugin.Close() }()
	must(t, testdb.SQLite(t).Use(plugin))
	if err := testdb.SQLite(t).Use(plugin); err == nil || !strings.Contains(err.Error(), "in use already") {
		t.Fatal(err)
	}
}

func TestUseBringsTheTablesUpToDateUnlessToldOtherwise(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	must(t, db.Exec("DROP TABLE notify_revision").Error)
	plugin := notify.New(notify.Options{SkipMigrations: true})
	if err := db.Use(plugin); err == nil || !strings.Contains(err.Error(), "SkipMigrations") {
		t.Fatalf("without its tables: %v", err)
	}
}

func TestAfterCloseChangesAreStillCaptured(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		must(t, s.plugin.Close())
		must(t, s.plugin.Close())
		must(t, s.db.Create(&tagRow{Slug: "a"}).Error)
		s.expect("create tag_rows a")
	})
}

func TestAModelThatIsNotRegisteredIsLeftAlone(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		plugin := notify.New(notify.Options{})
		must(t, db.AutoMigrate(&tagRow{}))
		must(t, db.Use(plugin))
		defer func() { _ = plugin.Close() }()
		insertRule(t, db, "tag_rows", rule.OnNew)
		must(t, plugin.Refresh(context.Background()))
		must(t, db.Create(&tagRow{Slug: "a"}).Error)
		var events int64
		must(t, db.Table("notify_events").Count(&events).Error)
		if events != 0 {
			t.Fatalf("%d events", events)
		}
	})
}
