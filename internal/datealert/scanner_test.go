package datealert_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/datealert"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/rules"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

// Invoice is a row with dates, and a key of two columns.
type Invoice struct {
	Shop   string    `gorm:"primaryKey"`
	Number int64     `gorm:"primaryKey;autoIncrement:false"`
	Due    time.Time `gorm:"type:date"`
	PaidAt *time.Time
}

// office is a database with invoices.
type office struct {
	t       *testing.T
	db      *gorm.DB
	book    *rules.Book
	scanner datealert.Scanner
	scans   int
}

func each(t *testing.T, test func(o *office)) {
	t.Helper()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		o := &office{t: t, db: db, book: newBook(db)}
		o.must(db.AutoMigrate(&Invoice{}))
		o.register("due", "paid_at")
		o.scanner = datealert.Scanner{DB: db, Book: o.book, Page: 3}
		test(o)
	})
}

func (o *office) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

// register writes the catalog's entry, with these dates.
func (o *office) register(dates ...string) {
	o.t.Helper()
	m := &rule.Model{Name: "invoices", Label: "Invoice", PrimaryKey: []string{"shop", "number"},
		Fields: []rule.Field{{Name: "shop", Type: rule.String}, {Name: "number", Type: rule.Integer}}, Relations: []rule.Relation{}}
	types := map[string]rule.FieldType{"due": rule.Date, "paid_at": rule.DateTime}
	for _, name := range dates {
		m.Fields = append(m.Fields, rule.Field{Name: name, Type: types[name], Nullable: true})
	}
	o.must(catalog.Save(o.t.Context(), o.db, m))
}

func day(text string) time.Time {
	d, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return d
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

func (o *office) invoice(number int64, due string) {
	o.t.Helper()
	o.must(o.db.Create(&Invoice{Shop: "a", Number: number, Due: day(due)}).Error)
}

// rule makes an active notification, as if it had been active for long.
func (o *office) rule(change func(n *rule.Notification)) *rule.Notification {
	o.t.Helper()
	days := 3
	n := &rule.Notification{
		Title: "Due", Message: "It is due.", Active: true, Channel: rule.Email, Model: "invoices", Trigger: rule.DaysBefore,
		DateField: "due", AlertDays: &days, Recipients: []rule.Recipient{{Address: "ann@example.com"}},
	}
	if change != nil {
		change(n)
	}
	o.must(o.book.Create(o.t.Context(), n, "test"))
	o.activeSince(n, at("2026-01-01T00:00:00Z"))
	return n
}

func (o *office) activeSince(n *rule.Notification, since time.Time) {
	o.t.Helper()
	set := "definition = json_set(definition, '$.active_since', ?)"
	if o.db.Name() == "postgres" {
		set = "definition = jsonb_set(definition::jsonb, '{active_since}', to_jsonb(?::text))::text"
	}
	o.must(o.db.Exec("UPDATE notify_notifications SET "+set+" WHERE id = ?", since.Format(time.RFC3339), n.ID).Error)
}

// scan runs a whole scan at a time, and gives the keys of the rows that have become events by then.
func (o *office) scan(n *rule.Notification, now string) (keys []string) {
	o.t.Helper()
	o.scans++
	for range 50 {
		more, _, err := o.scanner.Scan(o.t.Context(), n.ID, fmt.Sprint("scan-", o.scans), at(now))
		o.must(err)
		if !more {
			break
		}
	}
	var events []outbox.Event
	o.must(o.db.Where("action = 'alert'").Find(&events).Error)
	for _, e := range events {
		if e.NotificationID != n.ID || e.Model != "invoices" || e.Source != outbox.FromAlert || e.Doc == nil || e.OldDoc != nil {
			o.t.Errorf("event %+v", e)
		}
		keys = append(keys, e.Key)
	}
	slices.Sort(keys)
	return keys
}

func (o *office) want(what string, got []string, want ...string) {
	o.t.Helper()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		o.t.Errorf("%s: events of %v, want %v", what, got, want)
	}
}

