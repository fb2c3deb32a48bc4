package console

import (
	"bytes"
	"context"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/audit"
	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/rules"
)

// evil is a text that shows whether a page escapes what it shows.
const evil = `<script>alert(1)</script>"'>&{{x}}`

// shop registers a model.
func shop(t *testing.T, db *gorm.DB) {
	t.Helper()
	m := &rule.Model{Name: "orders", Label: "Orders", PrimaryKey: []string{"id"}, Fields: []rule.Field{
		{Name: "id", Type: rule.Integer}, {Name: "email", Type: rule.String, Label: "Email"}, {Name: "status", Type: rule.String}},
		Relations: []rule.Relation{{Name: "customer", Kind: rule.BelongsTo, Model: "customers", Field: "customer_id", RemoteField: "id"}}}
	if err := catalog.Save(t.Context(), db, m); err != nil {
		t.Fatal(err)
	}
}

// wrote stores a notification about orders, whatever is wrong with it.
func wrote(t *testing.T, db *gorm.DB, title string, change func(n *rule.Notification)) *rule.Notification {
	t.Helper()
	n := &rule.Notification{Title: title, Message: "It is there.", Active: true, Channel: rule.Email, Model: "orders", Trigger: rule.OnNew,
		Recipients: []rule.Recipient{{DocumentField: "doc.email"}}}
	if change != nil {
		change(n)
	}
	if err := (store.Notifications{DB: db}).Create(t.Context(), n, "ann@example.com"); err != nil {
		t.Fatal(err)
	}
	return n
}

// lacks says what should not be on a page.
func (v *visitor) lacks(page string, texts ...string) {
	v.t.Helper()
	for _, text := range texts {
		if strings.Contains(page, text) {
			v.t.Errorf("the page holds %q:\n%s", text, page)
		}
	}
}

// goes posts a form that must lead to a path, and gives what is said there.
func (v *visitor) goes(path, to string, pairs ...string) string {
	v.t.Helper()
	answer := v.post(path, pairs...)
	if answer.Code != http.StatusSeeOther || answer.Header().Get("Location") != to {
		v.t.Fatalf("POST %s: %d to %q, want %q\n%s", path, answer.Code, answer.Header().Get("Location"), to, answer.Body)
	}
	return v.access.said()
}

// undo presses the button in the line that was said.
func (v *visitor) undo() string {
	v.t.Helper()
	flash := v.access.flash
	if flash == nil || flash.Undo == "" {
		v.t.Fatalf("nothing can be taken back: %+v", flash)
	}
	var pairs []string
	for name, values := range flash.UndoFields {
		for _, value := range values {
			pairs = append(pairs, name, value)
		}
	}
	return v.goes(flash.Undo, flash.UndoFields["back"][0], pairs...)
}

func TestTheListOfNotificationsTeachesWhileItIsEmpty(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		v := visit(t, db, account.Editor)
		v.holds(v.page("/notifications"), "No notification yet", "There is nothing to watch yet")
		shop(t, db)
		v.holds(v.page("/notifications"), "/notifications/new?channel=sms&amp;model=orders&amp;trigger=value_change")
		viewer := visit(t, db, account.Viewer)
		viewer.lacks(viewer.page("/notifications"), "/notifications/new")
	})
}

