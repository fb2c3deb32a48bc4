package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/retry"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/web/ui"
)

// reachShown is how many addresses a confirmation names.
const reachShown = 12

// confirmPage says what a retry will do.
type confirmPage struct {
	// IDs are the chosen deliveries that can be retried; empty for all that a filter matches, with its Query.
	IDs   []string
	Query url.Values
	store.Reach
	// PassedOver are chosen ones that have not failed, Doubtful those that may have arrived.
	PassedOver, Doubtful int
	// Errors is set when the deliveries are those that errors hit, of which there are More than are shown.
	Errors bool
	More   bool
}

// All is whether everything that a filter matches is meant.
func (p *confirmPage) All() bool { return len(p.IDs) == 0 && !p.Errors }

// confirmRetry names how many deliveries a retry hands over again, and whom they reach.
func (s *Console) confirmRetry(c *gin.Context) error {
	ctx, a := c.Request.Context(), ask(c)
	data, err := s.confirmation(ctx, a)
	if err != nil {
		return err
	}
	return s.show(c, http.StatusOK, "deliveries_retry", &ui.Page{
		Title: "Retry deliveries", Area: "/deliveries", Styles: []string{"watch.css"}, Data: data,
	})
}

func (s *Console) confirmation(ctx context.Context, a asked) (*confirmPage, error) {
	data := &confirmPage{Query: a.query}
	ids := a.query["id"]
	if a.query.Has("hit") { // what errors hit
		f, err := s.hitBy(ctx, a)
		if err != nil {
			return nil, err
		}
		ids, err = s.errors.DeliveriesOf(ctx, f, retry.Max+1)
		if err != nil {
			return nil, err
		}
		data.Errors, data.More = true, len(ids) > retry.Max
	}
	if len(ids) > retry.Max {
		ids = ids[:retry.Max]
	}
	if len(ids) > 0 || data.Errors {
		deliveries, err := s.deliveries.ByIDs(ctx, ids)
		if err != nil {
			return nil, err
		}
		failed := slices.DeleteFunc(slices.Clone(deliveries), func(d *store.Delivery) bool { return !d.Retryable() })
		data.PassedOver, data.Reach = len(ids)-len(failed), store.ReachOf(failed, reachShown)
		for _, d := range failed {
			data.IDs = append(data.IDs, d.ID)
		}
		return data, nil
	}
	f, _, err := s.searchDeliveries(ctx, a)
	if err != nil {
		return nil, err
	}
	data.Reach, err = s.deliveries.Reach(ctx, f, store.Retryable, reachShown)
	return data, err
}

// retryDeliveries asks for the hand-overs: of the chosen deliveries at once, of a filter's in steps.
func (s *Console) retryDeliveries(c *gin.Context) error {
	if err := c.Request.ParseForm(); err != nil {
		return err
	}
	ctx, form := c.Request.Context(), c.Request.PostForm
	by := retry.By{Actor: s.actor(c), Source: outbox.FromConsole}
	if !form.Has("all") {
		return s.retryChosen(c, form["id"], by)
	}
	query, err := url.ParseQuery(form.Get("query"))
	if err != nil {
		return wrongInput("The filter cannot be read. Go back to the list and try again.")
	}
	a := asking(c, query)
	f, _, err := s.searchDeliveries(ctx, a)
	if err != nil {
		return err
	}
	if err := a.all(); err != nil {
		return err
	}
	bulk, err := s.retries().Begin(ctx, f, by)
	if err != nil {
		return err
	}
	c.Redirect(http.StatusSeeOther, "/deliveries/retry/"+bulk.ID)
	return nil
}

func (s *Console) retryChosen(c *gin.Context, ids []string, by retry.By) error {
	if len(ids) == 0 || len(ids) > retry.Max {
		return wrongInput("Choose from 1 to 1,000 deliveries.")
	}
	result, err := s.retries().Deliveries(c.Request.Context(), ids, by)
	if err != nil {
		return err
	}
	text := ui.Plural(len(result.EventIDs), "delivery") + " will be handed over again."
	unwanted := 0
	for _, skipped := range result.Skipped {
		if skipped.Reason == retry.ReasonSuppressed {
			unwanted++
		}
	}
	if skipped := len(result.Skipped) - unwanted; skipped > 0 {
		text += " " + ui.Plural(skipped, "other") + " had not failed any more and stayed as it was."
	}
	if unwanted > 0 {
		text += " " + ui.Plural(unwanted, "other") + " stayed as it was because the address wants no messages: see Suppressions."
	}
	f := ui.Flash{Text: text, Problem: len(result.EventIDs) == 0}
	if len(ids) == 1 {
		return s.done(c, "/deliveries/"+url.PathEscape(ids[0]), f)
	}
	return s.done(c, "/deliveries", f)
}

// actor is who is asking, for the audit log.
func (s *Console) actor(c *gin.Context) string { return s.config.Access.Person(c).Email }

// showBulkRetry shows how far a bulk retry has come; it goes on whether or not somebody looks.
func (s *Console) showBulkRetry(c *gin.Context) error {
	bulk, err := s.retries().Bulk(c.Request.Context(), c.Param("id"))
	if err != nil {
		return err
	}
	return s.show(c, http.StatusOK, "deliveries_bulk", &ui.Page{
		Title: "Retry of many deliveries", Area: "/deliveries", Styles: []string{"watch.css"}, Data: bulk,
	})
}

func (s *Console) stopBulkRetry(c *gin.Context) error {
	id := c.Param("id")
	err := s.retries().Stop(c.Request.Context(), id, retry.By{Actor: s.actor(c), Source: outbox.FromConsole})
	if errors.Is(err, store.ErrNotFound) {
		return errNotThere
	}
	if err != nil {
		return err
	}
	return s.done(c, "/deliveries/retry/"+url.PathEscape(id), ui.Flash{
		Text: "It is stopped. What it has asked for is still handed over; nothing more is asked for."})
}
