package console

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/preview"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/rules"
	"github.com/silquetech/silque-notifications/web/ui"
)

// notificationFormRoutes are the page on which one notification is written, and what its script asks for. Whoever may look
// may try things out; saving and sending need an editor.
func (s *Console) notificationFormRoutes() []Route {
	return []Route{
		{http.MethodGet, "/notifications/new", account.Viewer, (*Console).showNewNotification},
		{http.MethodPost, "/notifications/new", account.Editor, (*Console).saveNotification},
		{http.MethodGet, "/notifications/:id", account.Viewer, (*Console).showNotification},
		{http.MethodPost, "/notifications/:id", account.Editor, (*Console).saveNotification},
		{http.MethodPost, "/notifications/form", account.Viewer, (*Console).showNotificationFields},
		{http.MethodPost, "/notifications/preview", account.Viewer, (*Console).showNotificationPreview},
		{http.MethodPost, "/notifications/preview/html", account.Viewer, (*Console).showPreviewHTML},
		{http.MethodPost, "/notifications/compare", account.Viewer, (*Console).showComparison},
		{http.MethodPost, "/notifications/complete", account.Viewer, (*Console).complete},
		{http.MethodPost, "/notifications/test", account.Editor, (*Console).sendNotificationTest},
		{http.MethodGet, "/notifications/tests/:id", account.Viewer, (*Console).showNotificationTest},
	}
}

func (s *Console) previews() preview.Previews {
	return preview.Previews{DB: s.config.DB, Addresses: s.config.Addresses, Rows: s.config.Rows}
}

