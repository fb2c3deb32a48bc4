package console

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/audit"
	"github.com/silquetech/silque-notifications/internal/doubt"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/web/ui"
)

// moment is a line of a timeline.
type moment struct {
	At time.Time
	// Tone is good, bad, warn, or empty for what is neither.
	Tone string
	What string
	// Detail is a provider's answer or a reason, Code its machine code.
	Detail, Code string
	// Path and Link lead further.
	Path, Link string
	// Took is how long it took, zero for a moment; Wait is how long nothing happened before an attempt.
	Took, Wait time.Duration
}

type deliveryPage struct {
	*store.Delivery
	// Event is nil when it is not kept any more.
	Event *outbox.Event
	// Title is the notification's now, empty when it is gone; Changed is whether it is another version now.
	Title   string
	Changed bool
	// Words says the status in a sentence.
	Words string
	// Due is when the next attempt is to begin; nil when none waits, or when it is not known.
	Due *time.Time
	// Interval is the wait between two attempts, and Limit how many it gets by itself; zero when they are not known.
	Interval time.Duration
	Limit    int
	// SinceLost is how many attempts have followed the one in doubt.
	SinceLost int
	// Asked: a person's retry of it has not come to its end.
	Asked     bool
	Timeline  []moment
	Details   rule.Details
	Retryable bool
	// Live is whether something can still happen by itself.
	Live   bool
	Errors []*store.ErrorEntry
	// Ended tells who has ended its doubt, newest first, and LastRetry when somebody last asked for another try.
	Ended     []audit.Record
	LastRetry time.Time
	// Unwanted: it was not sent because its address wants no messages. Suppressed is what keeps them away now; nil when
	// nothing does any more.
	Unwanted   bool
	Suppressed *suppressionRow
	// Encoding, Segments and Units say how an SMS goes out.
	Encoding        string
	Segments, Units int
}

func (s *Console) showDelivery(c *gin.Context) error {
	ctx := c.Request.Context()
	d, err := s.deliveries.Get(ctx, c.Param("id"))
	if err != nil {
		return err
	}
	data := &deliveryPage{Delivery: d, Interval: cmp.Or(d.RetryInterval, s.config.RetryInterval), Limit: s.attemptsOf(d)}
	if d.Details != nil {
		if err := json.Unmarshal(d.Details, &data.Details); err != nil {
			return fmt.Errorf("console: details of delivery %s: %w", d.ID, err)
		}
	}
	if data.Event, err = s.events.Get(ctx, d.EventID); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	current, err := s.notifications.Current(ctx, []string{d.NotificationID})
	if err != nil {
		return err
	}
	if n := current[d.NotificationID]; n != nil {
		data.Title, data.Changed = n.Title, n.Version != d.NotificationVersion
	}
	logged, err := s.errors.List(ctx, store.ErrorFilter{DeliveryID: d.ID}, store.Paging{})
	if err != nil {
		return err
	}
	data.Errors = logged.Items
	if data.Ended, err = s.endedDoubts(ctx, d.ID); err != nil {
		return err
	}
	if err := s.addSuppressed(ctx, data); err != nil {
		return err
	}
	if d.Channel == rule.SMS {
		data.Encoding, data.Segments, data.Units = rule.Segments(d.BodyText)
	}
	if err := s.addTimeline(ctx, data); err != nil {
		return err
	}
	return s.show(c, http.StatusOK, "delivery", &ui.Page{
		Title: messageName(d.Channel) + " to " + d.Address, Area: "/deliveries", Styles: []string{"watch.css"}, Data: data,
	})
}

func messageName(c rule.Channel) string {
	switch c {
	case rule.SMS:
		return "SMS"
	case rule.WhatsApp:
		return "WhatsApp message"
	default:
		return "Email"
	}
}

