package api

import (
	"encoding/json"
	"time"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// notification is a rule as clients see it.
type notification struct {
	ID               string       `json:"id"`
	Title            string       `json:"title"`
	Message          string       `json:"message"`
	HTMLMessage      string       `json:"html_message"`
	Active           bool         `json:"active"`
	Channel          rule.Channel `json:"channel"`
	Model            string       `json:"model"`
	Trigger          rule.Trigger `json:"trigger"`
	ValueChangeField string       `json:"value_change_field"`
	DateField        string       `json:"date_field"`
	AlertDays        *int         `json:"alert_days"`
	Conditions       string       `json:"conditions"`
	Recipients       []recipient  `json:"recipients"`
	Version          int64        `json:"version"`
	CreatedAt        time.Time    `json:"created_at"`
	UpdatedAt        time.Time    `json:"updated_at"`
}

type recipient struct {
	Address       string `json:"address"`
	DocumentField string `json:"document_field"`
}

func notificationOf(n *rule.Notification) notification {
	recipients := make([]recipient, len(n.Recipients))
	for i, r := range n.Recipients {
		recipients[i] = recipient(r)
	}
	return notification{
		ID: n.ID, Title: n.Title, Message: n.Message, HTMLMessage: n.HTMLMessage, Active: n.Active, Channel: n.Channel,
		Model: n.Model, Trigger: n.Trigger, ValueChangeField: n.ValueChangeField, DateField: n.DateField,
		AlertDays: n.AlertDays, Conditions: n.Conditions, Recipients: recipients, Version: n.Version,
		CreatedAt: n.CreatedAt.UTC(), UpdatedAt: n.UpdatedAt.UTC(),
	}
}

// notificationInput is a rule as clients send it. What the system itself decides may be there, so that an answer can be
// sent back, and is not looked at.
type notificationInput struct {
	Title            string       `json:"title"`
	Message          string       `json:"message"`
	HTMLMessage      string       `json:"html_message"`
	Active           *bool        `json:"active"`
	Channel          rule.Channel `json:"channel"`
	Model            string       `json:"model"`
	Trigger          rule.Trigger `json:"trigger"`
	ValueChangeField string       `json:"value_change_field"`
	DateField        string       `json:"date_field"`
	AlertDays        *int         `json:"alert_days"`
	Conditions       string       `json:"conditions"`
	Recipients       []recipient  `json:"recipients"`

	ID        json.RawMessage `json:"id"`
	Version   json.RawMessage `json:"version"`
	CreatedAt json.RawMessage `json:"created_at"`
	UpdatedAt json.RawMessage `json:"updated_at"`
}

// notification gives the rule; active is what it is when the client does not say.
func (in notificationInput) notification(active bool) *rule.Notification {
	if in.Active != nil {
		active = *in.Active
	}
	recipients := make([]rule.Recipient, len(in.Recipients))
	for i, r := range in.Recipients {
		recipients[i] = rule.Recipient(r)
	}
	return &rule.Notification{
		Title: in.Title, Message: in.Message, HTMLMessage: in.HTMLMessage, Active: active, Channel: in.Channel,
		Model: in.Model, Trigger: in.Trigger, ValueChangeField: in.ValueChangeField, DateField: in.DateField,
		AlertDays: in.AlertDays, Conditions: in.Conditions, Recipients: recipients,
	}
}
