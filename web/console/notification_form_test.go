package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// aShop makes tables of orders and customers with a few rows.
func aShop(t *testing.T, db *gorm.DB) {
	t.Helper()
	orders := &rule.Model{Name: "orders", Label: "Orders", PrimaryKey: []string{"id"}, Fields: []rule.Field{
		{Name: "id", Label: "Id", Type: rule.Integer}, {Name: "number", Label: "Number", Type: rule.String}, {Name: "status", Label: "Status", Type: rule.String},
		{Name: "email", Label: "Email", Type: rule.String}, {Name: "phone", Label: "Phone", Type: rule.String}, {Name: "due_date", Label: "Due date", Type: rule.Date, Nullable: true},
		{Name: "customer_id", Label: "Customer id", Type: rule.Integer},
	}, Relations: []rule.Relation{{Name: "customer", Label: "Customer", Kind: rule.BelongsTo, Model: "customers", Field: "customer_id", RemoteField: "id"}}}
	customers := &rule.Model{Name: "customers", Label: "Customers", PrimaryKey: []string{"id"}, Relations: []rule.Relation{}, Fields: []rule.Field{
		{Name: "id", Type: rule.Integer}, {Name: "name", Label: "Name", Type: rule.String}, {Name: "email", Label: "Email", Type: rule.String}, {Name: "role", Type: rule.String}, {Name: "language", Type: rule.String}}}
	for _, m := range []*rule.Model{orders, customers} {
		if err := catalog.Save(t.Context(), db, m); err != nil {
			t.Fatal(err)
		}
	}
	for _, statement := range []string{
		"CREATE TABLE customers (id BIGINT PRIMARY KEY, name TEXT, email TEXT, role TEXT, language TEXT)",
		"CREATE TABLE orders (id BIGINT PRIMARY KEY, number TEXT, status TEXT, email TEXT, phone TEXT, due_date DATE, customer_id BIGINT)",
		"INSERT INTO customers VALUES (1, 'Ann', 'ann@example.com', 'buyer', 'de')",
		"INSERT INTO orders VALUES (7, 'A-7', 'NEW', 'seven@example.com', '+12025550107', '2026-12-01', 1), (8, 'A-8', 'APPROVED', 'eight@example.com', '+12025550108', NULL, 1)",
	} {
		if err := db.Exec(statement).Error; err != nil {
			t.Fatal(err)
		}
	}
}

func eachShop(t *testing.T, test func(t *testing.T, v *visitor, db *gorm.DB)) {
	t.Helper()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		aShop(t, db)
		test(t, visit(t, db, account.Editor), db)
	})
}

// aNotification is one that is valid.
func aNotification() *rule.Notification {
	return &rule.Notification{Title: "Order {{ doc.number }}", Message: "It is {{ doc.status }}.", Channel: rule.Email, Model: "orders",
		Trigger: rule.OnNew, Recipients: []rule.Recipient{{DocumentField: "doc.email"}}}
}

// sent gives the form of a notification as a browser would send it, with changes.
func sent(n *rule.Notification, changes ...string) []string {
	var pairs []string
	v := valuesOf(n)
	for i := 0; i < len(changes); i += 2 {
		v.Set(changes[i], changes[i+1])
	}
	for name, values := range v.Values {
		for _, value := range values {
			pairs = append(pairs, name, strings.ReplaceAll(value, "\n", "\r\n"))
		}
	}
	return pairs
}

func only(t *testing.T, db *gorm.DB) *rule.Notification {
	t.Helper()
	page, err := store.Notifications{DB: db}.List(t.Context(), store.NotificationFilter{}, store.Paging{})
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("%d notifications, %v", len(page.Items), err)
	}
	return page.Items[0]
}

func text(s string) *string { return &s }
func number(n int) *int     { return &n }