func TestAnAlertFiresOnceHoweverOftenItsDatesAreLookedAt(t *testing.T) {
	t.Parallel()
	each(t, func(o *office) {
		n := o.rule(func(n *rule.Notification) { n.AlertTime = "09:00" })
		for i := range int64(10) { // more than one page
			o.invoice(i, "2026-07-13")
		}
		o.invoice(20, "2026-07-14")
		o.want("before its time of day", o.scan(n, "2026-07-10T08:59:00Z"))
		var all []string
		for i := range 10 {
			all = append(all, fmt.Sprint("a,", i))
		}
		o.want("at its time of day", o.scan(n, "2026-07-10T09:00:00Z"), all...)
		o.want("again", o.scan(n, "2026-07-10T09:05:00Z"), all...)
		o.want("the day after", o.scan(n, "2026-07-11T09:00:00Z"), append(all, "a,20")...)
	})
}

func TestKeysThatReadTheSameAreTwoRows(t *testing.T) {
	t.Parallel()
	each(t, func(o *office) {
		n := o.rule(nil)
		o.must(o.db.Migrator().DropTable(&Invoice{}))
		o.must(o.db.Exec("CREATE TABLE invoices (shop TEXT, number TEXT, due DATE, paid_at DATE, PRIMARY KEY (shop, number))").Error)
		m := &rule.Model{Name: "invoices", PrimaryKey: []string{"shop", "number"}, Fields: []rule.Field{
			{Name: "shop", Type: rule.String}, {Name: "number", Type: rule.String}, {Name: "due", Type: rule.Date}}}
		o.must(catalog.Save(t.Context(), o.db, m))
		o.must(o.db.Exec("INSERT INTO invoices VALUES ('a,b', 'c', ?, NULL), ('a', 'b,c', ?, NULL)", "2026-07-13", "2026-07-13").Error)
		o.want("both", o.scan(n, "2026-07-10T00:00:00Z"), "a,b,c", "a,b,c")
	})
}

func TestOneOddRowHidesNoOther(t *testing.T) {
	t.Parallel()
	each(t, func(o *office) {
		n := o.rule(nil)
		for i := range int64(8) {
			o.invoice(i, "2026-07-13")
		}
		o.must(o.db.Exec("ALTER TABLE invoices ADD COLUMN total TEXT").Error)
		o.must(o.db.Exec("UPDATE invoices SET total = 'no number' WHERE number = 3").Error)
		m := &rule.Model{Name: "invoices", PrimaryKey: []string{"shop", "number"}, Fields: []rule.Field{{Name: "shop", Type: rule.String},
			{Name: "number", Type: rule.Integer}, {Name: "due", Type: rule.Date}, {Name: "total", Type: rule.Integer}}}
		o.must(catalog.Save(t.Context(), o.db, m))
		if keys := o.scan(n, "2026-07-10T00:00:00Z"); len(keys) != 8 {
			t.Errorf("events of %v, want all 8", keys)
		}
	})
}

func TestARuleThatCountsOtherwiseIsAnotherAlert(t *testing.T) {
	t.Parallel()
	each(t, func(o *office) {
		n := o.rule(nil)
		o.invoice(1, "2026-07-13")
		o.want("three days before", o.scan(n, "2026-07-10T00:00:00Z"), "a,1")
		one := 1
		n.AlertDays = &one
		o.must(o.book.Update(t.Context(), n, "test"))
		o.activeSince(n, at("2026-01-01T00:00:00Z"))
		o.want("a day before", o.scan(n, "2026-07-12T00:00:00Z"), "a,1", "a,1")
	})
}

