package rules_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/rules"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

func each(t *testing.T, test func(t *testing.T, db *gorm.DB)) {
	t.Helper()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		m := &rule.Model{Name: "orders", PrimaryKey: []string{"id"}, Fields: []rule.Field{{Name: "id", Type: rule.Integer}, {Name: "email", Type: rule.String}}}
		if err := catalog.Save(t.Context(), db, m); err != nil {
			t.Fatal(err)
		}
		test(t, db)
	})
}

func valid() *rules.Notification {
	return &rules.Notification{
		Title: "Order {{ doc.id }}", Message: "There.", Active: true, Channel: rules.Email, Model: "orders", Trigger: rules.OnNew,
		Recipients: []rules.Recipient{{DocumentField: "doc.email"}},
	}
}

func TestABookKeepsOnlyWhatIsValidAndTellsOfChanges(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *gorm.DB) {
		changes := 0
		book := rules.New(db, rules.Options{DefaultRegion: "US", OnChange: func(context.Context) { changes++ }})
		wrong := valid()
		wrong.Message, wrong.Recipients = "{{ doc.emial }}", nil
		err := book.Create(t.Context(), wrong, "ann")
		if problems, ok := rules.IsInvalid(err); !ok || problems["message"] == "" || problems["recipients"] == "" || changes > 0 {
			t.Fatalf("got %v after %d changes", err, changes)
		}
		n := valid()
		if err := book.Create(t.Context(), n, "ann"); err != nil || n.ID == "" || changes != 1 {
			t.Fatalf("got %+v, %v after %d changes", n, err, changes)
		}
		n.Title = "{{ x }}"
		if err := book.Update(t.Context(), n, "ann"); err == nil {
			t.Error("an invalid change was kept")
		}
		kept, err := book.Get(t.Context(), n.ID)
		if err != nil || kept.Title != "Order {{ doc.id }}" {
			t.Errorf("it has become %+v, %v", kept, err)
		}
		twin, err := book.Duplicate(t.Context(), n.ID, "ann")
		if err != nil || twin.Active || twin.Title != "Duplicate - Order {{ doc.id }}" || changes != 2 {
			t.Errorf("got %+v, %v after %d changes", twin, err, changes)
		}
		if changed, err := book.SetActive(t.Context(), []string{n.ID, twin.ID}, false, "ann"); err != nil || changed != 1 || changes != 3 {
			t.Errorf("%d changed, %v, after %d changes", changed, err, changes)
		}
		if err := book.Delete(t.Context(), n.ID, "ann"); err != nil || changes != 4 {
			t.Errorf("got %v after %d changes", err, changes)
		}
		for name, err := range map[string]error{"deleted twice": book.Delete(t.Context(), n.ID, "ann"), "changed": book.Update(t.Context(), kept, "ann")} {
			if !errors.Is(err, rules.ErrNotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestADuplicateOfALongTitleFits(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *gorm.DB) {
		book, n := rules.New(db, rules.Options{}), valid()
		for len(n.Title) < rule.TitleLimit {
			n.Title += "x"
		}
		if err := book.Create(t.Context(), n, "ann"); err != nil {
			t.Fatal(err)
		}
		twin, err := book.Duplicate(t.Context(), n.ID, "ann")
		if err != nil || len([]rune(twin.Title)) != rule.TitleLimit {
			t.Errorf("%d characters, %v", len(twin.Title), err)
		}
	})
}

func TestAChangeOnTopOfAnOlderVersionIsRefused(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *gorm.DB) {
		book, n := rules.New(db, rules.Options{}), valid()
		if err := book.Create(t.Context(), n, "ann"); err != nil {
			t.Fatal(err)
		}
		mine, theirs := *n, *n
		theirs.Title = "Theirs"
		if err := book.UpdateFrom(t.Context(), &theirs, 1, "ben"); err != nil || theirs.Version != 2 {
			t.Fatalf("version %d, %v", theirs.Version, err)
		}
		mine.Title = "Mine"
		if err := book.UpdateFrom(t.Context(), &mine, 1, "ann"); !errors.Is(err, rules.ErrVersionConflict) {
			t.Errorf("the error is %v", err)
		}
		if kept, err := book.Get(t.Context(), n.ID); err != nil || kept.Title != "Theirs" {
			t.Errorf("it has become %+v, %v", kept, err)
		}
		if err := book.UpdateFrom(t.Context(), &mine, 2, "ann"); err != nil || mine.Version != 3 {
			t.Errorf("version %d, %v", mine.Version, err)
		}
	})
}
