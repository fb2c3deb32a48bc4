package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/saying"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/rules"
	"github.com/silquetech/silque-notifications/web/ui"
)

// bulkWords are what people read about what can be done to many notifications.
type bulkWords struct{ Verb, Done, Effect, Back string }

var bulkWordsOf = map[rules.Bulk]bulkWords{
	rules.BulkActivate: {"Activate", "activated", "From now on each sends messages when its trigger fires. What changed before is not told.",
		"You can take it back at once, or deactivate them later."},
	rules.BulkDeactivate: {"Deactivate", "deactivated", "Each sends nothing until somebody activates it. What was captured before is still told.",
		"You can take it back at once, or activate them later."},
	rules.BulkDuplicate: {"Duplicate", "copied", "Each gets a copy named “" + rules.DuplicatePrefix + "…” that is not active, so that nothing is sent twice until you have changed it.",
		"You can take it back at once, or delete the copies."},
	rules.BulkDelete: {"Delete", "deleted", "Each stops sending for good. What was captured before is still told, and its history and deliveries stay to be looked at.",
		"You can take it back at once, or restore each later: the list shows them under the state “deleted”."},
}

// bulkLimit bounds the boxes of one page.
const bulkLimit = store.MaxLimit

// chosenOf reads which notifications a form is about: those with a box ticked, or all that match.
func chosenOf(c *gin.Context) (of rules.Selection, form url.Values, q rulesQuery, err error) {
	if err := c.Request.ParseForm(); err != nil {
		return of, nil, q, err
	}
	form = c.Request.PostForm
	filters, err := url.ParseQuery(form.Get("filter"))
	if err != nil {
		return of, nil, q, wrongInput("The filter cannot be read. Go back to the list and choose again.")
	}
	q = rulesQueryOf(filters, zone(c))
	if form.Get("all") != "" {
		for name := range filters {
			if slices.Contains(ruleFilters, name) && strings.TrimSpace(filters.Get(name)) != "" && !q.Values.Has(name) {
				return of, nil, q, wrongInput("A part of the filter is not understood, so nothing was done. Go back to the list, filter it anew and try again.")
			}
		}
		return rules.Selection{Matching: &q.Filter}, form, q, nil
	}
	for _, id := range form["id"] {
		if parsed, err := uuid.Parse(id); err != nil || parsed.String() != id {
			return of, nil, q, wrongInput("One of the chosen notifications is none. Go back to the list and choose again.")
		}
	}
	if len(form["id"]) > bulkLimit {
		return of, nil, q, wrongInput(fmt.Sprintf("At most %d can be chosen one by one. Filter the list, and choose all that match.", bulkLimit))
	}
	return rules.Selection{IDs: form["id"]}, form, q, nil
}

// bulkPage asks whether something is to be done.
type bulkPage struct {
	What  rules.Bulk
	Words bulkWords
	// Count is how many are meant; Already of them are so already.
	Count, Already int64
	// Some names the first ones.
	Some []*rule.Notification
	// IDs, All and Filter are what the form says again.
	IDs          []string
	All          bool
	Filter, Back string
	// Page is the notification on whose page somebody asks; empty for the list.
	Page string
}

// Called is a notification's title, or what stands for it.
func (bulkPage) Called(n *rule.Notification) string { return called(n) }

// When says when it fires.
func (bulkPage) When(n *rule.Notification) string { return saying.When(n) }

// Changing is how many will not be as they are.
func (p bulkPage) Changing() int64 { return p.Count - p.Already }