func TestRowsThatAreDeletedSoftlyAreNotToldOf(t *testing.T) {
	t.Parallel()
	each(t, func(o *office) {
		n := o.rule(nil)
		o.invoice(1, "2026-07-13")
		o.invoice(2, "2026-07-13")
		o.must(o.db.Exec("ALTER TABLE invoices ADD COLUMN deleted_at TIMESTAMP").Error)
		o.must(o.db.Exec("UPDATE invoices SET deleted_at = ? WHERE number = 1", time.Now()).Error)
		m := &rule.Model{Name: "invoices", PrimaryKey: []string{"shop", "number"}, SoftDelete: "deleted_at", Fields: []rule.Field{
			{Name: "shop", Type: rule.String}, {Name: "number", Type: rule.Integer}, {Name: "due", Type: rule.Date}}}
		o.must(catalog.Save(t.Context(), o.db, m))
		o.want("one", o.scan(n, "2026-07-10T00:00:00Z"), "a,2")
	})
}

func TestADateThatIsMovedFiresAgain(t *testing.T) {
	t.Parallel()
	each(t, func(o *office) {
		n := o.rule(nil)
		o.invoice(1, "2026-07-13")
		o.want("the first date", o.scan(n, "2026-07-10T00:00:00Z"), "a,1")
		o.must(o.db.Model(&Invoice{}).Where("number = 1").Update("due", day("2026-07-20")).Error)
		o.want("moved", o.scan(n, "2026-07-10T12:00:00Z"), "a,1")
		o.want("the new date", o.scan(n, "2026-07-17T00:00:00Z"), "a,1", "a,1")
		o.must(o.db.Model(&Invoice{}).Where("number = 1").Update("due", day("2026-07-13")).Error)
		o.want("moved back", o.scan(n, "2026-07-17T12:00:00Z"), "a,1", "a,1")
	})
}

func TestWhatFellDueWhileNothingRanIsMadeUpForWithinTheWindow(t *testing.T) {
	t.Parallel()
	each(t, func(o *office) {
		n := o.rule(nil)
		o.invoice(1, "2026-07-13") // due on the 10th
		o.invoice(2, "2026-07-12")
		o.invoice(3, "2026-07-11") // due on the 8th
		o.want("after a downtime", o.scan(n, "2026-07-11T12:00:00Z"), "a,1", "a,2")
		if n := testCount(t, o.db, "notify_errors"); n != 0 {
			t.Errorf("%d errors", n)
		}
		o.scan(n, "2026-07-20T12:00:00Z")
		page, err := store.Errors{DB: o.db}.List(t.Context(), store.ErrorFilter{}, store.Paging{})
		o.must(err)
		if len(page.Items) != 1 || !strings.Contains(page.Items[0].Message, "from 2026-07-11T12:00:00Z to 2026-07-17T12:00:00Z") {
			t.Errorf("a downtime beyond the window is not reported: %+v", page.Items)
		}
	})
}

func TestARuleDoesNotLookBackBeyondTheDayOnWhichItBecameActive(t *testing.T) {
	t.Parallel()
	each(t, func(o *office) {
		n := o.rule(nil)
		o.activeSince(n, at("2026-07-10T15:00:00Z"))
		o.invoice(1, "2026-07-13")
		o.invoice(2, "2026-07-12")
		o.want("made in the afternoon", o.scan(n, "2026-07-10T15:01:00Z"), "a,1")

		_, err := o.book.SetActive(t.Context(), []string{n.ID}, false, "test")
		o.must(err)
		o.invoice(3, "2026-07-14")
		o.want("paused", o.scan(n, "2026-07-11T12:00:00Z"), "a,1")
		_, err = o.book.SetActive(t.Context(), []string{n.ID}, true, "test")
		o.must(err)
		o.activeSince(n, at("2026-07-12T12:00:00Z"))
		o.invoice(4, "2026-07-15")
		o.want("active again", o.scan(n, "2026-07-12T12:00:00Z"), "a,1", "a,4")
	})
}

