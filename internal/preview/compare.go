package preview

import (
	"context"
	"reflect"
	"slices"
	"time"

	"github.com/silquetech/silque-notifications/internal/ledger"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
)

const (
	// patience bounds a comparison of slow notifications.
	patience = 20 * time.Second
	// comparedTexts is how many of the events that differ are shown with their texts.
	comparedTexts = 50
)

// Comparison is what would differ in the model's last events. Nothing is sent.
type Comparison struct {
	Checked   int             `json:"checked"`
	Differing int             `json:"differing"`
	Items     []ComparedEvent `json:"items"`
}

// ComparedEvent is an event for which the saved and the changed notification were both judged.
type ComparedEvent struct {
	EventID   string      `json:"event_id"`
	Key       string      `json:"key"`
	Action    rule.Action `json:"action"`
	CreatedAt time.Time   `json:"created_at"`
	Differs   bool        `json:"differs"`
	// Before is null when there is no saved notification.
	Before *Outcome `json:"before"`
	After  Outcome  `json:"after"`
}

// Outcome is what one notification would have done with an event.
type Outcome struct {
	Sends     bool     `json:"sends"`
	Reason    string   `json:"reason"`
	Addresses []string `json:"addresses"`
	Subject   string   `json:"subject"`
	Text      string   `json:"text"`
	HTML      string   `json:"html"`

	messages []rule.Message
}

// Compare judges the last events of the changed notification's model twice: by the notification as it is saved, or nil for
// a new one, and as it would be. What has been checked when its patience ends is what is said.
func (p Previews) Compare(ctx context.Context, reader rule.Reader, before, after *rule.Notification, limit int) (Comparison, error) {
	events, err := p.events().Recent(ctx, after.Model, limit)
	if err != nil {
		return Comparison{}, err
	}
	return p.compared(ctx, reader, comparing{before: before, after: after}, events)
}

// comparing are the two notifications; before may be nil.
type comparing struct{ before, after *rule.Notification }

// compared judges each event twice. Related rows are as they are now for both.
func (p Previews) compared(ctx context.Context, reader rule.Reader, both comparing, events []*outbox.Event) (Comparison, error) {
	result := Comparison{Items: []ComparedEvent{}}
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
	deadline := time.Now().Add(patience)
	for _, e := range events {
		if ctx.Err() != nil || time.Now().After(deadline) {
			break // what has been checked is said
		}
		item := ComparedEvent{EventID: e.ID, Key: e.Key, Action: e.Action, CreatedAt: e.CreatedAt.UTC()}
		if item.After, err = p.outcomeOf(ctx, reader, both.after, after, e); err != nil {
			return result, err
		}
		if before != nil {
			outcome, err := p.outcomeOf(ctx, reader, both.before, before, e)
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
		if !item.Differs || result.Differing > comparedTexts {
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
func (p Previews) outcomeOf(
	ctx context.Context, reader rule.Reader, n *rule.Notification, compiled *rule.Compiled, e *outbox.Event,
) (Outcome, error) {
	out := Outcome{Addresses: []string{}}
	if out.Reason = passedOver(n, e); out.Reason != "" {
		return out, nil
	}
	m, _ := reader.Models.Model(n.Model) // it compiled a moment ago
	scope, err := scopeOf(m, e)
	if err != nil {
		out.Reason = err.Error()
		return out, nil //nolint:nilerr // the event does not fit its model any more: that is the answer
	}
	scope, _, err = compiled.Load(ctx, ledger.NewSource(p.DB), scope)
	if err != nil {
		return out, err
	}
	o := compiled.Decide(scope, p.Addresses)
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

func (o Outcome) differs(other Outcome) bool {
	if o.Sends != other.Sends {
		return true
	}
	return !slices.EqualFunc(o.messages, other.messages, func(a, b rule.Message) bool { return reflect.DeepEqual(a, b) })
}

// brief leaves the texts out, which are the same on both sides or would fill the memory.
func (o Outcome) brief() Outcome {
	o.Subject, o.Text, o.HTML, o.messages = "", "", "", nil
	return o
}
