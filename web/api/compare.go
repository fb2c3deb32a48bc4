package api

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/ledger"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
)

// The number of events of a comparison.
const (
	compareDefault = 50
	compareMax     = 500
	// comparePatience bounds a comparison of slow notifications.
	comparePatience = 20 * time.Second
	// compareTexts is how many of the events that differ are shown with their texts.
	compareTexts = 50
)

// compareInput names a changed notification, and the saved one that it is compared with: none for a new one.
type compareInput struct {
	Notification   *notificationInput `json:"notification"`
	NotificationID string             `json:"notification_id"`
	Limit          int                `json:"limit"`
}

// comparison is what would differ in the model's last events. Nothing is sent.
type comparison struct {
	Checked   int             `json:"checked"`
	Differing int             `json:"differing"`
	Items     []comparedEvent `json:"items"`
}

// comparedEvent is an event for which the saved and the changed notification were both judged.
type comparedEvent struct {
	EventID   string      `json:"event_id"`
	Key       string      `json:"key"`
	Action    rule.Action `json:"action"`
	CreatedAt time.Time   `json:"created_at"`
	Differs   bool        `json:"differs"`
	// Before is null when there is no saved notification.
	Before *comparedOutcome `json:"before"`
	After  comparedOutcome  `json:"after"`
}

type comparedOutcome struct {
	Sends     bool     `json:"sends"`
	Reason    string   `json:"reason"`
	Addresses []string `json:"addresses"`
	Subject   string   `json:"subject"`
	Text      string   `json:"text"`
	HTML      string   `json:"html"`

	messages []rule.Message
}

// compareNotification runs a changed notification, and the saved one, against the model's last recorded events.
func (a *API) compareNotification(c *gin.Context) error {
	in := compareInput{Limit: compareDefault}
	if err := a.readBody(c, &in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	ctx := c.Request.Context()
	reader, err := a.book.Reader(ctx)
	if err != nil {
		return err
	}
	changed := in.Notification.notification(true)
	changed.ID, changed.Active = in.NotificationID, true // how it would be if it fired
	if err := check(reader, changed, "notification."); err != nil {
		return err
	}
	judges := comparing{after: changed}
	if in.NotificationID != "" {
		if judges.before, err = a.saved(ctx, in.NotificationID); err != nil {
			return err
		}
	}
	events, err := a.events.Recent(ctx, changed.Model, in.Limit)
	if err != nil {
		return err
	}
	result, err := a.compared(ctx, reader, judges, events)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, result)
}

func (in compareInput) check() error {
	wrong := map[string]string{}
	if in.Notification == nil {
		wrong["notification"] = "the changed notification is needed"
	}
	if in.NotificationID != "" && !isID(in.NotificationID) {
		wrong["notification_id"] = "must be an ID"
	}
	if in.Limit < 1 || in.Limit > compareMax {
		wrong["limit"] = fmt.Sprintf("must be from 1 to %d", compareMax)
	}
	if len(wrong) > 0 {
		return invalid(wrong)
	}
	return nil
}

// comparing are the two notifications; before may be nil.
type comparing struct{ before, after *rule.Notification }

// compared judges each event twice. Related rows are as they are now for both.
func (a *API) compared(ctx context.Context, reader rule.Reader, both comparing, events []*outbox.Event) (comparison, error) {
	result := comparison{Items: []comparedEvent{}}
	var before, after *rule.Compiled
	var err error
	if after, err = reader.Compile(both.after); err != nil {
		return result, err
	}
	if both.before != nil {
		if before, err = reader.Compile(both.before); err != nil {
			before = nil // it has become invalid: there is nothing to compare with
		}
	}
	deadline := time.Now().Add(comparePatience)
	for _, e := range events {
		if ctx.Err() != nil || time.Now().After(deadline) {
			break // what has been checked is said
		}
		item := comparedEvent{EventID: e.ID, Key: e.Key, Action: e.Action, CreatedAt: e.CreatedAt.UTC()}
		if item.After, err = a.outcomeOf(ctx, reader, both.after, after, e); err != nil {
			return result, err
		}
		if before != nil {
			outcome, err := a.outcomeOf(ctx, reader, both.before, before, e)
			if err != nil {
				return result, err
			}
			item.Before = &outcome
		}
		item.Differs = item.Before == nil && item.After.Sends || item.Before != nil && item.Before.differs(item.After)
		item.After.messages = nil
		if item.Before != nil {
			item.Before.messages = nil
		}
		if item.Differs {
			result.Differing++
		}
		if !item.Differs || result.Differing > compareTexts {
			item.After = item.After.brief()
			if item.Before != nil {
				*item.Before = item.Before.brief()
			}
		}
		result.Items = append(result.Items, item)
	}
	result.Checked = len(result.Items)
	return result, nil
}

// outcomeOf judges a recorded event by one notification. Both of a comparison read related rows for themselves.
func (a *API) outcomeOf(
	ctx context.Context, reader rule.Reader, n *rule.Notification, compiled *rule.Compiled, e *outbox.Event,
) (comparedOutcome, error) {
	out := comparedOutcome{Addresses: []string{}}
	if out.Reason = passedOver(n, e); out.Reason != "" {
		return out, nil
	}
	m, _ := reader.Models.Model(n.Model) // it compiled a moment ago
	scope, err := scopeOf(m, e)
	if err != nil {
		out.Reason = err.Error()
		return out, nil //nolint:nilerr // the event does not fit its model any more: that is the answer
	}
	scope, _, err = compiled.Load(ctx, ledger.NewSource(a.config.DB), scope)
	if err != nil {
		return out, err
	}
	o := compiled.Decide(scope, a.config.Addresses)
	out.Sends, out.Reason = o.Decision == rule.Sends, o.Reason
	if !out.Sends {
		return out, nil
	}
	out.Subject, out.Text, out.HTML = o.Messages[0].Subject, o.Messages[0].Text, o.Messages[0].HTML
	out.messages = o.Messages
	for _, m := range o.Messages {
		out.Addresses = append(out.Addresses, m.Address)
	}
	return out, nil
}

// passedOver says why a notification is no candidate for an event; empty when it is one.
func passedOver(n *rule.Notification, e *outbox.Event) string {
	switch {
	case e.Model != n.Model:
		return fmt.Sprintf("it is for %s, and the event is of %s", n.Model, e.Model)
	case !slices.Contains(rule.TriggersFor(e.Action), n.Trigger):
		return fmt.Sprintf("its trigger is %s, and the event is a %s", n.Trigger, e.Action)
	case e.NotificationID != "" && e.NotificationID != n.ID && n.ID != "":
		return "the event is an alert of another notification"
	default:
		return ""
	}
}

func scopeOf(m *rule.Model, e *outbox.Event) (s rule.Scope, err error) {
	s.At = e.CreatedAt.UTC()
	if s.Doc, err = rule.DecodeDocument(m, []byte(e.Doc)); err != nil {
		return s, err
	}
	s.OldDoc, err = rule.DecodeDocument(m, []byte(e.OldDoc))
	return s, err
}

func (o comparedOutcome) differs(other comparedOutcome) bool {
	if o.Sends != other.Sends {
		return true
	}
	return !slices.EqualFunc(o.messages, other.messages, func(a, b rule.Message) bool { return reflect.DeepEqual(a, b) })
}

// brief leaves the texts out, which are the same on both sides or would fill the memory.
func (o comparedOutcome) brief() comparedOutcome {
	o.Subject, o.Text, o.HTML, o.messages = "", "", "", nil
	return o
}
