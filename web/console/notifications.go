package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/saying"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/web/ui"
)

// notificationsRoutes are the pages about notifications as a collection.
func (s *Console) notificationsRoutes() []Route {
	return []Route{
		{http.MethodGet, "/notifications", account.Viewer, (*Console).showNotifications},
		{http.MethodPost, "/notifications/bulk", account.Editor, (*Console).changeNotifications},
		{http.MethodPost, "/notifications/undo", account.Editor, (*Console).undoNotifications},
		{http.MethodGet, "/notifications/:id/history", account.Viewer, (*Console).showHistory},
		{http.MethodGet, "/notifications/:id/restore", account.Editor, (*Console).askRestore},
		{http.MethodPost, "/notifications/:id/restore", account.Editor, (*Console).restoreNotification},
		{http.MethodGet, "/notifications/export", account.Viewer, (*Console).askExport},
		{http.MethodPost, "/notifications/export", account.Viewer, (*Console).exportNotifications},
		{http.MethodGet, "/notifications/import", account.Editor, (*Console).askImport},
		{http.MethodPost, "/notifications/import", account.Editor, (*Console).uploadRules},
		{http.MethodGet, "/notifications/import/:id", account.Editor, (*Console).showImport},
		{http.MethodPost, "/notifications/import/:id", account.Editor, (*Console).importRules},
		{http.MethodGet, "/notifications/import/:id/progress", account.Editor, (*Console).showImportProgress},
	}
}

// rulesQuery is what the address of a list of notifications asks for.
type rulesQuery struct {
	// Values are the filters and the order in their shortest form, without the cursor.
	Values url.Values
	Filter store.NotificationFilter
	Sort   store.NotificationSort
	cursor string
}

// ruleFilters are the parameters that narrow a list.
var ruleFilters = []string{"search", "active", "channel", "trigger", "model", "list", "created_from", "created_until", "changed_from", "changed_until"}

// rulesQueryOf reads an address. What no list of ours asks for is no filter: an address that was typed by hand shows the
// whole list rather than a failure. Days are those of the reader's zone, and the last one counts whole.
func rulesQueryOf(values url.Values, zone *time.Location) rulesQuery {
	q := rulesQuery{Values: url.Values{}, Sort: store.NewestFirst, cursor: values.Get("cursor")}
	known := func(name string, ok func(text string) bool) string {
		text := strings.TrimSpace(values.Get(name))
		if text == "" || len(text) > rule.TitleLimit || !utf8.ValidString(text) || strings.ContainsRune(text, 0) || !ok(text) {
			return ""
		}
		q.Values.Set(name, text)
		return text
	}
	anything := func(string) bool { return true }
	day := func(name string, days int) time.Time {
		var at time.Time
		known(name, func(text string) (ok bool) {
			parsed, err := time.ParseInLocation(time.DateOnly, text, zone)
			at = parsed
			return err == nil
		})
		if at.IsZero() {
			return at
		}
		return at.AddDate(0, 0, days)
	}
	q.Filter = store.NotificationFilter{
		Search:      known("search", anything),
		Channel:     known("channel", func(text string) bool { return slices.Contains(rule.Channels, rule.Channel(text)) }),
		Trigger:     known("trigger", func(text string) bool { return slices.Contains(rule.Triggers, rule.Trigger(text)) }),
		Model:       known("model", anything),
		ListID:      known("list", anything),
		CreatedFrom: day("created_from", 0), CreatedUntil: day("created_until", 1),
		UpdatedFrom: day("changed_from", 0), UpdatedUntil: day("changed_until", 1),
	}
	if active := known("active", func(text string) bool { return text == "true" || text == "false" }); active != "" {
		q.Filter.Active = new(active == "true")
	}
	if sort := store.NotificationSort(values.Get("sort")); sort != store.NewestFirst && slices.Contains(store.NotificationSorts, sort) {
		q.Sort = sort
		q.Values.Set("sort", string(sort))
	}
	return q
}

// Filtered says whether the list is narrowed.
func (q rulesQuery) Filtered() bool {
	return slices.ContainsFunc(ruleFilters, func(name string) bool { return q.Values.Has(name) })
}

// Link is the address of the list, without its cursor.
func (q rulesQuery) Link() string {
	if len(q.Values) == 0 {
		return "/notifications"
	}
	return "/notifications?" + q.Values.Encode()
}

// rulesPage is the list.
type rulesPage struct {
	rulesQuery

	Rows  []ruleRow
	Count int64
	Next  string
	// Shown is the whole query string's values, with the cursor, for links to other parts.
	Shown url.Values
	// Models are those to choose from; Triggers and Channels too. List is the name of the list that is filtered by.
	Models   []string
	List     string
	Triggers []rule.Trigger
	Channels []rule.Channel
	// Starts are starting points, shown while there is no notification.
	Starts []starting
	// Gone is set when those that were deleted are asked for, which stand in no row.
	Gone *deletedRules
}

// ruleRow is a notification in a list.
type ruleRow struct {
	*rule.Notification

	When, If, Whom string
	// Problem is the first thing that is wrong with it by now.
	Problem string
	Lately  store.Lately
}

// Called is the title, or what stands for it.
func (r ruleRow) Called() string { return called(r.Notification) }

