package store_test

import (
	"context"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestWhatWasDeletedLastIsFoundUntilItComesBack(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		ctx, s := t.Context(), store.Notifications{DB: db}
		made := map[string]*rule.Notification{}
		for _, title := range []string{"kept", "first", "second", "back"} {
			n := &rule.Notification{Title: title, Message: "m", Channel: rule.Email, Model: "orders", Trigger: rule.OnNew}
			if err := s.Create(ctx, n, "ann"); err != nil {
				t.Fatal(err)
			}
			made[title] = n
		}
		for _, title := range []string{"first", "back", "second"} {
			if err := s.Delete(ctx, made[title].ID, "ben"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Restore(ctx, made["back"].ID, "ann"); err != nil {
			t.Fatal(err)
		}
		deleted, err := s.Deleted(ctx, 200)
		if err != nil || len(deleted) != 2 || deleted[0].Notification.Title != "second" || deleted[1].Notification.Title != "first" || deleted[0].ChangedBy != "ben" {
			t.Errorf("deleted are %+v, %v", deleted, err)
		}
		if one, err := s.Deleted(ctx, 1); err != nil || len(one) != 1 || one[0].Notification.Title != "second" {
			t.Errorf("the last one is %+v, %v", one, err)
		}
		plans := testdb.Plans(t, db, func(db *gorm.DB) error {
			_, err := store.Notifications{DB: db}.Deleted(context.Background(), 200)
			return err
		})
		for _, plan := range plans {
			if plan.WholeTable(true) { // the index holds nothing else, and is walked from its newest end
				t.Errorf("the whole table is read:\n%s\n%s", plan.Statement, plan.Text)
			}
		}
	})
}
