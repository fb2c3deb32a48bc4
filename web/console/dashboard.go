package console

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/pace"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/web/ui"
)

func (s *Console) dashboardRoutes() []Route {
	return []Route{
		{http.MethodGet, "/", account.Viewer, (*Console).showDashboard},
		{http.MethodGet, "/dashboard.csv", account.Viewer, (*Console).exportDashboard},
	}
}

// How many of the failing notifications, failing recipients and last errors the dashboard shows.
const dashboardFew = 5

// dashboard is what the page shows.
type dashboard struct {
	Span    span
	Spans   []span
	Series  series
	Waiting store.Waiting
	// Unsent counts the deliveries that have not ended.
	Unsent   int64
	Channels []waitingChannel
	Failures store.Failures
	// Titles are those of the failing notifications that are still there.
	Titles map[string]string
	Errors []*store.ErrorEntry
	// Fresh says that nothing has ever been told; Notifications, that there are notifications; Start, that the first steps
	// are worth showing.
	Fresh, Notifications, Start bool
	Elsewhere                   []ui.Link
}

// waitingChannel is what waits on a channel, and how long its provider wants to be left alone.
type waitingChannel struct {
	Channel rule.Channel
	Unsent  int64
	Pause   time.Duration
}

// FailedOf is the query string of the failed deliveries of a notification or an address.
func (d dashboard) FailedOf(f store.Failing) string {
	query := url.Values{"status": {string(store.DeliveryFailed)}}
	if f.NotificationID != "" {
		query.Set("notification", f.NotificationID)
	} else {
		query.Set("address", f.Address)
	}
	return "?" + query.Encode()
}

func (s *Console) showDashboard(c *gin.Context) error {
	chosen, now := spanOf(c.Query("span")), time.Now()
	d := dashboard{Span: chosen, Spans: spans, Elsewhere: s.config.Elsewhere}
	ctx, err := c.Request.Context(), error(nil)
	if d.Series, err = s.series(ctx, chosen, now, zone(c)); err != nil {
		return err
	}
	if err := s.fillWaiting(ctx, &d); err != nil {
		return err
	}
	if err := s.fillFailing(ctx, &d, now.Add(-24*time.Hour)); err != nil {
		return err
	}
	if err := s.fillFresh(ctx, &d); err != nil {
		return err
	}
	return s.show(c, http.StatusOK, "dashboard", &ui.Page{
		Title: "Dashboard", Area: "/", Data: d,
		Styles: []string{"vendor/uplot.css", "dashboard.css"}, Scripts: []string{"vendor/uplot.min.js", "dashboard.js"},
	})
}

// series reads the counts of a span.
func (s *Console) series(ctx context.Context, of span, now time.Time, in *time.Location) (series, error) {
	counts, err := store.DeliveryHours{DB: s.config.DB}.Since(ctx, of.begin(now, in))
	if err != nil {
		return series{}, err
	}
	return seriesOf(of, counts, now, in), nil
}

func (s *Console) fillWaiting(ctx context.Context, d *dashboard) (err error) {
	if d.Waiting, err = (store.Glance{DB: s.config.DB}).Waiting(ctx); err != nil {
		return err
	}
	pauses, err := pace.Pauses(ctx, s.config.DB)
	if err != nil {
		return err
	}
	for _, channel := range rule.Channels {
		unsent := d.Waiting.Deliveries[channel]
		d.Unsent += unsent
		d.Channels = append(d.Channels, waitingChannel{Channel: channel, Unsent: unsent, Pause: pauses[channel]})
	}
	return nil
}

func (s *Console) fillFailing(ctx context.Context, d *dashboard, since time.Time) (err error) {
	if d.Failures, err = (store.Glance{DB: s.config.DB}).Failures(ctx, since, dashboardFew); err != nil {
		return err
	}
	ids := make([]string, len(d.Failures.Notifications))
	for i, f := range d.Failures.Notifications {
		ids[i] = f.NotificationID
	}
	current, err := s.notifications.Current(ctx, ids)
	if err != nil {
		return err
	}
	d.Titles = make(map[string]string, len(current))
	for id, n := range current {
		d.Titles[id] = n.Title
	}
	page, err := s.errors.List(ctx, store.ErrorFilter{Resolved: new(false)}, store.Paging{Limit: dashboardFew})
	d.Errors = page.Items
	return err
}

// fewDeliveries is how many there are while the development stack still shows the first steps: its own examples tell a
// few by themselves.
const fewDeliveries = 10

// fillFresh finds out whether whoever looks may be new here.
func (s *Console) fillFresh(ctx context.Context, d *dashboard) error {
	if len(d.Errors) > 0 || d.Unsent+d.Waiting.Events+d.Waiting.Started > 0 || d.Series.Total >= fewDeliveries {
		return nil
	}
	told, err := s.deliveries.List(ctx, store.DeliveryFilter{}, store.Paging{Limit: fewDeliveries})
	if err != nil || len(told.Items) > 0 && len(d.Elsewhere) == 0 || len(told.Items) == fewDeliveries {
		return err
	}
	there, err := s.notifications.List(ctx, store.NotificationFilter{}, store.Paging{Limit: 1})
	d.Fresh, d.Notifications, d.Start = len(told.Items) == 0, len(there.Items) > 0, true
	return err
}