// changeNotifications does something to the chosen notifications, once it is confirmed.
func (s *Console) changeNotifications(c *gin.Context) error {
	of, form, q, err := chosenOf(c)
	if err != nil {
		return err
	}
	what := rules.Bulk(form.Get("what"))
	words, known := bulkWordsOf[what]
	if !known {
		return wrongInput("There is no such thing to do. Go back to the list and choose again.")
	}
	if of.Matching == nil && len(of.IDs) == 0 {
		return s.done(c, q.Link(), ui.Flash{Problem: true, Text: "Nothing is chosen: tick the boxes of the notifications that you mean."})
	}
	ctx, page, back := c.Request.Context(), "", q.Link()
	if len(of.IDs) == 1 && form.Get("page") == of.IDs[0] {
		page = of.IDs[0]
		back = "/notifications/" + page
	}
	if form.Get("confirmed") == "" {
		p := bulkPage{What: what, Words: words, IDs: of.IDs, All: of.Matching != nil, Filter: q.Values.Encode(), Back: back, Page: page}
		if err := s.describe(ctx, &p, of); err != nil {
			return err
		}
		return s.show(c, http.StatusOK, "notifications_bulk", &ui.Page{
			Title: words.Verb + " " + countedNotifications(p.Count) + "?", Area: "/notifications", Data: p, Styles: []string{"notifications.css"},
		})
	}
	done, err := s.book.Bulk(ctx, what, of, s.actor(c))
	if err != nil {
		return err
	}
	if what == rules.BulkDelete {
		back = q.Link() // its page is gone
	}
	flash := ui.Flash{Text: countedNotifications(int64(done.Changed)) + " " + words.Done + "."}
	if done.Changed == 0 {
		flash.Text = "Nothing has changed: they were so already, or are gone."
	} else {
		flash.Undo, flash.UndoFields = undoOf(done.Revision, back)
	}
	if len(done.Made) == 1 {
		flash.Path, flash.Label = "/notifications/"+done.Made[0], "Open the copy"
	}
	return s.done(c, back, flash)
}

// namedAtMost is how many notifications a confirmation names.
const namedAtMost = 10

// describe looks which notifications are meant.
func (s *Console) describe(ctx context.Context, p *bulkPage, of rules.Selection) error {
	counts := func(n *rule.Notification) bool {
		return p.What == rules.BulkActivate && n.Active || p.What == rules.BulkDeactivate && !n.Active
	}
	if of.Matching == nil {
		current, err := s.notifications.Current(ctx, of.IDs)
		if err != nil {
			return err
		}
		for _, id := range of.IDs {
			n := current[id]
			if n == nil {
				continue
			}
			p.Count++
			if counts(n) {
				p.Already++
			}
			if len(p.Some) < namedAtMost {
				p.Some = append(p.Some, n)
			}
		}
		return nil
	}
	page, err := s.notifications.List(ctx, *of.Matching, store.Paging{Limit: namedAtMost})
	if err != nil {
		return err
	}
	p.Some = page.Items
	if p.Count, err = s.notifications.Count(ctx, *of.Matching); err != nil || p.What != rules.BulkActivate && p.What != rules.BulkDeactivate {
		return err
	}
	so := p.What == rules.BulkActivate
	if asked := of.Matching.Active; asked != nil {
		if *asked == so {
			p.Already = p.Count
		}
		return nil
	}
	narrowed := *of.Matching
	narrowed.Active = &so
	p.Already, err = s.notifications.Count(ctx, narrowed)
	return err
}

// undoOf is what takes a change back.
func undoOf(revision int64, back string) (path string, fields map[string][]string) {
	return "/notifications/undo", map[string][]string{"revision": {strconv.FormatInt(revision, 10)}, "back": {back}}
}

// undoNotifications takes a change back, as far as nobody has changed the notifications since.
func (s *Console) undoNotifications(c *gin.Context) error {
	revision, err := strconv.ParseInt(c.PostForm("revision"), 10, 64)
	if err != nil {
		return wrongInput("What is to be taken back cannot be found. Restore the notifications from their history.")
	}
	back := listPath(c.PostForm("back"))
	done, err := s.book.Undo(c.Request.Context(), revision, s.actor(c))
	if err != nil {
		return err
	}
	if done.Changed == 0 {
		return s.done(c, back, ui.Flash{Problem: true, Text: "Nothing was taken back: the notifications have changed since. Their history shows how."})
	}
	flash := ui.Flash{Text: "Taken back: " + countedNotifications(int64(done.Changed)) + " as before."}
	flash.Undo, flash.UndoFields = undoOf(done.Revision, back)
	return s.done(c, back, flash)
}

// listPath gives the address of a list of notifications or of one of them, whatever a form says: it leads nowhere else.
func listPath(text string) string {
	address, err := url.Parse(text)
	if err != nil || address.IsAbs() || address.Host != "" {
		return "/notifications"
	}
	if id, ok := strings.CutPrefix(address.Path, "/notifications/"); ok && uuid.Validate(id) == nil && len(id) == len(uuid.Nil.String()) {
		return "/notifications/" + id
	}
	if !slices.Contains([]string{"/notifications", "/lists"}, address.Path) {
		return "/notifications"
	}
	return (&url.URL{Path: address.Path, RawQuery: address.RawQuery}).String()
}

// countedNotifications writes how many there are.
func countedNotifications(n int64) string {
	if n == 1 {
		return "1 notification"
	}
	return strconv.FormatInt(n, 10) + " notifications"
}
