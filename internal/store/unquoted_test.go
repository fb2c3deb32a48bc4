package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// TestAnErrorThatQuotesAValueLosesIt takes the errors as databases and drivers really make them.
func TestAnErrorThatQuotesAValueLosesIt(t *testing.T) {
	t.Parallel()
	const personal = "ann@example.org"
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		db = db.Session(&gorm.Session{Logger: db.Logger.LogMode(1), SkipDefaultTransaction: true})
		if err := db.Exec("CREATE TABLE people (id integer PRIMARY KEY, address text UNIQUE CHECK (address <> 'x'), at timestamp)").Error; err != nil {
			t.Fatal(err)
		}
		var number int
		var quoting int
		for name, err := range map[string]error{
			"a text for a number":  db.Exec("INSERT INTO people (id) VALUES (CAST(? AS integer))", personal).Error,
			"a text into a number": db.Raw("SELECT ?", personal).Scan(&number).Error,
			"a text for a time":    db.Raw("SELECT id FROM people WHERE at = ?", personal).Scan(&number).Error,
			"a broken text":        db.Raw("SELECT id FROM people WHERE address = ?", personal+"\xff").Scan(&number).Error,
			"what cannot be sent":  db.Raw("SELECT ?", struct{ Address string }{personal}).Scan(&number).Error,
			"a number of texts":    db.Raw("SELECT id FROM people WHERE id = ?", map[string]string{"a": personal}).Scan(&number).Error,
		} {
			if err == nil {
				continue // SQLite takes much
			}
			if strings.Contains(err.Error(), "ann") {
				quoting++
			}
			if said := store.Unquoted(fmt.Errorf("read a person: %w", err)).Error(); strings.Contains(said, "ann") {
				t.Errorf("%s: %s", name, said)
			}
		}
		if quoting == 0 {
			t.Error("no error quotes the value: this test has lost what it looks at")
		}
	})
	if err := errors.New("connection refused"); !errors.Is(store.Unquoted(err), err) || store.Unquoted(nil) != nil {
		t.Error("an error without values is not given as it is")
	}
}