func TestNotificationsAreFilteredByTheAddress(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		shop(t, db)
		v := visit(t, db, account.Editor)
		wrote(t, db, "Alpha", nil)
		wrote(t, db, "Beta", func(n *rule.Notification) { n.Active, n.Channel, n.Title = false, rule.SMS, "Beta" })
		wrote(t, db, "", func(n *rule.Notification) { n.Message, n.Model = "Gamma is the message", "gone" })
		for query, want := range map[string]string{
			"": "Gamma Beta Alpha", "?search=ALPH": "Alpha", "?active=false": "Beta", "?channel=sms": "Beta", "?trigger=new": "Gamma Beta Alpha",
			"?trigger=delete": "", "?model=gone": "Gamma", "?sort=title": "Gamma Alpha Beta", "?sort=-title": "Beta Alpha Gamma",
			"?created_from=2000-01-01&created_until=2000-01-02": "", "?changed_from=2000-01-01": "Gamma Beta Alpha",
			"?channel=pigeon&active=maybe&created_from=x&sort=y&cursor=%00": "Gamma Beta Alpha", "?search=%00": "Gamma Beta Alpha", "?sort=title&cursor=broken": "Gamma Alpha Beta",
		} {
			page := v.page("/notifications" + query)
			var found []string
			for _, match := range regexp.MustCompile(`data-main href="[^"]+">(\w+)`).FindAllStringSubmatch(page, -1) {
				found = append(found, match[1])
			}
			if got := strings.Join(found, " "); got != want {
				t.Errorf("%s: %q, want %q", query, got, want)
			}
			if want == "" {
				v.holds(page, "Nothing matches", "clear the filters")
			}
		}
		page := v.page("/notifications")
		v.holds(page, "when an order is created", "the email", "does not fit its model", "there is no model gone", "3 notifications")
		request := httptest.NewRequest(http.MethodGet, "/notifications?search=&channel=sms&sort=-created", http.NoBody)
		request.Header.Set("HX-Request", "true")
		if got := v.send(request).Header().Get("HX-Push-Url"); got != "/notifications?channel=sms" {
			t.Errorf("the address becomes %q", got)
		}
	})
}

func TestALongListIsReadPartByPart(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		shop(t, db)
		wrote(t, db, "Some", nil)
		made := rules.New(db, rules.Options{})
		for range 7 {
			if _, err := made.Bulk(t.Context(), rules.BulkDuplicate, rules.Selection{Matching: &rules.Filter{}}, "ann"); err != nil {
				t.Fatal(err)
			}
		}
		v := visit(t, db, account.Editor)
		seen := map[string]bool{}
		for path, parts := "/notifications?sort=title", 0; path != ""; parts++ {
			if parts > 3 {
				t.Fatal("the list does not end")
			}
			page := v.page(path)
			v.holds(page, "128 notifications", "All 128")
			for _, match := range regexp.MustCompile(`name="id" value="([^"]+)"`).FindAllStringSubmatch(page, -1) {
				seen[match[1]] = true
			}
			path = ""
			if next := regexp.MustCompile(`rel="next" href="([^"]+)"`).FindStringSubmatch(page); next != nil {
				path = "/notifications" + strings.ReplaceAll(next[1], "&amp;", "&")
			}
		}
		if len(seen) != 128 {
			t.Errorf("seen %d", len(seen))
		}
	})
}

func TestManyNotificationsAreChangedOnceItIsConfirmedAndTakenBack(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		shop(t, db)
		changes := 0
		v := visit(t, db, account.Editor, func(c *Config) { c.OnRuleChange = func(context.Context) { changes++ } })
		a, b := wrote(t, db, "Alpha", nil), wrote(t, db, "Beta", func(n *rule.Notification) { n.Active = false })
		page := v.post("/notifications/bulk", "what", "activate", "id", a.ID, "id", b.ID).Body.String()
		v.holds(page, "Activate 2 notifications?", "1 notification of them is so already", ">Activate 1 notification<", "Alpha", "Beta")
		if changes != 0 {
			t.Fatal("it was done without a confirmation")
		}
		if said := v.goes("/notifications/bulk", "/notifications", "what", "activate", "id", a.ID, "id", b.ID, "confirmed", "yes"); said != "1 notification activated." || changes != 1 {
			t.Errorf("%q after %d changes", said, changes)
		}
		if said := v.undo(); said != "Taken back: 1 notification as before." || changes != 2 {
			t.Errorf("%q after %d changes", said, changes)
		}
		filter := "search=alpha"
		page = v.post("/notifications/bulk", "what", "delete", "all", "1", "filter", filter).Body.String()
		v.holds(page, "Delete 1 notification?", "All that match", "Alpha", `name="all" value="1"`, `value="search=alpha"`)
		if said := v.goes("/notifications/bulk", "/notifications?search=alpha", "what", "delete", "all", "1", "filter", filter, "confirmed", "yes"); said != "1 notification deleted." {
			t.Error(said)
		}
		v.lacks(v.page("/notifications"), "/notifications/"+a.ID+`"`)
		v.access.flash = nil
		v.goes("/notifications/bulk", "/notifications", "what", "delete", "id", b.ID, "confirmed", "yes")
		v.undo()
		v.holds(v.page("/notifications"), "Beta")
		if said := v.goes("/notifications/bulk", "/notifications", "what", "duplicate", "id", b.ID, "confirmed", "yes"); said != "1 notification copied." || v.access.flash.Label != "Open the copy" {
			t.Errorf("%q %+v", said, v.access.flash)
		}
		if said := v.goes("/notifications/bulk", "/notifications", "what", "delete"); !strings.Contains(said, "Nothing is chosen") {
			t.Error(said)
		}
		for _, wrong := range [][]string{{"what", "paint", "id", b.ID}, {"what", "delete", "id", "x"}, {"what", "delete", "all", "1", "filter", "%zz"},
			{"what", "delete", "all", "1", "filter", "channel=fax"}, {"what", "delete", "all", "1", "filter", "created_from=soon"}} {
			if answer := v.post("/notifications/bulk", wrong...); answer.Code != http.StatusBadRequest {
				t.Errorf("%v: %d", wrong, answer.Code)
			}
		}
		if answer := v.post("/notifications/undo", "revision", "x"); answer.Code != http.StatusBadRequest {
			t.Errorf("an undo of nothing: %d", answer.Code)
		}
		if said := v.goes("/notifications/undo", "/notifications", "revision", "99999", "back", "https://elsewhere.example/"); !strings.Contains(said, "Nothing was taken back") {
			t.Error(said)
		}
		records, _, err := audit.List(t.Context(), db, audit.Filter{Actor: "ann@example.com", Action: "notification.deleted"}, "", 0)
		if err != nil || len(records) == 0 {
			t.Errorf("the audit log has %+v, %v", records, err)
		}
	})
}

