package api

import (
	"encoding/json"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// notification is a rule as clients see it: its own JSON, lists never null and times in UTC.
type notification struct {
	rule.Notification
	// Problems says, by field, what is wrong with it now: its model may have changed since it was saved.
	Problems map[string]string `json:"problems"`
}

func notificationOf(n *rule.Notification, reader rule.Reader) notification {
	out := notification{Notification: filledOut(n), Problems: reader.Validate(n)}
	if out.Problems == nil {
		out.Problems = map[string]string{}
	}
	return out
}

// filledOut gives a copy whose lists are never null.
func filledOut(n *rule.Notification) rule.Notification {
	out := *n
	out.ValueChangeFields = filled(n.ValueChangeFields)
	out.Recipients = filled(n.Recipients)
	out.Variants = filled(n.Variants)
	out.Attachments = filled(n.Attachments)
	if out.ContentVariables == nil {
		out.ContentVariables = map[string]string{}
	}
	out.CreatedAt, out.UpdatedAt, out.ActiveSince = n.CreatedAt.UTC(), n.UpdatedAt.UTC(), n.ActiveSince.UTC()
	return out
}

// filled gives an empty list for a null one.
func filled[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// notificationInput is a rule as clients send it. What the system itself decides may be there, so that an answer can be
// sent back, and is not looked at: these fields stand before the rule's own of the same names.
type notificationInput struct {
	rule.Notification

	Active      *bool           `json:"active"`
	ID          json.RawMessage `json:"id"`
	Version     json.RawMessage `json:"version"`
	CreatedAt   json.RawMessage `json:"created_at"`
	UpdatedAt   json.RawMessage `json:"updated_at"`
	ActiveSince json.RawMessage `json:"active_since"`
	Problems    json.RawMessage `json:"problems"`
}

// notification gives the rule; active is what it is when the client does not say.
func (in notificationInput) notification(active bool) *rule.Notification {
	if in.Active != nil {
		active = *in.Active
	}
	n := in.Notification
	n.Active = active
	return &n
}
