package console

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/retry"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/web/ui"
)

func (s *Console) deliveriesRoutes() []Route {
	return []Route{
		{http.MethodGet, "/deliveries", account.Viewer, (*Console).listDeliveries},
		{http.MethodGet, "/deliveries.csv", account.Viewer, (*Console).exportDeliveries},
		{http.MethodGet, "/deliveries/retry", account.Editor, (*Console).confirmRetry},
		{http.MethodPost, "/deliveries/retry", account.Editor, (*Console).retryDeliveries},
		{http.MethodGet, "/deliveries/retry/:id", account.Viewer, (*Console).showBulkRetry},
		{http.MethodPost, "/deliveries/retry/:id/stop", account.Editor, (*Console).stopBulkRetry},
		{http.MethodGet, "/deliveries/:id", account.Viewer, (*Console).showDelivery},
		{http.MethodGet, "/deliveries/:id/html", account.Viewer, (*Console).showDeliveryHTML},
		{http.MethodPost, "/deliveries/:id/resolve", account.Editor, (*Console).resolveDelivery},
	}
}

var deliveryStatuses = []store.DeliveryStatus{
	store.DeliveryPending, store.DeliverySending, store.DeliverySent, store.DeliveryDelivered,
	store.DeliveryFailed, store.DeliveryUnknown, store.DeliverySuppressed,
}

// deliveryFilter reads a filter without the free search.
func (a asked) deliveryFilter() store.DeliveryFilter {
	return store.DeliveryFilter{
		EventID: a.text("event"), NotificationID: a.text("notification"), Channel: oneOf(a, "channel", rule.Channels),
		Address: a.text("address"), Status: oneOf(a, "status", deliveryStatuses), ProviderID: a.text("provider"),
		ErrorCode: a.text("code"), WorkflowID: a.text("workflow"), Span: a.span(),
	}
}

// searchDeliveries adds the free search to the filter: what is exactly an ID, an address or the provider's ID is looked
// up; any other text is a part of an address or a subject.
func (s *Console) searchDeliveries(ctx context.Context, a asked) (f store.DeliveryFilter, by string, err error) {
	f = a.deliveryFilter()
	if f.Address != "" {
		if forms := s.addressForms(f.Address); len(forms) > 0 {
			f.Address = forms[0]
		}
	}
	text := a.text("q")
	if text == "" {
		return f, "", nil
	}
	known, ok, err := s.deliveries.Known(ctx, text, s.addressForms(text)...)
	if err != nil {
		return f, "", err
	}
	if !ok {
		f.Text = text
		return f, "", nil
	}
	for _, part := range []struct {
		name    string
		to      *string
		value   string
		already string
	}{
		{"a delivery's ID", &f.ID, known.ID, ""}, {"an event's ID", &f.EventID, known.EventID, f.EventID},
		{"a notification's ID", &f.NotificationID, known.NotificationID, f.NotificationID},
		{"the provider's ID", &f.ProviderID, known.ProviderID, f.ProviderID},
		{"a workflow's ID", &f.WorkflowID, known.WorkflowID, f.WorkflowID}, {"an address", &f.Address, known.Address, f.Address},
	} {
		if part.value == "" {
			continue
		}
		if part.already != "" && part.already != part.value {
			f.Text = text // the filter asks for another one: then it is a part of something, or nothing
			return f, "", nil
		}
		*part.to, by = part.value, part.name
	}
	return f, by, nil
}

// deliveryRow is a delivery in a list.
type deliveryRow struct {
	*store.Delivery
	// Title is the notification's now; empty when it is gone.
	Title string
	// Asked: a person's retry of it has not come to its end.
	Asked bool
	// Limit is how many attempts it gets by itself; zero when that is not known.
	Limit int
}

// Retryable is whether a person may have it handed over again.
func (d deliveryRow) Retryable() bool { return !d.Asked && slices.Contains(store.Retryable, d.Status) }

// State is the status, or that a failure is being made good.
func (d deliveryRow) State() string {
	if d.Asked && !d.Taken() {
		return retrying
	}
	return string(d.Status)
}

