package django

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// listed saves the shop's catalog.
func listed(t *testing.T, db *gorm.DB) {
	t.Helper()
	for _, m := range shop() {
		if err := catalog.Save(t.Context(), db, m); err != nil {
			t.Fatal(err)
		}
	}
}

// runs an import of this export from a file, and gives what it printed.
func runs(t *testing.T, db *gorm.DB, e fmt.Stringer, r Request) (string, error) {
	t.Helper()
	r.File = filepath.Join(t.TempDir(), "export.json")
	if err := os.WriteFile(r.File, []byte(e.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err := Run(t.Context(), Config{DB: db, Addresses: addresses, Out: &out}, r)
	return out.String(), err
}

// kept gives the notifications of the database by title.
func kept(t *testing.T, db *gorm.DB) map[string]*rule.Notification {
	t.Helper()
	page, err := store.Notifications{DB: db}.List(t.Context(), store.NotificationFilter{}, store.Paging{})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*rule.Notification{}
	for _, n := range page.Items {
		all[n.Title] = n
	}
	return all
}

// mixed is an export of everything: what is valid, what is not, and what belongs to others.
func mixed(l layout) *export {
	e := &export{layout: l}
	e.notification(1, values{"title": "Update"}, rows(byEmail("ann@example.com"), byDocField("doc.email ~ This order email")), rows(byNumber("+12025550123")))
	e.notification(2, values{"title": "Off", "is_active": false, "channel": "S", "send_alert_on": "D"}, nil, rows(byDocField("phone")))
	e.notification(3, values{"title": "Changed", "channel": "W", "send_alert_on": "V", "value_change_field": "customer ~ Customer"}, nil, rows(byNumber("(202) 555-0123")))
	e.notification(4, values{"title": "Unknown model", "model": "hr ~ Person ~ person"}, rows(byEmail("ann@example.com")), nil)
	e.notification(5, values{"title": "Broken", "conditions": "doc.statis == \"A\"\ndoc.amount >"}, rows(byEmail("not an address")), nil)
	e.notification(6, values{"title": "Nobody", "send_alert_on": "N"}, rows(values{}), nil)
	return e.object("auth.permission", 9, values{"name": "x"})
}

func TestWhatIsValidIsImportedAndTheRestIsExplained(t *testing.T) {
	t.Parallel()
	for _, l := range layouts {
		t.Run(string(l), func(t *testing.T) {
			t.Parallel()
			testdb.Each(t, func(t *testing.T, db *gorm.DB) {
				listed(t, db)
				out, err := runs(t, db, mixed(l), Request{})
				if err == nil || !strings.Contains(err.Error(), "3 notifications of 6 could not be carried over") {
					t.Errorf("error %v", err)
				}
				all := kept(t, db)
				if len(all) != 3 || all["Update"] == nil || all["Off"] == nil || all["Changed"] == nil {
					t.Fatalf("these were imported: %v", all)
				}
				if all["Off"].Active || !all["Update"].Active || all["Changed"].ValueChangeField != "customer_id" ||
					all["Update"].CreatedAt.Format("2006-01-02") != "2025-03-01" {
					t.Errorf("they became %+v, %+v, %+v", all["Off"], all["Update"], all["Changed"])
				}
				has(t, out, `imported       1 "Update" (orders, update, email) as `+all["Update"].ID, "1 number recipient was left out",
					`imported       2 "Off" (orders, delete, sms, inactive)`, "note: value_change_field: customer is the column customer_id here",
					`not carried    4 "Unknown model" (update, email)`, "    model: no table is known for hr.Person",
					"    conditions: line 1", "\n      line 2", `    recipients[0].address "not an address": `,
					`not carried    6 "Nobody"`, "at least one recipient is needed", "1 object was skipped, being of other apps: auth.permission (1)",
					"shop.Order is the table orders here.", "imported 3, not carried 3.")
			})
		})
	}
}

func TestADryRunSaysTheSameAndWritesNothing(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	listed(t, db)
	out, err := runs(t, db, mixed(manyToMany), Request{DryRun: true})
	if err == nil || !strings.Contains(err.Error(), "3 notifications of 6 cannot be carried over") {
		t.Errorf("error %v", err)
	}
	has(t, out, `will import    1 "Update"`, `cannot carry   4 `, "will import 3, cannot carry 3.", "nothing was written")
	var rows int64
	for _, table := range []string{"notify_notifications", "notify_imports", "notify_notification_versions"} {
		if err := db.Table(table).Count(&rows).Error; err != nil || rows != 0 {
			t.Errorf("%s has %d rows, error %v", table, rows, err)
		}
	}
	if revision, err := (store.Notifications{DB: db}).Revision(t.Context()); err != nil || revision != 1 {
		t.Errorf("revision %d, error %v", revision, err)
	}
}

func TestAnImportCanBeRepeated(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		listed(t, db)
		ann := rows(byEmail("ann@example.com"))
		first := (&export{}).notification(1, values{"title": "A"}, ann, nil).notification(2, values{"title": "B"}, ann, nil)
		for range 2 {
			if out, err := runs(t, db, first, Request{}); err != nil {
				t.Fatalf("error %v:\n%s", err, out)
			}
		}
		out, err := runs(t, db, first, Request{DryRun: true})
		if err != nil || len(kept(t, db)) != 2 {
			t.Errorf("error %v, %d notifications after three imports", err, len(kept(t, db)))
		}
		has(t, out, "already there 2.", "nothing was written")

		second := (&export{}).notification(1, values{"title": "A2", "model": "shop ~ Order ~ Bestellung"}, ann, nil).
			notification(2, values{"title": "B"}, ann, nil).notification(3, values{"title": "C"}, ann, nil)
		out, err = runs(t, db, second, Request{DryRun: true})
		if err != nil {
			t.Error(err)
		}
		has(t, out, `will update    1 "A2"`, `already there  2 "B"`, `will import    3 "C"`)
		id := kept(t, db)["A"].ID
		if out, err = runs(t, db, second, Request{}); err != nil {
			t.Error(err)
		}
		has(t, out, "imported 1, updated 1, already there 1.")
		if all := kept(t, db); len(all) != 3 || all["A2"] == nil || all["A2"].ID != id || all["A2"].Version != 2 {
			t.Errorf("they are %v", all)
		}
	})
}