// everything holds something in every field that a person can write.
func everything(list string) *rule.Notification {
	return &rule.Notification{
		Title: "  Title {{ doc.number }}", Message: "\nLine\n\ttwo \n", HTMLMessage: "<p>\n{{ doc.number }}</p>", Active: true, Channel: rule.WhatsApp,
		Model: "orders", Trigger: rule.DaysBefore, ValueChangeField: "status", ValueChangeFields: []string{"number", "email"},
		ValueChangeFrom: text(""), ValueChangeTo: text(" A "), DateField: "due_date", AlertDays: number(0), AlertUnit: rule.Days, AlertTime: "09:30",
		TimeZone: "Europe/Berlin", Conditions: "doc.status == \"A\"\n\n# no\n", ReplyTo: "doc.email", LocaleField: "language",
		Recipients: []rule.Recipient{{Address: "ann@example.com"}, {Address: "+12025550123", Copy: true}, {DocumentField: "doc.customer"}, {ListID: list},
			{Query: &rule.RecipientQuery{Model: "customers", Field: "email", Where: []rule.Match{{Field: "role", Value: "buyer"}, {Field: "name", Value: "doc.number"}}}}},
		Variants:   []rule.Variant{{Locale: "de", Title: "T", Message: "M", HTMLMessage: "<p>"}, {Locale: "fr", Message: "N"}},
		ContentSID: "HX0123", ContentVariables: map[string]string{"1": "{{ doc.number }}", "name": "x"},
		Attachments:   []rule.Attachment{{Name: "a.txt", Text: "text\n"}, {DocumentField: "doc.number"}},
		RetryAttempts: 5, RetryInterval: 30, Priority: 1, ValidFor: 90,
	}
}

func TestTheFormLosesNothing(t *testing.T) {
	t.Parallel()
	n := everything("0190a000-0000-7000-8000-000000000009")
	fields := reflect.ValueOf(*n)
	for i := range fields.NumField() {
		name := fields.Type().Field(i).Name
		switch name {
		case "ID", "Version", "CreatedAt", "UpdatedAt", "ActiveSince":
		default:
			if fields.Field(i).IsZero() {
				t.Errorf("the test leaves %s out", name)
			}
		}
	}
	// A browser brings lines to \r\n.
	form := url.Values{}
	pairs := sent(n)
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	var back rule.Notification
	if errs := newFormValues(form).apply(&back); len(errs) > 0 {
		t.Errorf("wrong: %v", errs)
	}
	want, _ := json.MarshalIndent(n, "", " ")
	if got, _ := json.MarshalIndent(back, "", " "); !bytes.Equal(got, want) {
		t.Errorf("came back as\n%s\nand was\n%s", got, want)
	}
	if again, _ := tidied(&back); len(again.Recipients) != 5 || len(again.Variants) != 2 {
		t.Errorf("tidied away: %+v", again)
	}
}

var input = regexp.MustCompile(`(?s)<input ([^>]*)>`)
var area = regexp.MustCompile(`(?s)<textarea [^>]*name="([^"]*)"[^>]*>\n(.*?)</textarea>`)
var selection = regexp.MustCompile(`(?s)<select [^>]*name="([^"]*)".*?</select>`)
var option = regexp.MustCompile(`<option value="([^"]*)" selected>`)
var attribute = regexp.MustCompile(`(\w[\w-]*)(?:="([^"]*)")?`)

