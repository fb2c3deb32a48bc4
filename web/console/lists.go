package console

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/web/ui"
)

// listsRoutes are the pages about saved lists.
func (s *Console) listsRoutes() []Route {
	return []Route{
		{http.MethodGet, "/lists", account.Viewer, (*Console).showLists},
		{http.MethodGet, "/lists/new", account.Editor, (*Console).showNewList},
		{http.MethodPost, "/lists/new", account.Editor, (*Console).saveList},
		{http.MethodGet, "/lists/:id", account.Viewer, (*Console).showList},
		{http.MethodPost, "/lists/:id", account.Editor, (*Console).saveList},
		{http.MethodGet, "/lists/:id/delete", account.Editor, (*Console).askDeleteList},
		{http.MethodPost, "/lists/:id/delete", account.Editor, (*Console).deleteList},
	}
}

// savedListRow is a list among others.
type savedListRow struct {
	*store.List

	Uses int64
}

func (s *Console) showLists(c *gin.Context) error {
	ctx := c.Request.Context()
	all, err := s.lists.All(ctx)
	if err != nil {
		return err
	}
	rows := make([]savedListRow, len(all))
	for i, l := range all {
		rows[i] = savedListRow{List: l}
		if rows[i].Uses, err = s.notifications.Count(ctx, store.NotificationFilter{ListID: l.ID}); err != nil {
			return err
		}
	}
	return s.show(c, http.StatusOK, "lists_all", &ui.Page{Title: "Saved lists", Area: "/lists", Data: rows, Styles: []string{"notifications.css"}})
}

// listPage is one list as a form.
type listPage struct {
	ID, Name string
	Rows     []entryRow
	// Lines are pasted text that is added to the rows.
	Lines string
	// Problems says what is wrong, by name, entries[3].email or lines.
	Problems map[string]string
	// Uses are notifications that name the list; Used counts them.
	Uses []*rule.Notification
	Used int64
	// Saved is the list as it is kept; nil for a new one.
	Saved *store.List
}

// entryRow is a row of the form.
type entryRow struct {
	rule.ListEntry

	// Number counts from 0, as in the names of problems.
	Number int
}

// Called is a notification's title, or what stands for it.
func (listPage) Called(n *rule.Notification) string { return called(n) }

// Wrong is what is wrong with a part of a row.
func (p listPage) Wrong(row int, part string) string {
	name := "entries[" + strconv.Itoa(row) + "]"
	if part != "" {
		name += "." + part
	}
	return p.Problems[name]
}

// Row counts for people, from 1.
func (r entryRow) Row() int { return r.Number + 1 }

// Phone is the entry's number.
func (r entryRow) Phone() string { return r.ListEntry.Number }

// MoreUses says whether more notifications name the list than the page shows.
func (p listPage) MoreUses() bool { return p.Used > int64(len(p.Uses)) }

// blankRows are for entries that are still to be written.
const blankRows = 3

func rowsOf(entries []rule.ListEntry) []entryRow {
	rows := make([]entryRow, 0, len(entries)+blankRows)
	for i, e := range entries {
		rows = append(rows, entryRow{e, i})
	}
	for i := range blankRows {
		rows = append(rows, entryRow{Number: len(entries) + i})
	}
	return rows
}

// usesShown bounds the notifications that a list's page names.
const usesShown = 20

func (s *Console) listForm(c *gin.Context, id string) (*listPage, error) {
	if _, err := uuid.Parse(id); err != nil {
		return nil, store.ErrNotFound
	}
	ctx := c.Request.Context()
	saved, err := s.lists.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	p := &listPage{ID: id, Name: saved.Name, Rows: rowsOf(saved.Entries), Saved: saved}
	page, err := s.notifications.Sorted(ctx, store.NotificationFilter{ListID: id}, store.ByTitle, store.Paging{Limit: usesShown})
	if err != nil {
		return nil, err
	}
	p.Uses, p.Used = page.Items, int64(len(page.Items))
	if page.Next != "" {
		p.Used, err = s.notifications.Count(ctx, store.NotificationFilter{ListID: id})
	}
	return p, err
}

func (s *Console) showNewList(c *gin.Context) error {
	return s.showListForm(c, http.StatusOK, &listPage{Rows: rowsOf(nil)})
}

func (s *Console) showList(c *gin.Context) error {
	p, err := s.listForm(c, c.Param("id"))
	if err != nil {
		return err
	}
	return s.showListForm(c, http.StatusOK, p)
}

func (s *Console) showListForm(c *gin.Context, status int, p *listPage) error {
	title := "New saved list"
	if p.Saved != nil {
		title = p.Saved.Name
	}
	return s.show(c, status, "lists_form", &ui.Page{Title: title, Area: "/lists", Data: p, Wide: true, Styles: []string{"notifications.css"}, Scripts: []string{"notifications.js"}})
}

// saveList keeps a new list, or replaces one.
func (s *Console) saveList(c *gin.Context) error {
	p := &listPage{}
	if id := c.Param("id"); id != "" {
		var err error
		if p, err = s.listForm(c, id); err != nil {
			return err
		}
	}
	if err := c.Request.ParseForm(); err != nil {
		return err
	}
	entries := p.read(c.Request.PostForm)
	if entries = s.check(p, entries); len(p.Problems) > 0 {
		return s.showListForm(c, http.StatusUnprocessableEntity, p)
	}
	list := &store.List{ID: p.ID, Name: p.Name, Entries: entries}
	keep := s.lists.Update
	if p.Saved == nil {
		keep = s.lists.Create
	}
	err := keep(c.Request.Context(), list, s.actor(c))
	if errors.Is(err, store.ErrNameTaken) {
		p.Problems = map[string]string{"name": "another list has this name"}
		return s.showListForm(c, http.StatusUnprocessableEntity, p)
	}
	if err != nil {
		return err
	}
	return s.done(c, "/lists/"+list.ID, ui.Flash{Text: "Saved: " + entriesWord(len(entries)) + " in “" + list.Name + "”."})
}