func TestWhatWasChangedOrDeletedHereStaysSo(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	listed(t, db)
	ann := rows(byEmail("ann@example.com"))
	e := func(a, b string) *export {
		return (&export{}).notification(1, values{"title": a}, ann, nil).notification(2, values{"title": b}, ann, nil)
	}
	if _, err := runs(t, db, e("A", "B"), Request{}); err != nil {
		t.Fatal(err)
	}
	s, all := store.Notifications{DB: db}, kept(t, db)
	all["A"].Title = "ours"
	if err := s.Update(t.Context(), all["A"], "ann"); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), all["B"].ID, "ann"); err != nil {
		t.Fatal(err)
	}
	out, err := runs(t, db, e("A", "B"), Request{})
	if err != nil {
		t.Errorf("nothing changed there, error %v", err)
	}
	has(t, out, `already there  1 `, `deleted here   2 `)

	for _, dryRun := range []bool{true, false} {
		out, err = runs(t, db, e("A2", "B2"), Request{DryRun: dryRun})
		if err == nil {
			t.Error("no error for what is lost")
		}
		has(t, out, "    import: it was changed here and in the Django app", "    import: it was deleted here since it was imported, and changed")
	}
	if left := kept(t, db); len(left) != 1 || left["ours"] == nil {
		t.Errorf("these are left: %v", left)
	}
}

func TestAMappingSaysWhichTableAModelIs(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	listed(t, db)
	e := (&export{}).notification(1, values{"model": "hr ~ Person ~ person", "title": "T", "message": "M"}, rows(byDocField("email")), nil)
	out, err := runs(t, db, e, Request{Mappings: []Mapping{{"hr.Person", "customers"}, {"hr.Persn", "orders"}}})
	if err != nil || kept(t, db)["T"].Model != "customers" {
		t.Errorf("error %v, became %v", err, kept(t, db)["T"])
	}
	has(t, out, "hr.Person is the table customers here.", "--map hr.Persn: no notification of the export is about that model.")
	if _, err := runs(t, db, e, Request{Mappings: []Mapping{{"hr.Person", "people"}}}); err == nil {
		t.Error("no error for a mapping to no table")
	}
}