func called(n *rule.Notification) string {
	switch {
	case strings.TrimSpace(n.Title) != "":
		return n.Title
	case strings.TrimSpace(n.Message) != "":
		return cutTo(strings.Join(strings.Fields(n.Message), " "), 60)
	default:
		return "Without a title"
	}
}

func cutTo(text string, limit int) string {
	if letters := []rune(text); len(letters) > limit {
		return string(letters[:limit-1]) + "…"
	}
	return text
}

// Sorting gives the order that a press on a column's head asks for: column is one of the orders without "-".
func (p rulesPage) Sorting(column string) string {
	if string(p.Sort) == column {
		return "-" + column
	}
	return column
}

// Sorted says to a screen reader how a column is sorted.
func (p rulesPage) Sorted(column string) string {
	switch string(p.Sort) {
	case column:
		return "ascending"
	case "-" + column:
		return "descending"
	default:
		return "none"
	}
}

// More says whether more match than the page shows.
func (p rulesPage) More() bool { return p.Count > int64(len(p.Rows)) }

// starting is a notification to begin from.
type starting struct{ Title, Text, Path string }

// starts are the empty list's: one of each kind that people begin with, about a model that is there.
func starts(models []string) []starting {
	model := ""
	if len(models) > 0 {
		model = models[0]
	}
	path := func(trigger rule.Trigger, channel rule.Channel) string {
		query := url.Values{"trigger": {string(trigger)}, "channel": {string(channel)}}
		if model != "" {
			query.Set("model", model)
		}
		return "/notifications/new?" + query.Encode()
	}
	return []starting{
		{"Something new", "Tell somebody by email as soon as a row is created: a new order, a new customer.", path(rule.OnNew, rule.Email)},
		{"A status changes", "Watch one field, and tell the person whom the row is about, by SMS or email.", path(rule.OnValueChange, rule.SMS)},
		{"A date comes near", "Remind somebody some days before a due date, or after it has passed.", path(rule.DaysBefore, rule.Email)},
	}
}

func (s *Console) showNotifications(c *gin.Context) error {
	ctx := c.Request.Context()
	q := rulesQueryOf(c.Request.URL.Query(), zone(c))
	if c.Query("active") == deletedState {
		return s.showDeleted(c, q)
	}
	page, err := s.notifications.Sorted(ctx, q.Filter, q.Sort, store.Paging{Cursor: q.cursor})
	if errors.Is(err, store.ErrBadCursor) {
		q.cursor = ""
		page, err = s.notifications.Sorted(ctx, q.Filter, q.Sort, store.Paging{})
	}
	if err != nil {
		return err
	}
	p := rulesPage{rulesQuery: q, Next: page.Next, Count: int64(len(page.Items)), Shown: url.Values{}, Triggers: rule.Triggers, Channels: rule.Channels}
	for name, values := range q.Values {
		p.Shown[name] = values
	}
	if q.cursor != "" {
		p.Shown.Set("cursor", q.cursor)
	}
	if q.cursor != "" || page.Next != "" {
		if p.Count, err = s.notifications.Count(ctx, q.Filter); err != nil {
			return err
		}
	}
	if err := s.fillRows(ctx, &p, page.Items); err != nil {
		return err
	}
	if c.GetHeader("HX-Request") != "" {
		c.Header("HX-Push-Url", q.Link())
	}
	return s.show(c, http.StatusOK, "notifications_list", &ui.Page{
		Title: "Notifications", Area: "/notifications", Wide: true, Data: p,
		Styles: []string{"notifications.css"}, Scripts: []string{"notifications.js"},
	})
}

// fillRows says for each notification what it does, what is wrong with it, and what it did lately.
func (s *Console) fillRows(ctx context.Context, p *rulesPage, items []*rule.Notification) error {
	reader, err := s.book.Reader(ctx)
	if err != nil {
		return err
	}
	names, err := s.lists.Names(ctx)
	if err != nil {
		return err
	}
	p.List = names[p.Filter.ListID]
	ids := make([]string, len(items))
	for i, n := range items {
		ids[i] = n.ID
	}
	lately, err := s.deliveries.Lately(ctx, ids)
	if err != nil {
		return err
	}
	said := saying.Names{List: func(id string) string { return names[id] }}
	for _, n := range items {
		row := ruleRow{Notification: n, When: saying.When(n), If: saying.If(n), Whom: saying.Whom(n, said), Lately: lately[n.ID]}
		row.Problem = firstProblem(reader.Validate(n))
		p.Rows = append(p.Rows, row)
	}
	counts, err := s.notifications.PerModel(ctx)
	if err != nil {
		return err
	}
	p.Models = modelNames(reader.Models, counts)
	if len(items) == 0 && !p.Filtered() {
		p.Starts = starts(p.Models)
	}
	return nil
}

// modelNames are those of the catalog, and those that notifications still name.
func modelNames(models rule.Models, counts map[string]int64) (names []string) {
	if set, ok := models.(interface{ List() []*rule.Model }); ok {
		for _, m := range set.List() {
			names = append(names, m.Name)
		}
	}
	for name := range counts {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// firstProblem gives the first thing that is wrong, in the order of the fields' names.
func firstProblem(problems rule.FieldErrors) string {
	first := ""
	for field := range problems {
		if first == "" || field < first {
			first = field
		}
	}
	if first == "" {
		return ""
	}
	return saying.Label(first) + ": " + problems[first]
}
