package console

import (
	"fmt"
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestAThousandCausesDoNotMakeAPageOfAThousandLines(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	var entries []*store.ErrorEntry
	for i := range groupsShown + 5 {
		entries = append(entries, &store.ErrorEntry{Code: fmt.Sprintf("code_%03d", i), Source: "send", Message: "refused"})
	}
	if err := (store.Errors{}).RecordTx(db, entries...); err != nil {
		t.Fatal(err)
	}
	v := visit(t, db, account.Editor)
	page := v.page("/errors")
	if rows := strings.Count(page, "<tr data-row"); rows != groupsShown {
		t.Errorf("%d groups are shown, want %d", rows, groupsShown)
	}
	v.holds(page, "5 further groups", fmt.Sprintf("code_%03d", groupsShown+4))
	if len(page) > 80<<10 {
		t.Errorf("the page has %d bytes", len(page))
	}
}
