package console

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/audit"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/web/ui"
)

func (s *Console) errorsRoutes() []Route {
	return []Route{
		{http.MethodGet, "/errors", account.Viewer, (*Console).listErrors},
		{http.MethodGet, "/errors.csv", account.Viewer, (*Console).exportErrors},
		{http.MethodGet, "/errors/:id", account.Viewer, (*Console).showError},
		{http.MethodPost, "/errors/resolve", account.Editor, (*Console).resolveErrors},
		{http.MethodPost, "/errors/reopen", account.Editor, (*Console).reopenErrors},
	}
}

// none stands for errors that concern no notification, where a filter names one.
const none = "none"

var errorStates = []string{"open", "resolved", "all"}

func (a asked) errorFilter() store.ErrorFilter {
	f := store.ErrorFilter{
		Code: a.text("code"), Source: a.text("source"), EventID: a.text("event"), DeliveryID: a.text("delivery"),
		NotificationID: a.text("notification"), Span: a.span(),
	}
	if f.NotificationID == none {
		f.NotificationID, f.NoNotification = "", true
	}
	if state := oneOf(a, "state", errorStates); state == "resolved" || state == "open" {
		resolved := state == "resolved"
		f.Resolved = &resolved
	}
	return f
}

// hitBy is the filter of the open errors whose deliveries are to be retried.
func (s *Console) hitBy(ctx context.Context, a asked) (store.ErrorFilter, error) {
	f, _, err := s.searchErrors(ctx, a)
	open := false
	f.Resolved = &open
	return f, err
}

// searchErrors reads the filter and adds the free search: what is exactly an ID or a code is looked up; any other text is
// a part of a message.
func (s *Console) searchErrors(ctx context.Context, a asked) (f store.ErrorFilter, by string, err error) {
	f = a.errorFilter()
	text := a.text("q")
	if text == "" {
		return f, "", nil
	}
	known, ok, err := s.errors.Known(ctx, text)
	if err != nil {
		return f, "", err
	}
	if !ok {
		f.Text = text
		return f, "", nil
	}
	for _, part := range []struct {
		name, value string
		to          *string
	}{
		{"an error’s ID", known.ID, &f.ID}, {"a delivery’s ID", known.DeliveryID, &f.DeliveryID}, {"an event’s ID", known.EventID, &f.EventID},
		{"a notification’s ID", known.NotificationID, &f.NotificationID}, {"a code", known.Code, &f.Code},
	} {
		switch {
		case part.value == "":
		case *part.to != "" && *part.to != part.value:
			f.Text = text
		default:
			*part.to, by = part.value, part.name
		}
	}
	return f, by, nil
}

// errorRow is an error in a list, and errorGroup a group, with the notification's title now.
type errorRow struct {
	*store.ErrorEntry
	Title string
}

type errorGroup struct {
	store.ErrorGroup
	Title string
}

// Notification is the group's notification as a filter names it.
func (g errorGroup) Notification() string { return cmp.Or(g.NotificationID, none) }

type errorsPage struct {
	Query url.Values
	// Groups are shown while nothing is asked for, Rows otherwise.
	Groups  []errorGroup
	Grouped bool
	// More: there are older open errors than were grouped.
	More bool
	// Further counts the groups that are not shown: all of their errors are older than those of the last one shown.
	Further int
	Rows    []errorRow
	Next    string
	Window  *windowed
	By      string
	Chips   []chip
	// State is open, resolved or all; Newest is the newest error shown, so that none is resolved that nobody has seen.
	State, Newest string
	Sources       []string
	Periods       []period
	Narrowed      bool
}

func (s *Console) listErrors(c *gin.Context) error {
	a := ask(c)
	data := &errorsPage{Query: a.query, Sources: []string{"resolve", "send", "relay"}, Periods: periods, State: oneOf(a, "state", errorStates)}
	data.Chips = a.chips(map[string]string{"notification": none}, "notification", "Notification", "event", "Event", "delivery", "Delivery", "from", "From", "to", "Until")
	data.Narrowed = len(data.Chips) > 0 || cmp.Or(a.text("q"), a.text("code"), a.text("source"), a.text("period"), data.State) != ""
	data.Grouped = !data.Narrowed && a.text("cursor") == ""
	fill := s.fillErrors
	if data.Grouped {
		fill = s.fillGroups
	}
	if err := fill(c.Request.Context(), a, data); err != nil {
		return err
	}
	return s.show(c, http.StatusOK, "errors", &ui.Page{Title: "Errors", Area: "/errors", Styles: []string{"watch.css"}, Wide: true, Data: data})
}