// addTimeline tells what happened, from the change of the row to the end.
func (s *Console) addTimeline(ctx context.Context, p *deliveryPage) error {
	attempts, err := s.deliveries.Attempts(ctx, p.ID)
	if err != nil {
		return err
	}
	retries, err := s.events.Search(ctx, store.EventFilter{Key: p.ID, Action: string(rule.Retry)}, store.Paging{Limit: store.MaxLimit})
	if err != nil {
		return err
	}
	if e := p.Event; e != nil {
		p.add(moment{At: e.CreatedAt, What: captured(e), Path: "/events/" + e.ID, Link: "Event"})
		if e.StartedAt != nil {
			p.add(moment{At: *e.StartedAt, What: "Temporal took the workflow"})
		}
	}
	p.add(moment{At: p.CreatedAt, What: "The notification decided to send: the message was written"})
	for _, e := range retries.Items {
		p.add(moment{At: e.CreatedAt, What: "A person asked for another try", Path: "/events/" + e.ID, Link: "Event"})
		p.Asked = p.Asked || e.Status != outbox.Settled
		if e.CreatedAt.After(p.LastRetry) {
			p.LastRetry = e.CreatedAt
		}
	}
	for i, a := range attempts {
		m := told(a)
		if i > 0 {
			m.Wait = a.StartedAt.Sub(attempts[i-1].FinishedAt)
		}
		p.add(m)
	}
	if p.Status == store.DeliverySending && p.ClaimedAt != nil {
		p.add(moment{At: *p.ClaimedAt, What: fmt.Sprintf("Attempt %d began and is under way", p.Attempts)})
	}
	if lost := p.Lost(attempts); lost != nil {
		p.SinceLost = p.Attempts - lost.Number
	}
	p.endedMoments()
	p.addEnd(attempts)
	slices.SortStableFunc(p.Timeline, func(a, b moment) int { return a.At.Compare(b.At) })
	p.Retryable = p.Suppressed == nil && (p.row().Retryable() && !p.InDoubt() || p.Unwanted && !p.Asked)
	p.Live = !p.Done() || p.Asked || p.Status == store.DeliverySent && time.Since(p.UpdatedAt) < time.Hour && p.Channel != rule.Email
	if p.Status == store.DeliveryPending && p.Attempts > 0 && p.Interval > 0 {
		p.Due = new(p.UpdatedAt.Add(p.Interval))
	}
	p.Words = p.words(attempts)
	return nil
}

func (p *deliveryPage) row() deliveryRow {
	return deliveryRow{Delivery: p.Delivery, Asked: p.Asked, Limit: p.Limit}
}

// State is as in the list.
func (p *deliveryPage) State() string { return p.row().State() }

// Waits is as in the list.
func (p *deliveryPage) Waits() string { return p.row().Waits() }

func (p *deliveryPage) add(m moment) { p.Timeline = append(p.Timeline, m) }

// addEnd says what became of it where no attempt says so.
func (p *deliveryPage) addEnd(attempts []store.Attempt) {
	switch p.Status {
	case store.DeliveryDelivered:
		if !p.saidLast(doubt.Arrived) {
			p.add(moment{At: p.UpdatedAt, Tone: "good", What: "The provider says that it arrived"})
		}
	case store.DeliverySuppressed:
		what := "It was not sent: it was no longer of use"
		if p.Unwanted {
			what = "It was not sent: the address wants no messages"
		}
		p.add(moment{At: p.UpdatedAt, Tone: "warn", What: what, Code: p.ErrorCode})
	case store.DeliveryFailed:
		what := "No more tries: it failed"
		switch {
		case p.saidLast(doubt.DidNotArrive):
			return
		case p.cameBack():
			what = "The provider reported that it did not arrive"
		case len(attempts) == 0:
			what = "It failed before its first attempt"
		}
		p.add(moment{At: p.UpdatedAt, Tone: "bad", What: what, Code: p.ErrorCode})
	case store.DeliveryUnknown:
		p.add(moment{At: p.UpdatedAt, Tone: "warn", What: "It ended in doubt: the provider’s last answer was lost"})
	}
}