func entriesWord(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return strconv.Itoa(n) + " entries"
}

// read takes the form's values: rows that are blank or ticked for removal go, pasted lines come.
func (p *listPage) read(form url.Values) (entries []rule.ListEntry) {
	p.Name, p.Lines = strings.TrimSpace(form.Get("name")), form.Get("lines")
	removed := map[string]bool{}
	for _, number := range form["remove"] {
		removed[number] = true
	}
	names, emails, numbers, locales := form["entry_name"], form["entry_email"], form["entry_number"], form["entry_locale"]
	for i := range min(len(names), len(emails), len(numbers), len(locales)) {
		e := rule.ListEntry{
			Name: strings.TrimSpace(names[i]), Email: strings.TrimSpace(emails[i]), Number: strings.TrimSpace(numbers[i]), Locale: strings.TrimSpace(locales[i]),
		}
		if e != (rule.ListEntry{}) && !removed[strconv.Itoa(i)] {
			entries = append(entries, e)
		}
	}
	return append(entries, pasted(p.Lines)...)
}

// pasted reads lines such as "Ann Lee, ann@example.com, +12025550123, de": the parts stand in any order, since an address
// has an @, a number begins with + or has only digits, and a language has two or three letters.
func pasted(lines string) (entries []rule.ListEntry) {
	for line := range strings.Lines(lines) {
		var e rule.ListEntry
		for part := range strings.FieldsFuncSeq(strings.TrimSpace(line), func(r rune) bool { return r == ',' || r == ';' || r == '\t' }) {
			part = strings.Trim(strings.TrimSpace(part), `"`)
			switch {
			case part == "":
			case strings.Contains(part, "@"):
				if open := strings.IndexByte(part, '<'); open >= 0 && strings.HasSuffix(part, ">") {
					if e.Name == "" {
						e.Name = strings.Trim(strings.TrimSpace(part[:open]), `"`)
					}
					part = part[open+1 : len(part)-1]
				}
				e.Email = part
			case isNumber(part):
				e.Number = part
			case e.Name != "" && isLanguage(part):
				e.Locale = part
			case e.Name == "":
				e.Name = part
			default:
				e.Name += " " + part
			}
		}
		if e != (rule.ListEntry{}) {
			entries = append(entries, e)
		}
	}
	return entries
}

func isNumber(part string) bool {
	digits := 0
	for i, r := range part {
		switch {
		case r >= '0' && r <= '9':
			digits++
		case r == '+' && i == 0, strings.ContainsRune(" -()./", r):
		default:
			return false
		}
	}
	return digits >= 5
}

func isLanguage(part string) bool {
	first, _, _ := strings.Cut(part, "-")
	return len(part) <= 11 && (len(first) == 2 || len(first) == 3) && first == strings.ToLower(first) && strings.Trim(first, "abcdefghijklmnopqrstuvwxyz") == ""
}

// nameLimit is in characters, as in the REST API.
const nameLimit = 255

// check says what is wrong with a list, and shows the rows as they would be.
func (s *Console) check(p *listPage, entries []rule.ListEntry) []rule.ListEntry {
	p.Problems = map[string]string{}
	switch {
	case p.Name == "":
		p.Problems["name"] = "give the list a name"
	case utf8.RuneCountInString(p.Name) > nameLimit || !storableText(p.Name):
		p.Problems["name"] = "at most 255 characters, and none that no text can have"
	}
	for i, e := range entries {
		if !storableText(e.Name + e.Email + e.Number + e.Locale) {
			p.Problems["entries["+strconv.Itoa(i)+"]"] = "it holds characters that no text can have"
		}
	}
	for field, message := range rule.ValidateList(entries, s.config.Addresses) {
		if p.Problems[field] == "" {
			p.Problems[field] = message
		}
	}
	p.Rows = rowsOf(entries)
	if len(p.Problems) > 0 {
		p.Lines = "" // they stand in the rows now
	}
	return entries
}

func storableText(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }

func (s *Console) askDeleteList(c *gin.Context) error { return s.showDeleteList(c, http.StatusOK) }

func (s *Console) showDeleteList(c *gin.Context, status int) error {
	p, err := s.listForm(c, c.Param("id"))
	if err != nil {
		return err
	}
	return s.show(c, status, "lists_delete", &ui.Page{Title: "Delete " + p.Name + "?", Area: "/lists", Data: p, Styles: []string{"notifications.css"}})
}

// deleteList refuses to remove a list that a notification names, and shows which ones do.
func (s *Console) deleteList(c *gin.Context) error {
	p, err := s.listForm(c, c.Param("id"))
	if err != nil {
		return err
	}
	err = s.lists.Delete(c.Request.Context(), p.ID, s.actor(c))
	if errors.Is(err, store.ErrListInUse) {
		return s.showDeleteList(c, http.StatusConflict)
	}
	if err != nil {
		return err
	}
	return s.done(c, "/lists", ui.Flash{Text: "Deleted: “" + p.Name + "”."})
}