func TestOneNotificationIsChangedFromItsOwnPageInTheSameWay(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	shop(t, db)
	v := visit(t, db, account.Editor)
	a := wrote(t, db, "Alpha", nil)
	own := "/notifications/" + a.ID
	v.holds(v.page(own), `<button name="what" value="deactivate">`, `name="what" value="duplicate"`, `name="what" value="delete"`)
	v.lacks(v.page(own), `value="activate">Activate<`)
	v.holds(v.post("/notifications/bulk", "what", "deactivate", "id", a.ID, "page", a.ID).Body.String(),
		"Deactivate 1 notification?", `name="page" value="`+a.ID+`"`, `href="`+own+`">Cancel`)
	if said := v.goes("/notifications/bulk", own, "what", "deactivate", "id", a.ID, "page", a.ID, "confirmed", "yes"); said != "1 notification deactivated." {
		t.Error(said)
	}
	back := v.access.flash
	v.holds(v.page(own), `<button name="what" value="activate">`)
	v.access.flash = back
	if said := v.undo(); said != "Taken back: 1 notification as before." {
		t.Error(said)
	}
	v.goes("/notifications/bulk", "/notifications", "what", "delete", "id", a.ID, "page", a.ID, "confirmed", "yes")
	viewer := visit(t, db, account.Viewer)
	v.undo()
	viewer.lacks(viewer.page(own), `name="what"`)
}

func TestAPathBackLeadsToAListOfOurs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"/notifications/0190a000-0000-7000-8000-000000000009": "/notifications/0190a000-0000-7000-8000-000000000009", "/notifications/new": "/notifications",
		"": "/notifications", "/notifications?search=x": "/notifications?search=x", "/lists": "/lists", "//evil.example/notifications": "/notifications",
		"https://evil.example/notifications": "/notifications", "javascript:alert(1)": "/notifications", "/notifications\\@evil": "/notifications", "/\\evil.example": "/notifications", "%zz": "/notifications",
	} {
		if got := listPath(text); got != want {
			t.Errorf("%q leads to %q, want %q", text, got, want)
		}
	}
}