// told says how an attempt ended.
func told(a store.Attempt) moment {
	m := moment{At: a.StartedAt, Took: a.FinishedAt.Sub(a.StartedAt), Detail: a.Detail, Code: a.Code}
	switch a.Outcome {
	case "sent":
		m.Tone, m.What = "good", fmt.Sprintf("Attempt %d: the provider took it", a.Number)
	case "permanent":
		m.Tone, m.What = "bad", fmt.Sprintf("Attempt %d: refused for good", a.Number)
	case "unknown":
		m.Tone, m.What = "warn", fmt.Sprintf("Attempt %d: the answer was lost, so it may have arrived", a.Number)
	default:
		m.Tone, m.What = "warn", fmt.Sprintf("Attempt %d: not taken for now", a.Number)
	}
	return m
}

// captured says what the event is.
func captured(e *outbox.Event) string {
	switch e.Action {
	case rule.Test:
		return "Somebody asked for a test message"
	case rule.Alert:
		return "A date came due for " + e.Model + " " + e.Key
	case rule.Retry:
		return "A person asked for another try"
	default:
		return fmt.Sprintf("%s %s was %sd, and the change was captured", e.Model, e.Key, strings.TrimSuffix(string(e.Action), "e")+"e")
	}
}

// words says the status in a sentence.
func (p *deliveryPage) words(attempts []store.Attempt) string {
	if p.Asked && p.Done() && !p.Taken() {
		return "A person asked for another try, which begins in a moment."
	}
	switch p.Status {
	case store.DeliveryPending:
		if p.Attempts == 0 {
			return "It waits for its first attempt: for a worker, or for its turn at the provider’s pace."
		}
		said := ui.Plural(p.Attempts, "attempt") + " did not succeed; the next one follows"
		if p.Interval > 0 {
			said += " after a wait of " + ui.Length(p.Interval) + ", or as long as the provider asked for"
		}
		return said + "."
	case store.DeliverySending:
		return fmt.Sprintf("Attempt %d is under way.", p.Attempts)
	case store.DeliverySent:
		return "The provider took it. That it arrived is known only where the provider reports it."
	case store.DeliveryDelivered:
		if p.saidLast(doubt.Arrived) {
			return "It arrived: " + p.Ended[0].Actor + " said so, because the provider’s answer was lost."
		}
		return "The provider took it and says that it arrived."
	case store.DeliveryFailed:
		return p.failedWords(attempts)
	case store.DeliveryUnknown:
		return "The provider may have it: its last answer was lost."
	case store.DeliverySuppressed:
		return p.suppressedWords()
	default:
		return ""
	}
}

func (p *deliveryPage) failedWords(attempts []store.Attempt) string {
	switch {
	case p.saidLast(doubt.DidNotArrive):
		return "It did not arrive: " + p.Ended[0].Actor + " said so, because the provider’s answer was lost. Retry it when it is to go out after all."
	case p.cameBack():
		return "The provider took it, and then reported that it did not arrive. The error log says why: mend that, then retry."
	}
	if n := len(attempts); n > 0 && attempts[n-1].Outcome == "permanent" {
		return "The provider refused it for good: another try without a change meets the same. Mend the address or the settings, then retry."
	}
	if len(attempts) == 0 {
		return "It ended before its first attempt. Retry it when it is to be sent after all."
	}
	since := attempts
	for i, a := range attempts {
		if a.Outcome == string(store.DeliverySent) { // it came back, and a person had it handed over again
			since = attempts[i+1:]
		}
	}
	return fmt.Sprintf("It was not taken in %s. Retry it when the provider is back.", ui.Plural(max(1, len(since)), "attempt"))
}

// showDeliveryHTML is the HTML part of an email, for a frame that runs nothing.
func (s *Console) showDeliveryHTML(c *gin.Context) error {
	d, err := s.deliveries.Get(c.Request.Context(), c.Param("id"))
	if err != nil {
		return err
	}
	if d.BodyHTML == "" {
		return errNotThere
	}
	ui.Message(c, d.BodyHTML)
	return nil
}