// filledIn reads a page's form as a browser would send it.
func filledIn(page string) url.Values {
	form := url.Values{}
	for _, m := range input.FindAllStringSubmatch(page, -1) {
		has := map[string]string{}
		for _, a := range attribute.FindAllStringSubmatch(m[1], -1) {
			has[a[1]] = html.UnescapeString(a[2])
		}
		_, checked := has["checked"]
		if kind := has["type"]; has["name"] != "" && (checked || kind != "radio" && kind != "checkbox") {
			form.Add(has["name"], has["value"])
		}
	}
	for _, m := range area.FindAllStringSubmatch(page, -1) {
		form.Add(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	for _, m := range selection.FindAllStringSubmatch(page, -1) {
		value := ""
		if chosen := option.FindStringSubmatch(m[0]); chosen != nil {
			value = html.UnescapeString(chosen[1])
		}
		form.Add(html.UnescapeString(m[1]), value)
	}
	return form
}

func TestEveryFieldIsShownAndSavedAgain(t *testing.T) {
	t.Parallel()
	for _, trigger := range []rule.Trigger{rule.DaysBefore, rule.OnValueChange} {
		t.Run(string(trigger), func(t *testing.T) {
			t.Parallel()
			eachShop(t, func(t *testing.T, v *visitor, db *gorm.DB) {
				list := &store.List{Name: "Sales", Entries: []rule.ListEntry{{Email: "sales@example.com", Number: "+12025550100"}}}
				if err := (store.Lists{DB: db}).Create(t.Context(), list, "ann"); err != nil {
					t.Fatal(err)
				}
				n := everything(list.ID)
				n.Channel, n.HTMLMessage, n.ContentSID, n.ContentVariables = rule.Email, "<p>{{ doc.number }}</p>", "", nil
				n.Recipients[1] = rule.Recipient{Address: "ben@example.com", Copy: true}
				n.Trigger = trigger
				n.DropOtherTriggers() // as they are when they are saved
				savedAgain(t, v, db, n)
			})
		})
	}
}

// savedAgain opens a notification's page, sends it back as it is, and holds what is saved to what was.
func savedAgain(t *testing.T, v *visitor, db *gorm.DB, n *rule.Notification) {
	t.Helper()
	s := store.Notifications{DB: db}
	if err := s.Create(t.Context(), n, "ann"); err != nil {
		t.Fatal(err)
	}
	before, err := s.Get(t.Context(), n.ID)
	if err != nil {
		t.Fatal(err)
	}
	var pairs []string
	for name, values := range filledIn(v.page("/notifications/" + n.ID)) {
		for _, value := range values {
			pairs = append(pairs, name, value)
		}
	}
	if answer := v.post("/notifications/"+n.ID, append(pairs, "do", "save")...); answer.Code != http.StatusSeeOther {
		t.Fatalf("%d\n%s", answer.Code, answer.Body)
	}
	after := only(t, db)
	if after.Version != 2 {
		t.Errorf("version %d", after.Version)
	}
	want, errWant := parts(before)
	got, errGot := parts(after)
	if errWant != nil || errGot != nil {
		t.Fatal(errWant, errGot)
	}
	for name := range want {
		if !same(want[name], got[name]) {
			t.Errorf("%s was %s and is %s", name, want[name], got[name])
		}
	}
}

func TestANewNotificationIsWrittenInOneGo(t *testing.T) {
	t.Parallel()
	eachShop(t, func(t *testing.T, v *visitor, db *gorm.DB) {
		v.holds(v.page("/notifications/new?model=orders"), "New notification", "an order is created", "Save and activate", "doc.status == &#34;APPROVED&#34;")
		answer := v.post("/notifications/new", append(sent(aNotification()), "do", "activate")...)
		n := only(t, db)
		if answer.Code != http.StatusSeeOther || answer.Header().Get("Location") != "/notifications/"+n.ID || !n.Active || !strings.Contains(v.access.said(), "It is active") {
			t.Errorf("%d %s: %+v, said %q", answer.Code, answer.Header().Get("Location"), n, v.access.said())
		}
		versions, err := store.Notifications{DB: db}.Versions(t.Context(), n.ID, 0, 1)
		if err != nil || versions[0].ChangedBy != "ann@example.com" {
			t.Errorf("changed by %+v, %v", versions, err)
		}
	})
}

func TestValueChangesAndDatesCanBeMadeHere(t *testing.T) {
	t.Parallel()
	for name, changes := range map[string][]string{
		"a value change":              {"trigger", "value_change", "value_change_field", "status", "value_change_to_is", "value", "value_change_to", "APPROVED"},
		"a date alert":                {"trigger", "days_before", "date_field", "due_date", "alert_days", "3", "alert_time", "09:00"},
		"another channel in one save": {"channel", "sms", "html_message", "<p>left over</p>", "recipients[0].to", "doc.phone", "reply_to", "ann@example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := testdb.SQLite(t)
			aShop(t, db)
			v := visit(t, db, account.Editor)
			if answer := v.post("/notifications/new", append(sent(aNotification(), changes...), "do", "save")...); answer.Code != http.StatusSeeOther {
				t.Fatalf("%d %s", answer.Code, answer.Body)
			}
			n := only(t, db)
			if n.Active || string(n.Trigger) != valuesOf(n).Get("trigger") {
				t.Errorf("saved %+v", n)
			}
			if n.Channel == rule.SMS && (n.HTMLMessage != "" || !strings.Contains(v.access.said(), "Left out, because an SMS has none: the HTML, the reply-to address")) {
				t.Errorf("said %q", v.access.said())
			}
		})
	}
}

func TestWhatIsWrongIsMarkedAndWhatWasTypedStays(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	aShop(t, db)
	v := visit(t, db, account.Editor)
	answer := v.post("/notifications/new", append(sent(aNotification(),
		"title", "Order {{ doc.nubmer }}", "message", "Hi\n  {{ doc.stats }} there", "conditions", "doc.status == 1", "priority", "soon",
		"recipients[0].to", "", "recipients[3].kind", "to", "recipients[3].to", "doc.xyz"), "do", "save")...)
	if answer.Code != http.StatusUnprocessableEntity {
		t.Fatalf("%d", answer.Code)
	}
	page := answer.Body.String()
	v.holds(page, `value="Order {{ doc.nubmer }}"`, "Line 1, column 7: orders has no field nubmer: did you mean number?", "<mark>{{ doc.nubmer }}</mark>",
		"Line 2, column 3: orders has no field stats: did you mean status?", "  <mark>{{ doc.stats }}</mark> there", `href="#f-title"`, `aria-describedby="f-title-wrong"`,
		`id="f-title" name="title"`, "write a whole number, such as 3", "Recipient 1", "orders has no field xyz", `name="recipients[0].to" value="doc.xyz"`, "<mark>1</mark>", "data-unsaved")
	if !regexp.MustCompile(`id="f-title"[^>]* aria-invalid="true"`).MatchString(page) {
		t.Error("the subject is not marked as wrong")
	}
	again := v.post("/notifications/new", append(sent(aNotification(), "title", ""), "do", "activate")...).Body.String()
	v.holds(again, "Save and activate", `name="active" value="false"`)
	if count := int64(0); db.Table("notify_notifications").Count(&count).Error != nil || count != 0 {
		t.Errorf("%d were saved", count)
	}
}

func TestRowsComeAndGoWithoutAScript(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	aShop(t, db)
	v := visit(t, db, account.Editor)
	for do, holds := range map[string]string{
		"add:to": `name="recipients[1].to"`, "add:query": `name="recipients[1].query.model"`, "add:list": `name="recipients[1].list_id"`,
		"add:variants": `name="variants[0].locale"`, "add:attachments": `name="attachments[0].text"`, "add:content_variables": `name="content_variables[0].text"`,
	} {
		answer := v.post("/notifications/new", append(sent(aNotification()), "do", do)...)
		if answer.Code != http.StatusOK {
			t.Fatalf("%s: %d", do, answer.Code)
		}
		v.holds(answer.Body.String(), holds, `value="doc.email"`)
	}
	answer := v.post("/notifications/form", append(sent(aNotification()), "do", "remove:recipients[0]")...)
	if strings.Contains(answer.Body.String(), "doc.email&#34;") || strings.Contains(answer.Body.String(), "<html") {
		t.Errorf("the row is still there, or it is a whole page:\n%s", answer.Body)
	}
	v.holds(v.post("/notifications/form", append(sent(aNotification(), "recipients[0].kind", "query"), "do", "add:recipients[0].query.where")...).Body.String(), `name="recipients[0].query.where[0].field"`)
	v.holds(v.post("/notifications/new", append(sent(aNotification(), "trigger", "days_after"), "do", "form")...).Body.String(), `value="days_after" checked`)
}

func TestTheFieldThatATriggerMostLikelyMeansIsChosen(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	aShop(t, db)
	v := visit(t, db, account.Viewer)
	for trigger, want := range map[string]string{"value_change": `<option value="status" selected>`, "days_before": `<option value="due_date" selected>`} {
		v.holds(v.page("/notifications/new?model=orders&trigger="+trigger), want)
		v.holds(v.post("/notifications/form", sent(aNotification(), "trigger", trigger)...).Body.String(), want)
	}
}

func TestAChangeOfSomebodyElseIsNotOverwritten(t *testing.T) {
	t.Parallel()
	eachShop(t, func(t *testing.T, v *visitor, db *gorm.DB) {
		n := aNotification()
		s := store.Notifications{DB: db}
		if err := s.Create(t.Context(), n, "ann"); err != nil {
			t.Fatal(err)
		}
		theirs := *n
		theirs.Title, theirs.Conditions = "Theirs", "doc.id > 1"
		if err := s.Update(t.Context(), &theirs, "ben@example.com"); err != nil {
			t.Fatal(err)
		}
		mine := sent(n, "title", "Mine", "message", "My message", "version", "1")
		path := "/notifications/" + n.ID
		answer := v.post(path, append(mine, "do", "save")...)
		if answer.Code != http.StatusConflict {
			t.Fatalf("%d", answer.Code)
		}
		v.holds(answer.Body.String(), "ben@example.com has changed this", "You have both changed: Subject", `value="Mine"`, "doc.id &gt; 1", `name="version" value="1"`)
		if kept, _ := s.Get(t.Context(), n.ID); kept.Title != "Theirs" {
			t.Errorf("overwritten: %+v", kept)
		}
		merged := v.post(path, append(mine, "do", "merge")...).Body.String()
		v.holds(merged, `value="Mine"`, "doc.id &gt; 1", `name="version" value="2"`, "not saved yet", "My message")
		if answer = v.post(path, append(mine, "do", "overwrite")...); answer.Code != http.StatusSeeOther {
			t.Errorf("%d", answer.Code)
		}
		if kept, _ := s.Get(t.Context(), n.ID); kept.Title != "Mine" || kept.Version != 3 || kept.Conditions != "" {
			t.Errorf("it has become %+v", kept)
		}
	})
}

func TestThePreviewShowsTheNewestRowOrTheOneThatIsSearched(t *testing.T) {
	t.Parallel()
	eachShop(t, func(_ *testing.T, v *visitor, _ *gorm.DB) {
		n := aNotification()
		n.Conditions = "doc.id > 100\ndoc.status == \"APPROVED\""
		body := v.post("/notifications/preview", sent(n)...).Body.String()
		v.holds(body, "Order A-8", "It is APPROVED.", "eight@example.com", "It would go to 1 address", "condition true at line 2")
		body = v.post("/notifications/preview", sent(n, "preview_key", "a-7")...).Body.String()
		v.holds(body, "Order A-7", "Nothing would be sent: condition false at line 1, 2")
		body = v.post("/notifications/preview", sent(n, "preview_key", "none such")...).Body.String()
		v.holds(body, "No order has this key or text.")
		n = aNotification()
		n.Channel, n.Recipients = rule.SMS, []rule.Recipient{{DocumentField: "doc.phone"}}
		v.holds(v.post("/notifications/preview", sent(n)...).Body.String(), "15 characters of GSM-7: it goes out as 1 SMS", "&#43;12025550108")
		n = aNotification()
		n.Trigger, n.DateField, n.AlertDays = rule.DaysBefore, "due_date", number(3)
		v.holds(v.post("/notifications/preview", sent(n, "preview_key", "7")...).Body.String(), `datetime="2026-11-28T00:00:00Z"`)
		v.holds(v.post("/notifications/preview", sent(aNotification(), "message", "{{ doc.x }}")...).Body.String(), `id="f-message-wrong"`, `hx-swap-oob="true"`, "orders has no field x")
	})
}

func TestTheExampleOfARecipientIsAFieldThatTheModelHas(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	aShop(t, db)
	invoices := &rule.Model{Name: "invoices", Label: "Invoices", PrimaryKey: []string{"id"}, Fields: []rule.Field{{Name: "id", Type: rule.Integer}, {Name: "order_id", Type: rule.Integer}},
		Relations: []rule.Relation{{Name: "order", Label: "Order", Kind: rule.BelongsTo, Model: "orders", Field: "order_id", RemoteField: "id"}}}
	if err := catalog.Save(t.Context(), db, invoices); err != nil {
		t.Fatal(err)
	}
	v := visit(t, db, account.Viewer)
	for query, want := range map[string]string{
		"model=orders": "ann@example.com, or a field such as doc.email", "model=orders&channel=sms": "&#43;12025550123, or a field such as doc.phone",
		"model=invoices": "ann@example.com, or a field such as doc.order.email", "model=customers&channel=sms": "&#43;12025550123",
	} {
		v.holds(v.page("/notifications/new?"+query), `placeholder="`+want+`"`)
	}
}

func TestFieldsOfTheRowAndOfWhatItLeadsToCanBePutIn(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	aShop(t, db)
	v := visit(t, db, account.Viewer)
	page := v.page("/notifications/new?model=orders")
	v.holds(page, `data-inserts="{{ doc.number }}"`, `data-inserts="{{ doc.customer.name }}"`, `data-inserts="{{ doc.customer.email }}"`)
	v.lacks(page, `data-inserts="{{ doc.customer.id }}"`, `data-inserts="{{ doc.customer.role }}"`)
}

func TestThePreviewDoesNotTakeARowForTheChangeThatIsAwaited(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	aShop(t, db)
	v := visit(t, db, account.Viewer)
	n := aNotification()
	n.Trigger, n.ValueChangeField, n.ValueChangeFrom, n.ValueChangeTo = rule.OnValueChange, "status", text("NEW"), text("APPROVED")
	body := v.post("/notifications/preview", sent(n, "preview_key", "7")...).Body.String()
	v.holds(body, "If this fired: it would go to 1 address", "It waits for a change from “NEW” to “APPROVED”; on this row status is “NEW”.")
	body = v.post("/notifications/preview", sent(n, "preview_key", "8")...).Body.String()
	v.holds(body, "If this fired: it would go to 1 address")
	v.lacks(body, "It waits for")
	n.ValueChangeField, n.ValueChangeFrom, n.ValueChangeTo = "customer_id", nil, text("")
	v.holds(v.post("/notifications/preview", sent(n)...).Body.String(), "It waits for a change to empty; on this row customer_id is “1”.")
	v.lacks(v.post("/notifications/preview", sent(n, "value_change_to_is", "value")...).Body.String(), "It waits for")
	n.ValueChangeTo = text("01")
	v.lacks(v.post("/notifications/preview", sent(n)...).Body.String(), "It waits for")
	n = aNotification()
	n.Trigger, n.DateField, n.AlertDays, n.Conditions = rule.DaysBefore, "due_date", number(3), "doc.id > 100"
	v.holds(v.post("/notifications/preview", sent(n, "preview_key", "7")...).Body.String(), "If this fired: nothing would be sent: condition false")
}

func TestThePastIsJudgedByWhatStandsInTheForm(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	aShop(t, db)
	v := visit(t, db, account.Viewer)
	v.holds(v.post("/notifications/compare", sent(aNotification())...).Body.String(), "No change of an order is recorded yet.")
	v.holds(v.post("/notifications/compare", sent(aNotification(), "title", "")...).Body.String(), "Put right what is wrong first", "an email needs a title")
}

func TestATestCarriesWhatThePreviewShows(t *testing.T) {
	t.Parallel()
	eachShop(t, func(t *testing.T, v *visitor, db *gorm.DB) {
		n := aNotification()
		n.HTMLMessage, n.ReplyTo = "<b>{{ doc.number }}</b>", "sales@example.com"
		n.Recipients = append(n.Recipients, rule.Recipient{Address: "boss@example.com", Copy: true})
		body := v.post("/notifications/test", sent(n, "test_to", " Me@EXAMPLE.com ")...).Body.String()
		page, err := store.Events{DB: db}.List(t.Context(), store.EventFilter{Action: "test"}, store.Paging{})
		if err != nil || len(page.Items) != 1 {
			t.Fatalf("%d events, %v", len(page.Items), err)
		}
		id := page.Items[0].ID
		v.holds(body, "On its way", `hx-get="/notifications/tests/`+id+`"`)
		e, err := store.Events{DB: db}.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		m, ok := rule.ReadTestMessage(e.Doc)
		if !ok || m.To != "Me@example.com" || m.Subject != "Order A-8" || m.Text != "It is APPROVED." || m.HTML != "<b>A-8</b>" || m.Details.ReplyTo != "sales@example.com" || len(m.Details.Cc) > 0 {
			t.Errorf("the test is %+v with %+v", m, m.Details)
		}
		v.holds(v.page("/notifications/tests/"+id), "On its way")
		v.holds(v.post("/notifications/test", sent(n, "test_to", "nobody")...).Body.String(), "Not sent:")
	})
}

func TestViewersCanTryAndCannotSaveOrSend(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	aShop(t, db)
	v := visit(t, db, account.Viewer)
	page := v.page("/notifications/new")
	if strings.Contains(page, "Save and activate") || strings.Contains(page, "Send me a test") {
		t.Error("a viewer is offered to save")
	}
	v.holds(v.post("/notifications/preview", sent(aNotification())...).Body.String(), "Order A-8")
	for _, path := range []string{"/notifications/new", "/notifications/test"} {
		if answer := v.post(path, sent(aNotification(), "test_to", "me@example.com")...); answer.Code != http.StatusForbidden {
			t.Errorf("%s: %d", path, answer.Code)
		}
	}
}

func TestWhatCanFollowIsOfferedAsJSON(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	aShop(t, db)
	v := visit(t, db, account.Viewer)
	for name, test := range map[string]struct {
		ask  []string
		want string
	}{
		"a template":           {[]string{"kind", "template", "text", "Hi {{ doc.cust"}, "customer customer_id"},
		"a condition":          {[]string{"kind", "condition", "text", "doc.customer.na"}, "name"},
		"a recipient":          {[]string{"kind", "recipient", "channel", "email", "text", "doc.cus"}, "doc.customer.email doc.customer old_doc.customer.email old_doc.customer"},
		"a number's recipient": {[]string{"kind", "recipient", "channel", "sms", "text", ""}, "doc.phone old_doc.phone"},
		"an address":           {[]string{"kind", "recipient", "channel", "email", "text", "ann@"}, ""},
		"a path":               {[]string{"kind", "path", "text", "doc.customer.lan"}, "doc.customer.language"},
		"a field":              {[]string{"kind", "field", "text", "stat"}, "status"},
		"a row":                {[]string{"kind", "row", "text", "A-7"}, "7"},
		"a value":              {[]string{"kind", "value", "field", "status", "text", ""}, "APPROVED NEW"},
		"a value's beginning":  {[]string{"kind", "value", "field", "status", "text", "ne"}, "NEW"},
		"a model that is not":  {[]string{"kind", "row", "text", "", "model", "none"}, ""},
		"a kind that is not":   {[]string{"kind", "x", "text", "doc"}, ""},
	} {
		ask := test.ask
		if ask[len(ask)-2] != "model" {
			ask = append([]string{"model", "orders"}, ask...)
		} else {
			ask = append([]string{ask[len(ask)-2], ask[len(ask)-1]}, ask[:len(ask)-2]...)
		}
		var c rule.Completion
		answer := v.post("/notifications/complete", ask...)
		if err := json.Unmarshal(answer.Body.Bytes(), &c); err != nil || answer.Code != 200 || c.Items == nil {
			t.Fatalf("%s: %d %s", name, answer.Code, answer.Body)
		}
		var got []string
		for _, item := range c.Items {
			got = append(got, item.Text)
		}
		if joined := strings.Join(got, " "); !strings.HasPrefix(joined, test.want) || test.want == "" && joined != "" {
			t.Errorf("%s: offered %q, want %q", name, joined, test.want)
		}
	}
}

func TestNothingThatIsShownRuns(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	aShop(t, db)
	const evil = `"'></textarea><script>alert(1)</script>{{ doc.number }}`
	if err := db.Exec("UPDATE orders SET number = ?, status = ?, email = ?", evil, evil, evil).Error; err != nil {
		t.Fatal(err)
	}
	v := visit(t, db, account.Editor)
	n := everything("0190a000-0000-7000-8000-000000000009")
	values := valuesOf(n)
	var pairs []string
	for name := range values.Values {
		value := evil
		switch {
		case strings.HasSuffix(name, ".kind"), strings.HasSuffix(name, "_is"), name == "channel", name == "model", name == "trigger":
			value = values.Get(name)
		}
		pairs = append(pairs, name, value)
	}
	pairs = append(pairs, "test_to", evil, "preview_key", evil)
	own := append(sent(aNotification(), "html_message", "<p>{{ doc.number }}</p>"), "test_to", evil)
	for name, answer := range map[string]*httptest.ResponseRecorder{
		"every field":      v.post("/notifications/new", append(pairs, "do", "save")...),
		"another button":   v.post("/notifications/new", append(pairs, "do", evil)...),
		"an added row":     v.post("/notifications/form", append(pairs, "do", "add:"+evil)...),
		"the preview":      v.post("/notifications/preview", own...),
		"wrong texts":      v.post("/notifications/preview", pairs...),
		"a test":           v.post("/notifications/test", own...),
		"the query string": v.get("/notifications/new?model=" + url.QueryEscape(evil) + "&channel=" + url.QueryEscape(evil)),
		"unknown choices":  v.post("/notifications/new", append(sent(aNotification(), "channel", evil, "model", evil, "trigger", evil), "do", "save")...),
	} {
		if body := answer.Body.String(); strings.Contains(body, "<script>alert") || !strings.Contains(body, "&lt;script&gt;") && name != "an added row" && name != "a test" && name != "the query string" {
			t.Errorf("%s: %d\n%s", name, answer.Code, body)
		}
	}
	answer := v.post("/notifications/preview/html", "html", evil)
	if policy := answer.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "sandbox") || !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("the HTML of a message is shown under %q", policy)
	}
}

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	t.Parallel()
	v := visit(t, testdb.SQLite(t), account.Editor)
	for _, id := range []string{"0190a000-0000-7000-8000-000000000001", "x", "%00"} {
		for _, path := range []string{"/notifications/", "/notifications/tests/"} {
			if answer := v.get(path + id); answer.Code != http.StatusNotFound {
				t.Errorf("%s%s: %d", path, id, answer.Code)
			}
		}
		if answer := v.post("/notifications/"+id, sent(aNotification())...); answer.Code != http.StatusNotFound {
			t.Errorf("POST %s: %d", id, answer.Code)
		}
	}
	v.holds(v.page("/notifications/new"), "No model is registered yet", "plugin.Register")
}

func TestModelsAreCalledAsPeopleDo(t *testing.T) {
	t.Parallel()
	for label, want := range map[string]string{"Orders": "an order", "Companies": "a company", "Addresses": "an address", "Boxes": "a box", "Status": "a status", "Staff": "a staff", "": "a sales order", "Order items": "an order item"} {
		p := &notificationPage{Model: &rule.Model{Name: "sales_orders", Label: label}}
		if got := p.AnOne(); got != want {
			t.Errorf("%q is called %q, want %q", label, got, want)
		}
	}
	if got := fmt.Sprint((&notificationPage{}).AnOne()); got != "a row" {
		t.Errorf("nothing is called %q", got)
	}
}