// groupsShown bounds a page: of a thousand causes nobody reads the last.
const groupsShown = 40

func (s *Console) fillGroups(ctx context.Context, _ asked, data *errorsPage) error {
	groups, more, err := s.errors.Groups(ctx)
	if err != nil {
		return err
	}
	if len(groups) > groupsShown {
		data.Further, groups = len(groups)-groupsShown, groups[:groupsShown]
	}
	ids := make([]string, len(groups))
	for i, g := range groups {
		ids[i] = g.NotificationID
	}
	titles, err := s.titles(ctx, ids)
	if err != nil {
		return err
	}
	data.More = more
	for _, g := range groups {
		data.Groups = append(data.Groups, errorGroup{g, titles[g.NotificationID]})
		data.Newest = max(data.Newest, g.NewestID)
	}
	return nil
}

func (s *Console) fillErrors(ctx context.Context, a asked, data *errorsPage) error {
	filter, by, err := s.searchErrors(ctx, a)
	if err != nil {
		return err
	}
	if data.State == "" { // whoever names a code wants what is open
		open := false
		filter.Resolved, data.State = &open, "open"
		if a.text("event") != "" || a.text("delivery") != "" || filter.ID != "" {
			filter.Resolved, data.State = nil, "all"
		}
	}
	found, err := s.errors.Search(ctx, filter, a.paging())
	if err != nil {
		return err
	}
	ids := make([]string, len(found.Items))
	for i, e := range found.Items {
		ids[i] = e.NotificationID
	}
	titles, err := s.titles(ctx, append(ids, filter.NotificationID))
	if err != nil {
		return err
	}
	for _, e := range found.Items {
		data.Rows = append(data.Rows, errorRow{e, titles[e.NotificationID]})
		data.Newest = max(data.Newest, e.ID)
	}
	for i, chip := range data.Chips {
		if title := titles[filter.NotificationID]; chip.Label == "Notification" && title != "" {
			data.Chips[i].Value = title
		}
	}
	data.Next, data.Window, data.By = found.Next, windowOf(found), by
	return nil
}

type errorPage struct {
	*store.ErrorEntry
	Title string
	// Facts are the context's fields.
	Facts []changedField
	// Delivery and Event are nil when they are not kept any more.
	Delivery *store.Delivery
	// State is how far the delivery is, and Retryable whether it can be retried.
	State     string
	Retryable bool
	// Others counts what else is open of its group, up to OthersLimit.
	Others int
}

// othersLimit bounds the count.
const othersLimit = 100

func (s *Console) showError(c *gin.Context) error {
	ctx := c.Request.Context()
	e, err := s.errors.Get(ctx, c.Param("id"))
	if err != nil {
		return err
	}
	data := &errorPage{ErrorEntry: e}
	if _, data.Facts, err = compared(nil, e.Context, e.Context); err != nil {
		var raw bytes.Buffer // not an object: shown as it is
		_ = json.Compact(&raw, e.Context)
		data.Facts = []changedField{{Name: "context", New: raw.String()}}
	}
	titles, err := s.titles(ctx, []string{e.NotificationID})
	if err != nil {
		return err
	}
	data.Title = titles[e.NotificationID]
	if e.DeliveryID != "" {
		deliveries, err := s.deliveries.ByIDs(ctx, []string{e.DeliveryID})
		if err != nil {
			return err
		}
		rows, err := s.deliveryRows(ctx, deliveries)
		if err != nil {
			return err
		}
		if len(rows) == 1 {
			data.Delivery, data.Retryable, data.State = rows[0].Delivery, rows[0].Retryable(), rows[0].State()
		}
	}
	open := false
	others, err := s.errors.Search(ctx, store.ErrorFilter{Code: e.Code, NotificationID: e.NotificationID,
		NoNotification: e.NotificationID == "", Resolved: &open}, store.Paging{Limit: othersLimit})
	if err != nil {
		return err
	}
	for _, other := range others.Items {
		if other.ID != e.ID {
			data.Others++
		}
	}
	return s.show(c, http.StatusOK, "error", &ui.Page{Title: e.Code, Area: "/errors", Styles: []string{"watch.css"}, Data: data})
}

