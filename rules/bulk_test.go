package rules_test

import (
	"context"
	"errors"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/rules"
)

func TestManyAreChangedAndTakenBackAndEachTimeItIsTold(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *gorm.DB) {
		changes := 0
		book := rules.New(db, rules.Options{OnChange: func(context.Context) { changes++ }})
		n := valid()
		if err := book.Create(t.Context(), n, "ann"); err != nil {
			t.Fatal(err)
		}
		everything := rules.Selection{Matching: &rules.Filter{}}
		made, err := book.Bulk(t.Context(), rules.BulkDuplicate, everything, "ann")
		if err != nil || made.Changed != 1 || len(made.Made) != 1 || changes != 2 {
			t.Fatalf("%+v, %v after %d changes", made, err, changes)
		}
		if twin, err := book.Get(t.Context(), made.Made[0]); err != nil || twin.Title != "Duplicate - "+n.Title || twin.Active {
			t.Errorf("%+v, %v", twin, err)
		}
		if back, err := book.Undo(t.Context(), made.Revision, "ann"); err != nil || back.Changed != 1 || changes != 3 {
			t.Errorf("%+v, %v after %d changes", back, err, changes)
		}
		if none, err := book.Bulk(t.Context(), rules.BulkActivate, everything, "ann"); err != nil || none.Changed != 0 || changes != 3 {
			t.Errorf("%+v, %v after %d changes", none, err, changes)
		}
		if _, err := book.Duplicate(t.Context(), "none", "ann"); !errors.Is(err, rules.ErrNotFound) {
			t.Errorf("a copy of nothing: %v", err)
		}
	})
}

func TestAnEarlierVersionMustStillBeValidAndADeletedOneComesBackAsItWas(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *gorm.DB) {
		book := rules.New(db, rules.Options{})
		list := &store.List{Name: "Night"}
		if err := (store.Lists{DB: db}).Create(t.Context(), list, "ann"); err != nil {
			t.Fatal(err)
		}
		n := valid()
		n.Recipients = []rule.Recipient{{ListID: list.ID}}
		if err := book.Create(t.Context(), n, "ann"); err != nil {
			t.Fatal(err)
		}
		n.Recipients = []rule.Recipient{{Address: "ann@example.com"}}
		if err := book.Update(t.Context(), n, "ann"); err != nil {
			t.Fatal(err)
		}
		if back, err := book.RestoreVersion(t.Context(), n.ID, 1, "ann"); err != nil || back.Version != 3 || back.Recipients[0].ListID != list.ID {
			t.Fatalf("%+v, %v", back, err)
		}
		if err := book.Delete(t.Context(), n.ID, "ann"); err != nil {
			t.Fatal(err)
		}
		if err := (store.Lists{DB: db}).Delete(t.Context(), list.ID, "ann"); err != nil {
			t.Fatal(err)
		}
		if _, err := book.RestoreVersion(t.Context(), n.ID, 1, "ann"); err == nil {
			t.Error("a version whose list is gone was restored")
		} else if wrong, ok := rules.IsInvalid(err); !ok || wrong["recipients[0].list_id"] == "" {
			t.Errorf("a version whose list is gone: %v", err)
		}
		back, err := book.Restore(t.Context(), n.ID, "ann")
		if err != nil || back.Version != 5 || back.Title != n.Title {
			t.Errorf("%+v, %v", back, err)
		}
		if _, err := book.Restore(t.Context(), n.ID, "ann"); !errors.Is(err, rules.ErrNotDeleted) {
			t.Errorf("what is there: %v", err)
		}
	})
}

func TestSettingsOfOtherTriggersAreDropped(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *gorm.DB) {
		book := rules.New(db, rules.Options{})
		n := valid()
		n.ValueChangeField, n.ValueChangeTo, n.DateField, n.AlertDays, n.AlertTime = "email", new("x"), "due", new(3), "09:00"
		if err := book.Create(t.Context(), n, "ann"); err != nil {
			t.Fatal(err)
		}
		kept, err := book.Get(t.Context(), n.ID)
		if err != nil || kept.ValueChangeField != "" || kept.ValueChangeTo != nil || kept.DateField != "" || kept.AlertDays != nil || kept.AlertTime != "" {
			t.Errorf("%+v, %v", kept, err)
		}
	})
}