func TestADeletedNotificationIsFoundAndBroughtBack(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	shop(t, db)
	v := visit(t, db, account.Editor)
	gone := wrote(t, db, "Gone for good", nil)
	wrote(t, db, "Still there", nil)
	if err := (store.Notifications{DB: db}).Delete(t.Context(), gone.ID, "ben@example.com"); err != nil {
		t.Fatal(err)
	}
	path := "/notifications/" + gone.ID
	page := v.page("/notifications?active=deleted&search=for+GOOD")
	v.holds(page, "Gone for good", "ben@example.com", `href="`+path+`/history"`, `href="`+path+`/restore"`, `value="deleted" selected`, "1 notification matches")
	v.lacks(page, "Still there", `action="/notifications/bulk"`)
	v.holds(v.page("/notifications?active=deleted&channel=sms"), "Nothing deleted matches")
	v.goes(path+"/restore", path+"/history")
	v.holds(v.page("/notifications?active=deleted"), "Nothing deleted matches")
}

func TestTheHistoryOfANotificationIsReadAndAVersionRestored(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		shop(t, db)
		v := visit(t, db, account.Editor)
		book := rules.New(db, rules.Options{})
		n := wrote(t, db, "Alpha", func(n *rule.Notification) { n.Message = "one\ntwo\nthree" })
		n.Message, n.Title = "one\nzwei\nthree", "Beta"
		if err := book.Update(t.Context(), n, "ben@example.com"); err != nil {
			t.Fatal(err)
		}
		path := "/notifications/" + n.ID
		page := v.page(path + "/history")
		v.holds(page, "Version 2: changed", "Version 1: created", "by ben@example.com", "<del>two</del>", "<ins>zwei</ins>", "<del>Alpha</del>", "<ins>Beta</ins>", "added: ", "removed: ", path+"/restore?version=1")
		v.lacks(page, path+"/restore?version=2")
		v.holds(v.page(path+"/restore?version=1"), "What changes", "<del>Beta</del>", "Restore version 1")
		if said := v.goes(path+"/restore", path+"/history", "version", "1"); said != "Restored as it was in version 1." {
			t.Error(said)
		}
		v.holds(v.page(path+"/history"), "Version 3: restored")
		if err := book.Delete(t.Context(), n.ID, "ben"); err != nil {
			t.Fatal(err)
		}
		v.holds(v.page(path+"/history"), "This notification is deleted", "Version 4: deleted", `href="`+path+`/restore"`)
		v.holds(v.page(path+"/restore"), "It comes back as it was")
		if said := v.goes(path+"/restore", path+"/history"); said != "Restored as it was." {
			t.Error(said)
		}
		if said := v.goes(path+"/restore", path+"/history"); !strings.Contains(said, "there already") {
			t.Error(said)
		}
		for _, path := range []string{"/notifications/none/history", "/notifications/0190a000-0000-7000-8000-000000000009/history", path + "/restore?version=77", path + "/restore?version=x"} {
			if answer := v.get(path); answer.Code != http.StatusNotFound {
				t.Errorf("%s: %d", path, answer.Code)
			}
		}
		viewer := visit(t, db, account.Viewer)
		viewer.lacks(viewer.page(path+"/history"), "/restore")
		if answer := viewer.post(path+"/restore", "version", "1"); answer.Code != http.StatusForbidden {
			t.Errorf("a viewer restores: %d", answer.Code)
		}
	})
}

func TestAVersionThatDoesNotFitAnyMoreIsNotRestored(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		shop(t, db)
		v := visit(t, db, account.Editor)
		n := wrote(t, db, "Alpha", func(n *rule.Notification) { n.Conditions = "doc.gone == 1" })
		n.Conditions = ""
		if err := rules.New(db, rules.Options{}).Update(t.Context(), n, "ben"); err != nil {
			t.Fatal(err)
		}
		answer := v.post("/notifications/"+n.ID+"/restore", "version", "1")
		if answer.Code != http.StatusUnprocessableEntity {
			t.Errorf("%d", answer.Code)
		}
		v.holds(answer.Body.String(), "cannot come back as it is", "Conditions")
	})
}

func TestALongHistoryIsReadPartByPart(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	shop(t, db)
	v := visit(t, db, account.Viewer)
	n := wrote(t, db, "Alpha", nil)
	for i := range historyPart + 4 {
		n.Title = fmt.Sprint("Title ", i)
		if err := (store.Notifications{DB: db}).Update(t.Context(), n, "ben"); err != nil {
			t.Fatal(err)
		}
	}
	page := v.page("/notifications/" + n.ID + "/history")
	v.holds(page, "Version 25", "Version 6:", "?before=6")
	v.lacks(page, "Version 5:", "What it said at first")
	v.holds(v.page("/notifications/"+n.ID+"/history?before=6"), "Version 5:", "Version 1:", "What it said at first")
}

