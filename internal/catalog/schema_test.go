package catalog_test

import (
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/rule"
)

type staff struct {
	ID        int64
	WorkMail  string `notify:"address:email;label:Mail at work"`
	Desk      string `notify:"address:number"`
	DeletedAt gorm.DeletedAt
}

type badStaff struct {
	ID   int64
	Mail string `notify:"address:pigeon"`
}

func described(t *testing.T, model any) (*catalog.Model, error) {
	t.Helper()
	s, err := schema.Parse(model, new(sync.Map), schema.NamingStrategy{})
	if err != nil {
		t.Fatal(err)
	}
	return catalog.Describe(s)
}

func TestAModelSaysWhereItsAddressesAreAndHowItsRowsAreDeleted(t *testing.T) {
	t.Parallel()
	m, err := described(t, &staff{})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"work_mail": rule.HoldsEmail, "desk": rule.HoldsNumber, "id": ""} {
		if f, ok := m.Field(name); !ok || f.Address != want {
			t.Errorf("%s holds %q, want %q", name, f.Address, want)
		}
	}
	if m.SoftDelete != "deleted_at" {
		t.Errorf("rows are deleted by %q", m.SoftDelete)
	}
	if _, err := described(t, &badStaff{}); err == nil || !strings.Contains(err.Error(), "write email or number") {
		t.Errorf("an unknown kind of address: %v", err)
	}
}