func TestHoursCountFromTheMomentAndZonesFromTheirMidnight(t *testing.T) {
	t.Parallel()
	each(t, func(o *office) {
		hours := 36
		n := o.rule(func(n *rule.Notification) {
			n.Trigger, n.DateField, n.AlertDays, n.AlertUnit = rule.DaysAfter, "paid_at", &hours, rule.Hours
		})
		paid := at("2026-03-28T12:00:00Z")
		o.must(o.db.Create(&Invoice{Shop: "b", Number: 7, Due: paid, PaidAt: &paid}).Error)
		o.want("an hour early", o.scan(n, "2026-03-29T23:00:00Z"))
		o.want("in time", o.scan(n, "2026-03-30T00:00:00Z"), "b,7")
	})
}

func TestDatesThatCannotBeReadAreReportedOnceADay(t *testing.T) {
	t.Parallel()
	each(t, func(o *office) {
		n := o.rule(nil)
		o.invoice(1, "2026-07-13")
		o.must(o.db.Migrator().DropColumn(&Invoice{}, "due"))
		o.want("without its column", o.scan(n, "2026-07-10T00:00:00Z"))
		o.register("paid_at")
		o.want("without its field", o.scan(n, "2026-07-10T12:00:00Z"))
		o.want("the day after", o.scan(n, "2026-07-11T00:00:00Z"))
		page, err := store.Errors{DB: o.db}.List(t.Context(), store.ErrorFilter{}, store.Paging{})
		o.must(err)
		if len(page.Items) != 2 || page.Items[0].Code != string(rule.DateAlertFail) || page.Items[0].NotificationID != n.ID {
			t.Errorf("the error log holds %+v", page.Items)
		}
	})
}

func TestAScanGoesOnFromItsPlace(t *testing.T) {
	t.Parallel()
	each(t, func(o *office) {
		o.scanner.Page = 1
		n := o.rule(nil)
		for i := range int64(50) {
			o.invoice(i, "2026-07-13")
		}
		more, events, err := o.scanner.Scan(t.Context(), n.ID, "one", at("2026-07-10T00:00:00Z"))
		if err != nil || !more || events != 20 {
			t.Fatalf("the first step: more %t, %d events, %v", more, events, err)
		}
		o.invoice(100, "2026-07-14") // due a day later than the scan's own time
		more, events, err = o.scanner.Scan(t.Context(), n.ID, "one", at("2026-07-11T00:00:00Z"))
		if err != nil || !more || events != 20 {
			t.Fatalf("the second step: more %t, %d events, %v", more, events, err)
		}
		more, events, err = o.scanner.Scan(t.Context(), n.ID, "one", at("2026-07-11T00:00:00Z"))
		if err != nil || more || events != 10 {
			t.Fatalf("the last step: more %t, %d events, %v", more, events, err)
		}
		place, err := store.AlertScans{DB: o.db}.Get(t.Context(), n.ID)
		if err != nil || place.Scan != "" || place.AfterKey != "" || !place.Until.Equal(at("2026-07-10T00:00:00Z")) {
			t.Errorf("the place that is left is %+v, %v", place, err)
		}
	})
}

func testCount(t *testing.T, db *gorm.DB, table string) (n int64) {
	t.Helper()
	if err := db.Table(table).Count(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

func TestARuleThatIsGoneOrNoAlertHasNothingToScan(t *testing.T) {
	t.Parallel()
	each(t, func(o *office) {
		n := o.rule(func(n *rule.Notification) { n.Trigger = rule.OnNew })
		o.invoice(1, "2026-07-13")
		o.want("another trigger", o.scan(n, "2026-07-10T00:00:00Z"))
		o.must(o.book.Delete(t.Context(), n.ID, "test"))
		o.want("gone", o.scan(n, "2026-07-10T00:00:00Z"))
	})
}

func newBook(db *gorm.DB) *rules.Book { return rules.New(db, rules.Options{DefaultRegion: "US"}) }
