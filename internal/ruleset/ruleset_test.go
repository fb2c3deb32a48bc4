package ruleset_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/ruleset"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/rules"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

// office is a database with a model, a list, and notifications of every kind.
type office struct {
	*testing.T
	db   *gorm.DB
	set  ruleset.Set
	book *rules.Book
}

func open(t *testing.T, db *gorm.DB) *office {
	t.Helper()
	m := &rule.Model{Name: "orders", PrimaryKey: []string{"id"}, Fields: []rule.Field{
		{Name: "id", Type: rule.Integer}, {Name: "email", Type: rule.String}, {Name: "due", Type: rule.Date}, {Name: "status", Type: rule.String}}}
	if err := catalog.Save(t.Context(), db, m); err != nil {
		t.Fatal(err)
	}
	options := rules.Options{DefaultRegion: "US"}
	return &office{T: t, db: db, set: ruleset.Set{DB: db, Options: options}, book: rules.New(db, options)}
}

func (o *office) must(err error) {
	o.Helper()
	if err != nil {
		o.Fatal(err)
	}
}

// fill stores a list and notifications.
func (o *office) fill() {
	o.Helper()
	list := &store.List{Name: "Night <shift>", Entries: []rule.ListEntry{{Name: "Ann", Email: "ann@example.com"}}}
	o.must(store.Lists{DB: o.db}.Create(o.Context(), list, "ann"))
	for _, n := range []*rule.Notification{
		{Title: "Order {{ doc.id }}", Message: "<b>&", Active: true, Channel: rule.Email, Model: "orders", Trigger: rule.OnNew,
			Recipients: []rule.Recipient{{DocumentField: "doc.email"}, {ListID: list.ID}}, Priority: 1,
			Variants: []rule.Variant{{Locale: "de", Title: "Auftrag", Message: "Da."}}},
		{Title: "Due", Message: "Soon", Channel: rule.SMS, Model: "orders", Trigger: rule.DaysBefore, DateField: "due", AlertDays: new(3),
			Recipients: []rule.Recipient{{Address: "+12025550123"}}},
		{Title: "Due", Message: "Now", Active: true, Channel: rule.Email, Model: "orders", Trigger: rule.OnValueChange, ValueChangeField: "status", ValueChangeTo: new("PAID"),
			Recipients: []rule.Recipient{{Address: "ben@example.com"}}},
	} {
		o.must(o.book.Create(o.Context(), n, "ann"))
	}
}

func (o *office) export(of *store.Selection) string {
	o.Helper()
	var text bytes.Buffer
	_, err := o.set.Export(o.Context(), &text, of)
	o.must(err)
	return text.String()
}

func (o *office) read(text string) *ruleset.File {
	o.Helper()
	f, err := ruleset.Read(strings.NewReader(text))
	o.must(err)
	return f
}

// does plans and imports a file, which must come to the same, and says what became of it.
func (o *office) does(text string, options ruleset.Options) string {
	o.Helper()
	planned, err := o.set.Plan(o.Context(), o.read(text), options)
	o.must(err)
	plan, _, err := o.set.Import(o.Context(), o.read(text), options, "ben")
	if err != nil && !errors.Is(err, ruleset.ErrInvalid) {
		o.Fatal(err)
	}
	if got, want := said(plan), said(planned); got != want {
		o.Errorf("the dry run said %q, and the import %q", want, got)
	}
	return said(plan)
}

func said(p *ruleset.Plan) string {
	var words []string
	for _, item := range p.Items {
		words = append(words, string(item.Status))
	}
	for _, item := range p.Lists {
		words = append(words, "list "+string(item.Status))
	}
	return strings.Join(words, ", ")
}

func each(t *testing.T, test func(o *office)) {
	t.Helper()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) { test(open(t, db)) })
}