// resolveStep is how many errors one transaction marks: SQLite's other writers wait meanwhile.
const resolveStep = 2000

// resolveErrors marks the chosen errors, a group, or all that a filter matches. Those that are newer than what the page
// showed stay open.
func (s *Console) resolveErrors(c *gin.Context) error {
	if err := c.Request.ParseForm(); err != nil {
		return err
	}
	ctx, form := c.Request.Context(), c.Request.PostForm
	at := time.Now().UTC().Truncate(time.Microsecond)
	back := "/errors"
	var resolved int64
	var err error
	if ids := form["id"]; len(ids) > 0 && !form.Has("all") {
		if len(ids) > store.MaxLimit {
			return wrongInput("Choose up to 500 errors.")
		}
		for _, id := range ids {
			n, err := s.resolve(ctx, store.ErrorFilter{ID: id}, "", at, s.actor(c), "")
			if err != nil {
				return err
			}
			resolved += n
		}
		if len(ids) == 1 {
			back = "/errors/" + url.PathEscape(ids[0])
		}
	} else {
		query, problem := url.ParseQuery(form.Get("query"))
		if problem != nil || form.Get("newest") == "" {
			return wrongInput("Choose errors, or go back to the list and try again.")
		}
		a := asking(c, query)
		filter, _, problem := s.searchErrors(ctx, a)
		if problem != nil {
			return problem
		}
		if problem := a.all(); problem != nil {
			return problem
		}
		resolved, err = s.resolve(ctx, filter, form.Get("newest"), at, s.actor(c), filterSaid(query))
	}
	if err != nil {
		return err
	}
	return s.done(c, back, ui.Flash{
		Text: ui.Plural(int(resolved), "error") + " resolved.", Undo: "/errors/reopen",
		UndoFields: map[string][]string{"at": {strconv.FormatInt(at.UnixMicro(), 10)}},
	})
}

// resolve marks a filter's errors in steps, each with its line in the audit log.
func (s *Console) resolve(ctx context.Context, f store.ErrorFilter, newest string, at time.Time, actor, detail string) (total int64, err error) {
	for {
		var n int64
		err := s.config.DB.WithContext(ctx).Transaction(func(tx *gorm.DB) (err error) {
			if n, err = s.errors.ResolveTx(tx, f, newest, at, resolveStep); err != nil || n == 0 {
				return err
			}
			return audit.RecordTx(tx, audit.Entry{Actor: actor, Action: "error.resolved", TargetID: f.ID, Detail: countAnd(n, detail)})
		})
		total += n
		if err != nil || n < resolveStep {
			return total, err
		}
	}
}

// filterSaid gives a filter as the audit log has it. What somebody looks for can be an address, and the log keeps what it is
// told for good.
func filterSaid(query url.Values) string {
	said := url.Values{}
	for name, values := range query {
		switch {
		case strings.Join(values, "") == "" || name == "cursor":
		case name == "q":
			said.Set(name, "…")
		default:
			said[name] = values
		}
	}
	text, err := url.QueryUnescape(said.Encode())
	if err != nil {
		return said.Encode()
	}
	return text
}

func countAnd(n int64, detail string) string {
	text := ui.Plural(int(n), "error")
	if detail != "" {
		text += ": " + detail
	}
	return text
}

// reopenErrors takes back what one press resolved.
func (s *Console) reopenErrors(c *gin.Context) error {
	micros, err := strconv.ParseInt(c.PostForm("at"), 10, 64)
	if err != nil {
		return wrongInput("There is nothing to take back.")
	}
	at, total := time.UnixMicro(micros).UTC(), int64(0)
	for {
		var n int64
		err := s.config.DB.WithContext(c.Request.Context()).Transaction(func(tx *gorm.DB) (err error) {
			if n, err = s.errors.ReopenTx(tx, at, resolveStep); err != nil || n == 0 {
				return err
			}
			return audit.RecordTx(tx, audit.Entry{Actor: s.actor(c), Action: "error.reopened", Detail: countAnd(n, "")})
		})
		if err != nil {
			return err
		}
		if total += n; n < resolveStep {
			break
		}
	}
	return s.done(c, "/errors", ui.Flash{Text: ui.Plural(int(total), "error") + " open again."})
}