// notificationForm gives the page for some values, with everything that there is to choose from.
func (s *Console) notificationForm(ctx context.Context, v formValues) (*notificationPage, error) {
	p := &notificationPage{Values: v, DefaultKey: v.trimmed("preview_key"), TestTo: v.trimmed("test_to")}
	var err error
	if p.reader, err = s.book.Reader(ctx); err != nil {
		return nil, err
	}
	models, ok := p.reader.Models.(catalog.Set)
	if !ok {
		return nil, errors.New("console: the catalog is not one")
	}
	p.models = models
	p.Model, _ = models.Model(v.Get("model"))
	for _, m := range models.List() {
		p.Models = append(p.Models, modelChoice{Name: m.Name, Label: m.Label})
	}
	if p.Lists, err = s.savedLists(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// listsOffered bounds the saved lists to choose from.
const listsOffered = 500

func (s *Console) savedLists(ctx context.Context) ([]*store.List, error) {
	page, err := s.lists.List(ctx, store.Paging{Limit: listsOffered})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(page.Items, func(a, b *store.List) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return page.Items, nil
}

// modelsLooked bounds the models whose last change is looked up.
const modelsLooked = 40

func (s *Console) showNewNotification(c *gin.Context) error {
	ctx := c.Request.Context()
	p, err := s.notificationForm(ctx, newNotification(c.Request.URL.Query(), ""))
	if err != nil {
		return err
	}
	latest := 0
	for i := range p.Models[:min(len(p.Models), modelsLooked)] {
		page, err := s.events.List(ctx, store.EventFilter{Model: p.Models[i].Name}, store.Paging{Limit: 1})
		if err != nil {
			return err
		}
		if len(page.Items) > 0 {
			p.Models[i].LastChange = page.Items[0].CreatedAt
		}
		if p.Models[i].LastChange.After(p.Models[latest].LastChange) {
			latest = i
		}
	}
	if len(p.Models) > 0 {
		chosen := p.Models[latest].Name
		if asked := c.Query("model"); asked != "" {
			chosen = asked
		}
		p.Values.Set("model", chosen)
		p.Model, _ = p.models.Model(chosen)
	}
	p.chooseFields()
	return s.showForm(c, http.StatusOK, p)
}

func (s *Console) showNotification(c *gin.Context) error {
	p, err := s.savedForm(c, c.Param("id"), nil)
	if err != nil {
		return err
	}
	if errs, marks := p.reader.Examine(p.Saved); len(errs) > 0 {
		p.refuse(p.Saved, errs, marks)
	}
	return s.showForm(c, http.StatusOK, p)
}

// savedForm gives the page of a saved notification: as it is saved, or with the values that somebody has sent.
func (s *Console) savedForm(c *gin.Context, id string, sent *formValues) (*notificationPage, error) {
	if _, err := uuid.Parse(id); err != nil {
		return nil, store.ErrNotFound
	}
	saved, err := s.book.Get(c.Request.Context(), id)
	if err != nil {
		return nil, err
	}
	v := valuesOf(saved)
	if sent != nil {
		v = *sent
	}
	p, err := s.notificationForm(c.Request.Context(), v)
	if err != nil {
		return nil, err
	}
	p.ID, p.Saved, p.Version = id, saved, saved.Version
	if version, err := strconv.ParseInt(v.Get("version"), 10, 64); err == nil && sent != nil {
		p.Version = version
	}
	return p, nil
}

// sentForm gives the page with what the browser has sent, for a new notification or the one that the path or the form names.
func (s *Console) sentForm(c *gin.Context) (*notificationPage, error) {
	if err := c.Request.ParseForm(); err != nil {
		return nil, err
	}
	v := newFormValues(c.Request.PostForm)
	id := c.Param("id")
	if id == "" {
		id = v.Get("id")
	}
	if id != "" {
		return s.savedForm(c, id, &v)
	}
	return s.notificationForm(c.Request.Context(), v)
}

// written gives the notification that the form describes, on top of the saved one, without blank rows. What is no number is
// among the errors.
func (p *notificationPage) written() (n *rule.Notification, errs rule.FieldErrors, dropped []string) {
	whole := new(rule.Notification)
	if p.Saved != nil {
		copied := *p.Saved
		whole = &copied
	}
	errs = p.Values.apply(whole)
	n, dropped = tidied(whole)
	return n, errs, dropped
}

// compact gives the form once more without blank rows, as what is wrong with it is numbered.
func (p *notificationPage) compact(n *rule.Notification, errs rule.FieldErrors) {
	v := valuesOf(n)
	for name := range errs { // what was typed stays
		if text, ok := p.Values.Values[name]; ok {
			v.Values[name] = text
		}
	}
	for _, name := range []string{"version", "id", "active", "preview_key", "test_to"} {
		v.Set(name, p.Values.Get(name))
	}
	if len(v.rows("recipients")) == 0 {
		v.setRecipient("recipients[0].", rule.Recipient{})
	}
	p.Values = v
}

// saveNotification is every button of the form, for browsers without scripts too: save, rows more or less, preview, test.
func (s *Console) saveNotification(c *gin.Context) error {
	p, err := s.sentForm(c)
	if err != nil {
		return err
	}
	p.Unsaved = true
	do := p.Values.Get("do")
	if p.Values.edit(do) || do == "form" {
		p.chooseFields()
		return s.showForm(c, http.StatusOK, p)
	}
	switch do {
	case "preview":
		if err := s.preview(c, p); err != nil {
			return err
		}
		return s.showForm(c, http.StatusOK, p)
	case "compare":
		if err := s.compare(c, p); err != nil {
			return err
		}
		return s.showForm(c, http.StatusOK, p)
	case "test":
		if err := s.sendTest(c, p); err != nil {
			return err
		}
		return s.showForm(c, http.StatusOK, p)
	case "merge":
		return s.merge(c, p)
	}
	return s.save(c, p, do)
}

func (s *Console) save(c *gin.Context, p *notificationPage, do string) error {
	n, errs, dropped := p.written()
	if do == "activate" {
		n.Active = true
	}
	found, marks := p.reader.Examine(n)
	for name, message := range found {
		if errs[name] == "" {
			errs[name] = message
		}
	}
	if len(errs) > 0 {
		p.compact(n, errs)
		p.refuse(n, errs, marks)
		return s.showForm(c, http.StatusUnprocessableEntity, p)
	}
	err := s.write(c, p, n, do == "overwrite")
	wrong, invalid := rules.IsInvalid(err)
	switch {
	case invalid:
		p.compact(n, wrong)
		p.refuse(n, wrong, nil)
		return s.showForm(c, http.StatusUnprocessableEntity, p)
	case errors.Is(err, rules.ErrVersionConflict):
		return s.showConflict(c, p, n)
	case err != nil:
		return err
	}
	return s.done(c, "/notifications/"+n.ID, ui.Flash{Text: savedText(n, dropped)})
}

func (s *Console) write(c *gin.Context, p *notificationPage, n *rule.Notification, overwrite bool) error {
	ctx, by := c.Request.Context(), s.config.Access.Person(c).Email
	if p.Saved == nil {
		n.ID = ""
		return s.book.Create(ctx, n, by)
	}
	version := p.Version
	if overwrite {
		version = 0
	}
	return s.book.UpdateFrom(ctx, n, version, by)
}

func savedText(n *rule.Notification, dropped []string) string {
	text := "Saved. It is active: it fires from now on."
	if !n.Active {
		text = "Saved. It is not active, so nothing is sent until you activate it."
	}
	if len(dropped) > 0 {
		text += " Left out, because " + withArticle(channelName(n.Channel)) + " has none: " + strings.Join(dropped, ", ") + "."
	}
	return text
}

func (s *Console) showForm(c *gin.Context, status int, p *notificationPage) error {
	page := s.formPage(c, p)
	if p.Preview == nil && p.Model != nil {
		if err := s.preview(c, p); err != nil {
			return err
		}
	}
	return s.show(c, status, "notification_form", page)
}

func (s *Console) formPage(c *gin.Context, p *notificationPage) *ui.Page {
	title := "New notification"
	if p.Saved != nil {
		title = p.Saved.Title
		if title == "" {
			title = "Notification"
		}
	}
	if person := s.config.Access.Person(c); p.TestTo == "" && person != nil && p.Is("channel", "email") {
		p.TestTo = person.Email
	}
	return &ui.Page{Title: title, Area: "/notifications", Wide: true, Data: p,
		Styles: []string{"notification_form.css"}, Scripts: []string{"notification_form.js"}}
}

// part answers with a piece of the page.
func (s *Console) part(c *gin.Context, name string, p *notificationPage) error {
	return s.ui.Part(c, http.StatusOK, "notification_form", name, s.page(c, s.formPage(c, p)))
}

// showNotificationFields gives the fields anew, after another model, trigger or channel was chosen, or a row added.
func (s *Console) showNotificationFields(c *gin.Context) error {
	p, err := s.sentForm(c)
	if err != nil {
		return err
	}
	p.Values.edit(p.Values.Get("do"))
	p.chooseFields()
	return s.part(c, "notification_fields", p)
}