func TestWhatIsExportedAndImportedElsewhereIsTheSame(t *testing.T) {
	t.Parallel()
	each(t, func(o *office) {
		o.fill()
		file := o.export(nil)
		if o.export(nil) != file || !strings.Contains(file, `"<b>&"`) {
			t.Errorf("the export is not the same twice, or not readable:\n%s", file)
		}
		there := open(o.T, testdb.SQLite(o.T))
		if got := there.does(file, ruleset.Options{Activate: true}); got != "new, new, new, list new" {
			t.Error(got)
		}
		if again := there.export(nil); again != file {
			t.Errorf("exported\n%s\nand after the import\n%s", file, again)
		}
		if got := there.does(file, ruleset.Options{Activate: true, Overwrite: true}); got != "same, same, same, list same" {
			t.Error(got)
		}
		if got := o.does(file, ruleset.Options{Overwrite: true}); got != "same, same, same, list same" {
			t.Error(got)
		}
		versions, err := store.Notifications{DB: there.db}.Versions(o.Context(), o.read(file).Notifications[0].ID, 0, 9)
		if err != nil || len(versions) != 1 || versions[0].Change != store.Imported || versions[0].ChangedBy != "ben" {
			t.Errorf("%+v, %v", versions, err)
		}
	})
}

func TestWhatIsImportedIsInactiveUnlessAsked(t *testing.T) {
	t.Parallel()
	each(t, func(o *office) {
		o.fill()
		file := o.export(nil)
		there := open(o.T, testdb.SQLite(o.T))
		there.does(file, ruleset.Options{})
		count := func() int64 {
			n, err := store.Notifications{DB: there.db}.Count(o.Context(), store.NotificationFilter{Active: new(true)})
			o.must(err)
			return n
		}
		if count() != 0 {
			t.Errorf("%d are active", count())
		}
		if got := there.does(file, ruleset.Options{Overwrite: true}); got != "same, same, same, list same" || count() != 0 {
			t.Errorf("%s, %d active", got, count())
		}
		if got := there.does(file, ruleset.Options{Overwrite: true, Activate: true}); got != "changed, same, changed, list same" || count() != 2 {
			t.Errorf("%s, %d active", got, count())
		}
	})
}

func TestWhatIsHereIsFoundByItsIDOrItsNameAndKeptOrReplaced(t *testing.T) {
	t.Parallel()
	each(t, func(o *office) {
		o.fill()
		file := o.export(nil)
		changed := strings.Replace(strings.Replace(file, `"Soon"`, `"Sooner"`, 1), `"ann@example.com"`, `"eve@example.com"`, 1)
		if got := o.does(changed, ruleset.Options{}); got != "same, changed, same, list changed" || o.export(nil) != file {
			t.Errorf("%s; what is here must stay", got)
		}
		plan, done, err := o.set.Import(o.Context(), o.read(changed), ruleset.Options{Overwrite: true}, "ben")
		if err != nil || done.Changed != 1 || o.export(nil) != changed {
			t.Fatalf("%s, %+v, %v", said(plan), done, err)
		}
		if d := plan.Items[1].Differences; len(d) != 1 || d[0].Label != "Message" {
			t.Errorf("differs in %+v", d)
		}
		if back, err := o.book.Undo(o.Context(), done.Revision, "ben"); err != nil || back.Changed != 1 || !strings.Contains(o.export(nil), `"Soon"`) {
			t.Errorf("taken back: %+v, %v", back, err)
		}
		// Without IDs: two have the title "Due", and what they say tells them apart.
		nameless := withoutIDs(o.export(nil))
		if got := o.does(nameless, ruleset.Options{Overwrite: true}); got != "same, same, same, list same" {
			t.Error(got)
		}
		if got := o.does(strings.Replace(nameless, `"Soon"`, `"Sooner"`, 1), ruleset.Options{Overwrite: true}); got != "same, changed, same, list same" {
			t.Error(got)
		}
		third := `{"silque_notifications": 1, "notifications": [{"title": "Due", "model": "orders", "message": "?", "trigger": "new", "channel": "email", "recipients": [{"address": "a@example.com"}]}]}`
		plan, err = o.set.Plan(o.Context(), o.read(third), ruleset.Options{})
		if err != nil || said(plan) != "invalid" || !strings.Contains(plan.Items[0].Problems["id"], "2 notifications here") {
			t.Errorf("%s %+v, %v", said(plan), plan.Items[0].Problems, err)
		}
	})
}

