package console

import (
	"cmp"
	"context"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/web/ui"
)

func (s *Console) eventsRoutes() []Route {
	return []Route{
		{http.MethodGet, "/events", account.Viewer, (*Console).listEvents},
		{http.MethodGet, "/events.csv", account.Viewer, (*Console).exportEvents},
		{http.MethodGet, "/events/:id", account.Viewer, (*Console).showEvent},
	}
}

var (
	eventActions  = []rule.Action{rule.Create, rule.Update, rule.Delete, rule.Alert, rule.Test, rule.Retry}
	eventStatuses = []outbox.Status{outbox.Pending, outbox.Started, outbox.Settled}
	eventSources  = []outbox.Source{outbox.FromPlugin, outbox.FromAPI, outbox.FromStarter, outbox.FromConsole, outbox.FromAlert}
)

// sourceNames say by which door an event came.
var sourceNames = map[outbox.Source]string{
	outbox.FromPlugin: "the application", outbox.FromAPI: "the API", outbox.FromStarter: "the starter",
	outbox.FromConsole: "this console", outbox.FromAlert: "a date",
}

// outcomes are what an event came to, as a filter.
var outcomes = []string{"told", "silent"}

// searchEvents reads the filter and adds the free search: what is exactly an ID or a key is looked up; any other text is
// a part of a key.
func (s *Console) searchEvents(ctx context.Context, a asked) (f store.EventFilter, by string, err error) {
	f = store.EventFilter{
		Model: a.text("model"), Key: a.text("key"), Action: oneOf(a, "action", eventActions), Status: oneOf(a, "status", eventStatuses),
		Source: oneOf(a, "source", eventSources), WorkflowID: a.text("workflow"), Span: a.span(),
	}
	if outcome := oneOf(a, "outcome", outcomes); outcome != "" {
		told := outcome == "told"
		f.Told = &told
	}
	text := a.text("q")
	if text == "" {
		return f, "", nil
	}
	known, ok, err := s.events.Known(ctx, text)
	switch {
	case err != nil:
		return f, "", err
	case !ok || known.Key != "" && f.Key != "" && known.Key != f.Key:
		f.Text = text
	case known.ID != "":
		f.ID, by = known.ID, "an event’s ID"
	case known.Key != "":
		f.Key, by = known.Key, "a row’s key"
	case known.WorkflowID != "":
		f.WorkflowID, by = known.WorkflowID, "a workflow’s ID"
	}
	return f, by, nil
}

type eventsPage struct {
	Query    url.Values
	Rows     []*outbox.Event
	Next     string
	Window   *windowed
	By       string
	Chips    []chip
	Models   []string
	Actions  []rule.Action
	Statuses []outbox.Status
	Sources  []outbox.Source
	Periods  []period
	Narrowed bool
}

// Door says by which door an event came.
func (*eventsPage) Door(s outbox.Source) string { return cmp.Or(sourceNames[s], string(s)) }

func (s *Console) listEvents(c *gin.Context) error {
	ctx, a := c.Request.Context(), ask(c)
	filter, by, err := s.searchEvents(ctx, a)
	if err != nil {
		return err
	}
	found, err := s.events.Search(ctx, filter, a.paging())
	if err != nil {
		return err
	}
	models, err := s.models(ctx)
	if err != nil {
		return err
	}
	data := &eventsPage{
		Query: a.query, Rows: found.Items, Next: found.Next, Window: windowOf(found), By: by,
		Actions: eventActions, Statuses: eventStatuses, Sources: eventSources, Periods: periods,
		Chips: a.chips(nil, "key", "Key", "workflow", "Workflow", "from", "From", "to", "Until"),
	}
	for _, m := range models.List() {
		data.Models = append(data.Models, m.Name)
	}
	data.Narrowed = len(data.Chips) > 0 ||
		cmp.Or(a.text("q"), filter.Model, filter.Action, filter.Status, filter.Source, a.text("outcome"), a.text("period")) != ""
	return s.show(c, http.StatusOK, "events", &ui.Page{Title: "Events", Area: "/events", Styles: []string{"watch.css"}, Wide: true, Data: data})
}