// upload sends a file.
func (v *visitor) upload(content string) *httptest.ResponseRecorder {
	v.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	_ = form.WriteField("csrf_token", "token")
	part, err := form.CreateFormFile("file", evil+".json")
	if err == nil {
		_, err = part.Write([]byte(content))
	}
	if err != nil || form.Close() != nil {
		v.t.Fatal(err)
	}
	request := httptest.NewRequest(http.MethodPost, "/notifications/import", &body)
	request.Header.Set("Content-Type", form.FormDataContentType())
	return v.send(request)
}

func TestNotificationsAreExportedAndImportedElsewhere(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		shop(t, db)
		v := visit(t, db, account.Editor)
		wrote(t, db, "Alpha", nil)
		wrote(t, db, "Beta", nil)
		v.holds(v.page("/notifications/export?search=beta"), "Export 1 notification", "Export everything")
		file := v.post("/notifications/export", "everything", "1")
		if file.Code != http.StatusOK || !strings.HasPrefix(file.Header().Get("Content-Disposition"), `attachment; filename="silque-notifications-`) {
			t.Fatalf("%d %v", file.Code, file.Header())
		}
		one := v.post("/notifications/export", "all", "1", "filter", "search=beta").Body.String()
		v.holds(one, "Beta")
		v.lacks(one, "Alpha")

		there := testdb.SQLite(t)
		shop(t, there)
		w := visit(t, there, account.Editor)
		w.holds(w.page("/notifications/import"), `enctype="multipart/form-data"`)
		uploaded := w.upload(file.Body.String())
		path := uploaded.Header().Get("Location")
		if uploaded.Code != http.StatusSeeOther || !strings.HasPrefix(path, "/notifications/import/") {
			t.Fatalf("%d %s", uploaded.Code, uploaded.Body)
		}
		page := w.page(path)
		w.holds(page, "Nothing has been changed yet", "<b>2</b> new", "is added, inactive", "Import: 2 to write")
		w.lacks(page, evil)
		w.lacks(w.page("/notifications"), "Alpha")
		if said := w.goes(path, "/notifications?sort=-changed", "existing", "keep"); !strings.Contains(said, "2 notifications imported") {
			t.Error(said)
		}
		flash := w.access.flash
		again := w.post("/notifications/export", "everything", "1").Body.String()
		if strings.ReplaceAll(again, `"active": false`, `"active": true`) != file.Body.String() {
			t.Errorf("exported\n%s\nand then\n%s", file.Body, again)
		}
		w.holds(w.page(path+"/progress"), "2 notifications imported")
		w.access.flash = flash
		w.undo()
		w.holds(w.page("/notifications"), "No notification yet")
		viewer := visit(t, there, account.Viewer)
		for _, answer := range []*httptest.ResponseRecorder{viewer.get("/notifications/import"), viewer.get(path), viewer.upload("{}"), viewer.post(path)} {
			if answer.Code != http.StatusForbidden {
				t.Errorf("a viewer imports: %d", answer.Code)
			}
		}
	})
}

func TestAMistakeInAnImportEndsThatImportAlone(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	shop(t, db)
	wrote(t, db, "Alpha", nil)
	file := visit(t, db, account.Editor).post("/notifications/export", "everything", "1").Body.String()
	there := testdb.SQLite(t)
	shop(t, there)
	v := visit(t, there, account.Editor, func(c *Config) { c.OnRuleChange = func(context.Context) { panic("a mistake") } })
	path := v.upload(file).Header().Get("Location")
	if answer := v.post(path); answer.Code != http.StatusInternalServerError {
		t.Errorf("%d %v", answer.Code, answer.Header())
	}
	v.holds(v.page(path+"/progress"), "Import")
}