// withoutIDs takes the IDs of notifications and lists out of an export; lists are then named by an ID that is here.
func withoutIDs(file string) string {
	var lines []string
	for line := range strings.Lines(file) {
		if !strings.HasPrefix(line, `  "id": `) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func TestADeletedNotificationComesBackByItsFileWithItsHistory(t *testing.T) {
	t.Parallel()
	each(t, func(o *office) {
		o.fill()
		file := o.export(nil)
		id := o.read(file).Notifications[0].ID
		o.must(o.book.Delete(o.Context(), id, "ann"))
		if got := o.does(file, ruleset.Options{}); got != "new, same, same, list same" {
			t.Error(got)
		}
		n, err := o.book.Get(o.Context(), id)
		if err != nil || n.Version != 3 || n.Active {
			t.Errorf("%+v, %v", n, err)
		}
	})
}

func TestAllIsImportedOrNothing(t *testing.T) {
	t.Parallel()
	each(t, func(o *office) {
		o.fill()
		file := o.export(nil)
		there := open(o.T, testdb.SQLite(o.T))
		broken := strings.Replace(file, `"date_field": "due"`, `"date_field": "gone"`, 1)
		if got := there.does(broken, ruleset.Options{Overwrite: true}); got != "new, invalid, new, list new" {
			t.Error(got)
		}
		if left := there.export(nil); strings.Contains(left, "title") || strings.Contains(left, "Night") {
			t.Errorf("left: %s", left)
		}
		if got := there.does(strings.Replace(file, `"ann@example.com"`, `"nobody"`, 1), ruleset.Options{}); got != "new, new, new, list invalid" {
			t.Error(got)
		}
	})
}

func TestAPartIsExportedWithTheListsThatItNames(t *testing.T) {
	t.Parallel()
	each(t, func(o *office) {
		o.fill()
		f := o.read(o.export(&store.Selection{Matching: &store.NotificationFilter{Channel: "sms"}}))
		if len(f.Notifications) != 1 || len(f.Lists) != 0 {
			t.Errorf("%+v", f)
		}
		page, err := store.Notifications{DB: o.db}.List(o.Context(), store.NotificationFilter{}, store.Paging{})
		o.must(err)
		f = o.read(o.export(&store.Selection{IDs: []string{page.Items[2].ID, page.Items[2].ID, "none"}}))
		if len(f.Notifications) != 1 || len(f.Lists) != 1 || f.Lists[0].Name != "Night <shift>" {
			t.Errorf("%+v", f)
		}
	})
}

func TestAFileThatCannotBeReadSaysWhy(t *testing.T) {
	t.Parallel()
	const id = `"0190a000-0000-7000-8000-000000000001"`
	for name, test := range map[string]struct{ text, want string }{
		"nothing":            {" \n", "empty"},
		"no JSON":            {"PK\x03\x04 zip", "it is not JSON"},
		"no UTF-8":           {"{\"a\": \"\xff\"}", "UTF-8"},
		"cut off":            {`{"silque_notifications": 1, "notifications": [`, "it is not JSON"},
		"an array":           {`[]`, "cannot be a array"},
		"another JSON":       {`{"hello": 1}`, "no export of this program"},
		"another version":    {`{"silque_notifications": 2, "new": {}}`, "has version 2"},
		"a huge version":     {`{"silque_notifications": ` + strings.Repeat("9", 5000) + `}`, "…"},
		"an unknown field":   {`{"silque_notifications": 1, "notifications": [{"titel": "x"}]}`, `unknown field "titel"`},
		"a wrong type":       {"{\"silque_notifications\": 1,\n \"notifications\": [{\"title\": 7}]}", "line 2"},
		"null":               {`{"silque_notifications": 1, "notifications": [null]}`, "notifications[0] is null"},
		"a null list":        {`{"silque_notifications": 1, "lists": [null]}`, "lists[0] is null"},
		"one ID twice":       {`{"silque_notifications": 1, "notifications": [{"id": ` + id + `}, {"id": ` + id + `}]}`, "have the same id"},
		"an ID that is none": {`{"silque_notifications": 1, "notifications": [{"id": "../../x"}]}`, "is not one of this program's"},
		"two lists alike":    {`{"silque_notifications": 1, "lists": [{"name": "a"}, {"name": " a "}]}`, "have the same name"},
		"too many":           {`{"silque_notifications": 1, "lists": [` + strings.Repeat(`{},`, ruleset.MaxLists) + `{}]}`, "more than"},
		"too large":          {strings.Repeat(" ", ruleset.MaxSize+1), "larger than 32 MiB"},
		"very deep":          {`{"silque_notifications": 1, "notifications": ` + strings.Repeat("[", 20000), "it is not JSON"},
	} {
		_, err := ruleset.Read(strings.NewReader(test.text))
		var format *ruleset.FormatError
		if !errors.As(err, &format) || !strings.Contains(err.Error(), test.want) || len(err.Error()) > 300 {
			t.Errorf("%s: %.400v", name, err)
		}
	}
}

func TestAnAnswerOfTheAPIIsAFilesNotification(t *testing.T) {
	t.Parallel()
	each(t, func(o *office) {
		file := `{"silque_notifications": 1, "notifications": [{"title": "A", "model": "orders", "message": "?", "trigger": "new", "channel": "email",
			"recipients": [{"address": "a@example.com"}], "version": 7, "created_at": "2026-01-01T00:00:00Z", "updated_at": "x", "active_since": null, "problems": {}}]}`
		if got := o.does(file, ruleset.Options{}); got != "new" {
			t.Error(got)
		}
	})
}

func BenchmarkImportOfTenThousand(b *testing.B) {
	for name, fresh := range map[string]func(testing.TB) *gorm.DB{"SQLite": testdb.SQLite, "Postgres": testdb.Postgres} {
		b.Run(name, func(b *testing.B) {
			db := fresh(b)
			m := &rule.Model{Name: "orders", PrimaryKey: []string{"id"}, Fields: []rule.Field{{Name: "id", Type: rule.Integer}, {Name: "email", Type: rule.String}}}
			if err := catalog.Save(b.Context(), db, m); err != nil {
				b.Fatal(err)
			}
			f := &ruleset.File{Version: 1}
			for i := range 10_000 {
				f.Notifications = append(f.Notifications, &ruleset.Notification{Notification: rule.Notification{
					Title: fmt.Sprintf("Order {{ doc.id }} no. %d", i), Message: strings.Repeat("It is due. ", 40), Channel: rule.Email, Model: "orders", Trigger: rule.OnNew,
					Recipients: []rule.Recipient{{DocumentField: "doc.email"}}, Conditions: "doc.id > 5",
				}})
			}
			for b.Loop() {
				if _, _, err := (ruleset.Set{DB: db}).Import(b.Context(), f, ruleset.Options{}, "ann"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestAnImportIsCheckedBeforeOthersHaveToWait changes what is here while an import looks at its notifications: SQLite's
// only writer must be free meanwhile, and the change must be seen.
func TestAnImportIsCheckedBeforeOthersHaveToWait(t *testing.T) {
	t.Parallel()
	each(t, func(o *office) {
		o.fill()
		file := o.export(nil)
		all, err := store.Notifications{DB: o.db}.Names(o.Context())
		o.must(err)
		o.must(o.book.Delete(o.Context(), all[2].ID, "ann"))
		looks := 0
		options := ruleset.Options{Progress: func(done, total int) {
			if looks++; done == total && looks == total {
				_, err := o.book.Restore(o.Context(), all[2].ID, "ben")
				o.must(err)
			}
		}}
		plan, outcome, err := o.set.Import(o.Context(), o.read(file), options, "ann")
		o.must(err)
		if got := said(plan); got != "same, same, same, list same" || outcome.Changed != 0 {
			t.Errorf("%s, %+v", got, outcome)
		}
		if looks != 6 {
			t.Errorf("looked at %d notifications, want each twice", looks)
		}
	})
}
