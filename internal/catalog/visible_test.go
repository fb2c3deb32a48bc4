package catalog_test

import (
	"reflect"
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm/schema"

	"github.com/silquetech/silque-notifications/internal/catalog"
)

type parent struct {
	ID int64
}

type partly struct {
	ID       int64 `gorm:"-:migration"`
	Name     string
	Total    int64  `gorm:"->;-:migration"`
	Secret   string `gorm:"->:false"`
	Full     string `gorm:"->"`
	ParentID int64
	Parent   *parent
}

func TestOnlyReadableColumnsAreDescribed(t *testing.T) {
	t.Parallel()
	parsed, err := schema.Parse(&partly{}, &sync.Map{}, schema.NamingStrategy{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		fields    []*schema.Field
		want      []string
		relations int
	}{
		{"of the struct", catalog.Visible(parsed), []string{"id", "name", "full", "parent_id"}, 1},
		{"of a table that lacks the rest", catalog.Visible(parsed)[:2], []string{"id", "name"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m, err := catalog.DescribeFields(parsed, c.fields)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range m.Fields {
				got = append(got, f.Name)
			}
			if !reflect.DeepEqual(got, c.want) || len(m.Relations) != c.relations {
				t.Fatalf("fields %v and relations %v, want %v and %d", got, m.Relations, c.want, c.relations)
			}
		})
	}
}

func TestAKeyThatCannotBeReadIsRefused(t *testing.T) {
	t.Parallel()
	parsed, err := schema.Parse(&struct {
		ID int64 `gorm:"->:false"`
	}{}, &sync.Map{}, schema.NamingStrategy{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := catalog.Describe(parsed); err == nil || !strings.Contains(err.Error(), "primary key") {
		t.Fatalf("got %v", err)
	}
}