func TestADryRunShowsWhatWouldHappenToEach(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		shop(t, db)
		v := visit(t, db, account.Editor)
		wrote(t, db, "Alpha", nil)
		file := v.post("/notifications/export", "everything", "1").Body.String()
		path := v.upload(strings.Replace(file, "It is there.", "It is "+strings.ReplaceAll(evil, `"`, `\"`)[:25], 1)).Header().Get("Location")
		v.holds(v.page(path), "stays as it is here", "<b>1</b> different here", "Nothing to import", "1 difference", "&lt;script&gt;")
		v.holds(v.page(path+"?existing=overwrite&activate=1"), "is replaced", "Import: 1 to write")
		path = v.upload(strings.Replace(file, "doc.email", "doc.gone", 1)).Header().Get("Location")
		v.holds(v.page(path+"?existing=overwrite"), "cannot be here", "Recipients", "Cannot be imported as it is")
		if answer := v.post(path, "existing", "overwrite"); answer.Code != http.StatusUnprocessableEntity {
			t.Errorf("an invalid file: %d", answer.Code)
		}
	})
}

func TestAHostileFileIsRefusedInWords(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	v := visit(t, db, account.Editor)
	for name, test := range map[string]struct {
		content, want string
		code          int
	}{
		"empty":       {"", "it is empty", 422},
		"no JSON":     {evil, "not JSON", 422},
		"a version":   {`{"silque_notifications": 9}`, "version 9", 422},
		"unknown":     {`{"silque_notifications": 1, "` + strings.ReplaceAll(evil, `"`, "") + `": 1}`, "unknown field", 422},
		"much":        {strings.Repeat("x", maxForm), "larger", 413},
		"IDs repeat":  {`{"silque_notifications": 1, "notifications": [{"id": "0190a000-0000-7000-8000-000000000001"}, {"id": "0190a000-0000-7000-8000-000000000001"}]}`, "same id", 422},
		"many braces": {`{"silque_notifications": 1, "notifications": ` + strings.Repeat(`[`, 100_000), "not JSON", 422},
	} {
		answer := v.upload(test.content)
		if answer.Code != test.code || !strings.Contains(answer.Body.String(), test.want) || strings.Contains(answer.Body.String(), evil) {
			t.Errorf("%s: %d %s", name, answer.Code, answer.Body)
		}
	}
	if answer := v.post("/notifications/import"); answer.Code != http.StatusUnprocessableEntity {
		t.Errorf("no file: %d", answer.Code)
	}
	for _, path := range []string{"/notifications/import/x", "/notifications/import/0190a000-0000-7000-8000-000000000001"} {
		if answer := v.get(path); answer.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, answer.Code)
		}
	}
}

func TestSavedListsAreMadeChangedAndDeletedUnlessTheyAreUsed(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		shop(t, db)
		v := visit(t, db, account.Editor)
		v.holds(v.page("/lists"), "No saved list yet", "/lists/new")
		v.page("/lists/new")
		wrong := v.post("/lists/new", "name", "", "entry_name", evil, "entry_email", "nobody", "entry_number", "", "entry_locale", "")
		if wrong.Code != http.StatusUnprocessableEntity {
			t.Errorf("an invalid list: %d", wrong.Code)
		}
		v.holds(wrong.Body.String(), "give the list a name", "2 things to mend", `value="nobody"`)
		v.lacks(wrong.Body.String(), evil)
		answer := v.post("/lists/new", "name", evil, "entry_name", "Ann", "entry_email", "ann@example.com", "entry_number", "", "entry_locale", "",
			"entry_name", "Gone", "entry_email", "gone@example.com", "entry_number", "", "entry_locale", "", "remove", "1",
			"entry_name", "", "entry_email", "", "entry_number", "", "entry_locale", "",
			"lines", "Ben Lee; ben@example.com; +1 202 555 0123; de\n\ncem@example.com\n\"Dan\" <dan@example.com>\n")
		path := answer.Header().Get("Location")
		if answer.Code != http.StatusSeeOther || !strings.HasPrefix(path, "/lists/") {
			t.Fatalf("%d %s", answer.Code, answer.Body)
		}
		id := strings.TrimPrefix(path, "/lists/")
		l, err := store.Lists{DB: db}.Get(t.Context(), id)
		if got := fmt.Sprint(l.Entries); err != nil || got != "[{Ann ann@example.com  } {Ben Lee ben@example.com +1 202 555 0123 de} { cem@example.com  } {Dan dan@example.com  }]" {
			t.Errorf("%s, %v", got, err)
		}
		page := v.page(path)
		v.holds(page, "No notification names it yet", `value="Ben Lee"`)
		v.lacks(page, evil)
		n := wrote(t, db, "Uses "+evil, func(n *rule.Notification) { n.Recipients = []rule.Recipient{{ListID: id}} })
		v.holds(v.page("/lists"), "1 notification", "/notifications?list="+id)
		v.holds(v.page(path), "Used by 1 notification", "/notifications/"+n.ID)
		v.holds(v.page("/notifications?list="+id), "name the saved list", "saved list “&lt;script&gt;")
		refused := v.post(path + "/delete")
		if refused.Code != http.StatusConflict {
			t.Errorf("a used list: %d", refused.Code)
		}
		v.holds(refused.Body.String(), "cannot be deleted", "/notifications/"+n.ID)
		if _, err := rules.New(db, rules.Options{}).Bulk(t.Context(), rules.BulkDelete, rules.Selection{IDs: []string{n.ID}}, "ann"); err != nil {
			t.Fatal(err)
		}
		v.holds(v.page(path+"/delete"), "Delete the list")
		v.goes(path+"/delete", "/lists")
		records, _, err := audit.List(t.Context(), db, audit.Filter{Target: "list", Actor: "ann@example.com"}, "", 0)
		if err != nil || len(records) != 2 {
			t.Errorf("the audit log has %+v, %v", records, err)
		}
		viewer := visit(t, db, account.Viewer)
		for _, path := range []string{"/lists/new", path + "/delete"} {
			if answer := viewer.get(path); answer.Code != http.StatusForbidden {
				t.Errorf("%s: %d", path, answer.Code)
			}
		}
	})
}