// retrying stands for the status of what has failed while a person's retry of it is under way.
const retrying = "retrying"

// Waits says that it is not the first attempt that it waits for: "retrying, attempt 2 of 3". After a retry by hand the
// count goes on, so that it has no end to name.
func (d deliveryRow) Waits() string {
	if d.Status != store.DeliveryPending || d.Attempts == 0 {
		return ""
	}
	text := fmt.Sprintf("retrying, attempt %d", d.Attempts+1)
	if d.RetryEventID == "" && d.Attempts < d.Limit {
		text += fmt.Sprintf(" of %d", d.Limit)
	}
	return text
}

// attemptsOf is how many attempts a delivery gets by itself.
func (s *Console) attemptsOf(d *store.Delivery) int {
	return cmp.Or(d.RetryAttempts, s.config.RetryAttempts)
}

type deliveriesPage struct {
	Query url.Values
	Rows  []deliveryRow
	Next  string
	// Window is set when not everything was looked at.
	Window *windowed
	// By says what the free search is exactly.
	By       string
	Chips    []chip
	Statuses []store.DeliveryStatus
	Channels []rule.Channel
	Periods  []period
	// Narrowed is whether any filter is set; Retryable whether the filter can match what has failed.
	Narrowed, Retryable bool
	// Choosable is whether a row of the page can be chosen.
	Choosable bool
	// Bulks go on now.
	Bulks []*retry.Bulk
}

// listLimit is the rows of one page.
const listLimit = 50

func (s *Console) listDeliveries(c *gin.Context) error {
	ctx, a := c.Request.Context(), ask(c)
	filter, by, err := s.searchDeliveries(ctx, a)
	if err != nil {
		return err
	}
	found, err := s.deliveries.Search(ctx, filter, a.paging())
	if err != nil {
		return err
	}
	rows, err := s.deliveryRows(ctx, found.Items)
	if err != nil {
		return err
	}
	bulks, err := s.retries().Running(ctx)
	if err != nil {
		return err
	}
	titles, err := s.titles(ctx, []string{filter.NotificationID})
	if err != nil {
		return err
	}
	data := &deliveriesPage{
		Query: a.query, Rows: rows, Next: found.Next, Window: windowOf(found), By: by,
		Statuses: deliveryStatuses, Channels: rule.Channels, Periods: periods, Bulks: bulks,
		Chips: a.chips(map[string]string{"notification": titles[filter.NotificationID]},
			"notification", "Notification", "event", "Event", "address", "Address", "code", "Error code", "provider", "Provider’s ID",
			"workflow", "Workflow", "from", "From", "to", "Until"),
		Retryable: filter.Status == "" || slices.Contains(store.Retryable, store.DeliveryStatus(filter.Status)),
	}
	data.Choosable = slices.ContainsFunc(rows, deliveryRow.Retryable)
	data.Narrowed = len(data.Chips) > 0 || cmp.Or(a.text("q"), filter.Status, filter.Channel, a.text("period")) != ""
	return s.show(c, http.StatusOK, "deliveries", &ui.Page{
		Title: "Deliveries", Area: "/deliveries", Styles: []string{"watch.css"}, Wide: true, Data: data,
	})
}

func (s *Console) deliveryRows(ctx context.Context, deliveries []*store.Delivery) ([]deliveryRow, error) {
	ids := make([]string, len(deliveries))
	var open []string
	for i, d := range deliveries {
		ids[i] = d.NotificationID
		if !d.Taken() {
			open = append(open, d.ID)
		}
	}
	asked, err := s.retries().UnderWay(ctx, open)
	if err != nil {
		return nil, err
	}
	titles, err := s.titles(ctx, ids)
	if err != nil {
		return nil, err
	}
	rows := make([]deliveryRow, len(deliveries))
	for i, d := range deliveries {
		rows[i] = deliveryRow{Delivery: d, Title: titles[d.NotificationID], Asked: asked[d.ID], Limit: s.attemptsOf(d)}
	}
	return rows, nil
}

// retries asks for hand-overs as the console does.
func (s *Console) retries() retry.Retries {
	return retry.Retries{DB: s.config.DB, Nudge: s.config.Nudge}
}
