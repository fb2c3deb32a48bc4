package console

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/web/ui"
)

// suppressionsRoutes are the pages about addresses that get no messages.
func (s *Console) suppressionsRoutes() []Route {
	return []Route{
		{http.MethodGet, "/suppressions", account.Viewer, (*Console).listSuppressions},
		{http.MethodGet, "/suppressions.csv", account.Viewer, (*Console).exportSuppressions},
		{http.MethodGet, "/suppressions/new", account.Editor, (*Console).showNewSuppression},
		{http.MethodPost, "/suppressions/new", account.Editor, (*Console).addSuppression},
		{http.MethodPost, "/suppressions/restore", account.Editor, (*Console).restoreSuppression},
		{http.MethodGet, "/suppressions/:id", account.Viewer, (*Console).showSuppression},
		{http.MethodPost, "/suppressions/:id/lift", account.Editor, (*Console).liftSuppression},
	}
}

// reasonNames say the reasons in a list.
var reasonNames = map[store.SuppressionReason]string{
	store.SuppressedStop: "Answered STOP", store.SuppressedUnsubscribe: "Unsubscribed", store.SuppressedBounce: "Bounced",
	store.SuppressedComplaint: "Called it spam", store.SuppressedManual: "Entered by hand",
}

// suppressionFilter reads the filter. What is searched for is an address that a person writes so, or a part of one.
func (s *Console) suppressionFilter(a asked) store.SuppressionFilter {
	f := store.SuppressionFilter{
		Channel: oneOf(a, "channel", rule.Channels), Reason: oneOf(a, "reason", store.SuppressionReasons),
		Address: a.text("address"), NotificationID: a.text("notification"), Span: a.span(),
	}
	text := a.text("q")
	forms := s.addressForms(text)
	switch {
	case text == "":
	case len(forms) > 0 && f.Address == "":
		f.Address = forms[0]
	default:
		f.Text = text
	}
	return f
}

// suppressionRow is an entry in a list or on its page.
type suppressionRow struct {
	*store.Suppression
	// Title is the notification's now; empty when it is gone, and when the entry concerns every one.
	Title string
}

// Why says the reason.
func (r suppressionRow) Why() string { return cmp.Or(reasonNames[r.Reason], string(r.Reason)) }

// From says who or what entered it.
func (r suppressionRow) From() string {
	if r.CreatedBy == "recipient" {
		return "the recipient"
	}
	return r.CreatedBy
}

// choice is a notification to choose.
type choice struct{ ID, Title string }

type suppressionsPage struct {
	Query         url.Values
	Rows          []suppressionRow
	Next          string
	Window        *windowed
	Channels      []rule.Channel
	Reasons       []store.SuppressionReason
	Notifications []choice
	Periods       []period
	Chips         []chip
	Narrowed      bool
}

// Reason says a reason in words.
func (suppressionsPage) Reason(r store.SuppressionReason) string { return reasonNames[r] }

func (s *Console) listSuppressions(c *gin.Context) error {
	ctx, a := c.Request.Context(), ask(c)
	f := s.suppressionFilter(a)
	found, err := s.suppressions.Search(ctx, f, a.paging())
	if err != nil {
		return err
	}
	rows, err := s.suppressionRows(ctx, found.Items)
	if err != nil {
		return err
	}
	choices, err := s.notificationChoices(ctx, f.NotificationID)
	if err != nil {
		return err
	}
	data := &suppressionsPage{
		Query: a.query, Rows: rows, Next: found.Next, Window: windowOf(found), Channels: rule.Channels, Reasons: store.SuppressionReasons,
		Notifications: choices, Periods: periods, Chips: a.chips(nil, "address", "Address", "from", "From", "to", "Until"),
	}
	data.Narrowed = len(data.Chips) > 0 || cmp.Or(a.text("q"), f.Channel, f.Reason, f.NotificationID, a.text("period")) != ""
	return s.show(c, http.StatusOK, "suppressions", &ui.Page{
		Title: "Suppressions", Area: "/suppressions", Styles: []string{"watch.css"}, Wide: true, Data: data,
	})
}

func (s *Console) suppressionRows(ctx context.Context, entries []*store.Suppression) ([]suppressionRow, error) {
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.NotificationID
	}
	titles, err := s.titles(ctx, ids)
	if err != nil {
		return nil, err
	}
	rows := make([]suppressionRow, len(entries))
	for i, e := range entries {
		rows[i] = suppressionRow{Suppression: e, Title: titles[e.NotificationID]}
	}
	return rows, nil
}

// notificationChoices lists the notifications to choose from by their titles, and the one that is chosen, wherever it is.
func (s *Console) notificationChoices(ctx context.Context, chosen string) ([]choice, error) {
	page, err := s.notifications.Sorted(ctx, store.NotificationFilter{}, store.ByTitle, store.Paging{Limit: store.MaxLimit})
	if err != nil {
		return nil, err
	}
	choices := make([]choice, len(page.Items))
	for i, n := range page.Items {
		choices[i] = choice{n.ID, cutTo(called(n), 60)}
	}
	if chosen == "" || slices.ContainsFunc(choices, func(c choice) bool { return c.ID == chosen }) {
		return choices, nil
	}
	titles, err := s.titles(ctx, []string{chosen})
	return append(choices, choice{chosen, cmp.Or(titles[chosen], "a deleted notification")}), err
}

func (s *Console) exportSuppressions(c *gin.Context) error {
	ctx := c.Request.Context()
	f := s.suppressionFilter(ask(c))
	head := []string{"id", "created_at", "channel", "address", "reason", "detail", "notification_id", "delivery_id", "source", "created_by"}
	read := func(p store.Paging) (store.Found[*store.Suppression], error) { return s.suppressions.Search(ctx, f, p) }
	return export(c, "suppressions", head, read, func(k *store.Suppression, zone *time.Location) []string {
		return []string{k.ID, stamp(k.CreatedAt, zone), string(k.Channel), k.Address, string(k.Reason), k.Detail, k.NotificationID, k.DeliveryID,
			string(k.Source), k.CreatedBy}
	})
}