func TestTwoListsOfOneNameAreRefused(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	v := visit(t, db, account.Editor)
	v.post("/lists/new", "name", "Night", "lines", "ann@example.com")
	if answer := v.post("/lists/new", "name", "Night", "lines", "ann@example.com"); answer.Code != http.StatusUnprocessableEntity || !strings.Contains(answer.Body.String(), "another list has this name") {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
}

func TestModelsAreShownWithTheirFieldsAndWhatWatchesThem(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		v := visit(t, db, account.Editor)
		v.holds(v.page("/models"), "No model yet", "plugin.Register")
		shop(t, db)
		wrote(t, db, "Alpha", nil)
		wrote(t, db, "Beta", func(n *rule.Notification) { n.Model = "gone" })
		v.holds(v.page("/models"), "doc.status", "one of <a", "primary key", `/notifications?model=orders">1 notification`, "not registered any more")
	})
}

func TestNoTextOfANotificationBecomesHTML(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	shop(t, db)
	v := visit(t, db, account.Editor)
	everywhere := func(n *rule.Notification) {
		n.Title, n.Message, n.HTMLMessage, n.Conditions, n.Model, n.Channel = evil, evil, evil, evil, evil, rule.Channel(evil)
		n.Trigger, n.ValueChangeField, n.ValueChangeTo, n.ReplyTo = rule.OnValueChange, evil, new(evil), evil
		n.Recipients = []rule.Recipient{{Address: evil, DocumentField: evil, Query: &rule.RecipientQuery{Model: evil, Where: []rule.Match{{Field: evil, Value: evil}}}}}
		n.Variants, n.Attachments, n.ContentVariables = []rule.Variant{{Locale: evil, Title: evil}}, []rule.Attachment{{Name: evil}}, map[string]string{evil: evil}
	}
	n := wrote(t, db, "Alpha", nil)
	everywhere(n)
	if err := (store.Notifications{DB: db}).Update(t.Context(), n, evil); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"/notifications", "/notifications?search=" + url.QueryEscape(evil), "/notifications?model=" + url.QueryEscape(evil), "/notifications?list=" + url.QueryEscape(evil),
		"/notifications/" + n.ID + "/history", "/notifications/" + n.ID + "/restore?version=1", "/notifications/export?search=" + url.QueryEscape(evil), "/models",
	} {
		v.lacks(v.page(path), "<script>alert", `"'>`)
	}
	v.lacks(v.post("/notifications/bulk", "what", "delete", "id", n.ID).Body.String(), "<script>alert", `"'>`)
}