func TestStandardInputIsReadForADash(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	listed(t, db)
	e := (&export{}).notification(1, values{"title": "T"}, rows(byEmail("ann@example.com")), nil)
	var out strings.Builder
	err := Run(t.Context(), Config{DB: db, Addresses: addresses, In: strings.NewReader(e.String()), Out: &out}, Request{File: "-"})
	if err != nil || kept(t, db)["T"] == nil {
		t.Errorf("error %v:\n%s", err, &out)
	}
}

func TestWhatTheExportHoldsBesidesIsReportedAsNotCarried(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	listed(t, db)
	e := (&export{}).notification(1, values{"title": "T", "priority": 2}, rows(byEmail("ann@example.com")), nil).
		object("silque_notifications.errorlog", 1, values{}).object("silque_notifications.emailrecipient", 99, byEmail("bob@example.com"))
	out, err := runs(t, db, e, Request{})
	if err == nil || !strings.Contains(err.Error(), "not everything else that the export holds") {
		t.Errorf("error %v", err)
	}
	has(t, out, "silque_notifications.errorlog (1)", "silque_notifications.notification.priority (1)", "1 recipient row was not carried over, being part of no notification")
}

func TestRelationsNameTheSettingThatTheyNeed(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	listed(t, db)
	e := (&export{}).notification(1, nil, rows(byDocField("silque.doc.customer.shop.Customer ~ New customer")), nil)
	out, _ := runs(t, db, e, Request{DryRun: true})
	has(t, out, "relations to shop.Customer (1)", "S_NOTIFICATION_RELATIONAL_EMAIL_RECIPIENTS", "NOTIFY_EMAIL_FIELDS")
}

func TestWhatATerminalWouldObeyIsNotPrinted(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	e := (&export{}).notification("\x1b[2Jkey", values{"title": "\x1b[31mred\nnext", "model": "a ~ \x1b[0mB ~ c", "channel": "\x07"}, nil, nil).
		object("other.\x1b[1mthing", 1, values{})
	out, _ := runs(t, db, e, Request{})
	if strings.ContainsAny(out, "\x1b\x07") {
		t.Errorf("it printed %q", out)
	}
}

func TestAnEmptyExportIsNoMistake(t *testing.T) {
	t.Parallel()
	out, err := runs(t, testdb.SQLite(t), &export{}, Request{})
	if err != nil {
		t.Error(err)
	}
	has(t, out, "The export has 0 notifications and 0 recipient rows.")
}

func TestAnImportThatIsStoppedSaysHowFarItCame(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	listed(t, db)
	ctx, cancel := context.WithCancel(t.Context())
	e := (&export{}).notification(1, values{"title": "A"}, rows(byEmail("ann@example.com")), nil).
		notification(2, values{"title": "B"}, rows(byEmail("ann@example.com")), nil)
	out := &stopping{cancel: cancel}
	err := Run(ctx, Config{DB: db, Addresses: addresses, In: strings.NewReader(e.String()), Out: out}, Request{File: "-"})
	if err == nil || !strings.Contains(err.Error(), "stopped at notification 2") {
		t.Errorf("error %v", err)
	}
	has(t, out.String(), "imported 1.")
	if all := kept(t, db); len(all) != 1 || all["A"] == nil {
		t.Errorf("these are there: %v", all)
	}
	printed, err := runs(t, db, e, Request{})
	if err != nil || len(kept(t, db)) != 2 {
		t.Errorf("the repeated import: error %v:\n%s", err, printed)
	}
}

// stopping cancels the import once it has printed something.
type stopping struct {
	strings.Builder
	cancel context.CancelFunc
}

// Write keeps what is printed.
func (s *stopping) Write(p []byte) (int, error) {
	s.cancel()
	return s.Builder.Write(p)
}

func TestAFileThatIsNotThereIsNamed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "none.json")
	err := Run(t.Context(), Config{DB: testdb.SQLite(t), Out: &strings.Builder{}}, Request{File: file})
	if err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("error %v", err)
	}
}
