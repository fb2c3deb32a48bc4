package audit_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/audit"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

func record(t *testing.T, db *gorm.DB, entries ...audit.Entry) {
	t.Helper()
	for _, e := range entries {
		if err := audit.RecordTx(db, e); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEntriesAreListedNewestFirstPageByPageAndFiltered(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		for i := range 7 {
			record(t, db, audit.Entry{Actor: fmt.Sprintf("%d@example.com", i%2), Action: "notification.changed", TargetID: fmt.Sprint(i)})
		}
		record(t, db, audit.Entry{Actor: "0@example.com", Action: "user.invited", TargetID: "u", Detail: "ann@example.com"})
		var ids []string
		for cursor, pages := "", 0; ; pages++ {
			page, next, err := audit.List(t.Context(), db, audit.Filter{Target: "notification"}, cursor, 3)
			if err != nil || pages > 3 {
				t.Fatal(pages, err)
			}
			for _, r := range page {
				ids = append(ids, r.TargetID)
			}
			if cursor = next; cursor == "" {
				break
			}
		}
		if got := strings.Join(ids, ""); got != "6543210" {
			t.Errorf("the pages give %s", got)
		}
		for _, test := range []struct {
			filter audit.Filter
			want   int
		}{
			{audit.Filter{}, 8},
			{audit.Filter{Actor: "0@example.com"}, 5},
			{audit.Filter{Action: "user.invited"}, 1},
			{audit.Filter{TargetID: "3"}, 1},
			{audit.Filter{Actor: "1@example.com", Action: "user.invited"}, 0},
		} {
			page, _, err := audit.List(t.Context(), db, test.filter, "", 0)
			if err != nil || len(page) != test.want {
				t.Errorf("%+v gives %d entries, want %d: %v", test.filter, len(page), test.want, err)
			}
		}
	})
}

func TestAnEntryGoesWithItsTransaction(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		undo := errors.New("undo")
		err := db.Transaction(func(tx *gorm.DB) error {
			record(t, tx, audit.Entry{Actor: "ann", Action: "user.invited"})
			return undo
		})
		if !errors.Is(err, undo) {
			t.Fatal(err)
		}
		if page, _, err := audit.List(t.Context(), db, audit.Filter{}, "", 0); err != nil || len(page) != 0 {
			t.Errorf("kept %+v, %v", page, err)
		}
	})
}

func TestAnEntryIsKeptWhateverWordsItHolds(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		record(t, db, audit.Entry{Actor: "token f\xfcr\x00", Action: "a.b", TargetID: "\x00", Detail: "f\xfcr\x00 Sie"})
		page, _, err := audit.List(t.Context(), db, audit.Filter{}, "", 0)
		if err != nil || len(page) != 1 || page[0].Actor != "token f\uFFFDr " || page[0].TargetID != " " || page[0].Detail != "f\uFFFDr  Sie" {
			t.Errorf("%+v, %v", page, err)
		}
	})
}

func TestADetailStaysALine(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	record(t, db, audit.Entry{Action: "a.b", Detail: strings.Repeat("é", 600)})
	page, _, err := audit.List(t.Context(), db, audit.Filter{}, "", 0)
	if err != nil || len([]rune(page[0].Detail)) != 500 || page[0].Target != "a" {
		t.Errorf("%+v, %v", page, err)
	}
}

func TestNoListOfEntriesReadsTheWholeLog(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		for i := range 200 {
			record(t, db, audit.Entry{Actor: fmt.Sprint(i), Action: fmt.Sprint("a.", i), TargetID: fmt.Sprint(i)})
		}
		for name, f := range map[string]audit.Filter{
			"nothing": {}, "actor": {Actor: "7"}, "action": {Action: "a.7"}, "target": {Target: "a"}, "ID": {TargetID: "7"},
		} {
			plans := testdb.Plans(t, db, func(db *gorm.DB) error {
				_, _, err := audit.List(context.Background(), db, f, "", 0)
				return err
			})
			for _, plan := range plans {
				if plan.WholeTable(f == audit.Filter{}) {
					t.Errorf("by %s:\n%s\n%s", name, plan.Statement, plan.Text)
				}
			}
			if len(plans) == 0 {
				t.Errorf("by %s: no statement was seen", name)
			}
		}
	})
}
