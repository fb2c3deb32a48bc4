// Package preview shows what a notification would do with a row or with past events, and sends nothing. The API and the
// console show the same.
package preview

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/ledger"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// Rows reads a row of the application's database as it is now.
type Rows interface {
	// Row gives the row as JSON in the form that rule.FieldType describes, with its relations where it knows them. A row
	// that is not there is store.ErrNotFound.
	Row(ctx context.Context, m *rule.Model, key string) (json.RawMessage, error)
}

// Previews makes previews and comparisons. Its mistakes of the caller are rule.FieldErrors with the names key, doc, old_doc,
// event_id and notification.
type Previews struct {
	DB        *gorm.DB
	Addresses rule.Addresses
	// Rows reads the row of a preview that names a key; without it, a preview must bring its doc.
	Rows Rows
}

// Row is what a notification is tried on: exactly one of a recorded event, the key of a row, or documents.
type Row struct {
	EventID     string
	Key         string
	Doc, OldDoc json.RawMessage
}

// Result is what a notification would do, if it were active and the row changed as its trigger says.
type Result struct {
	Sends      bool        `json:"sends"`
	Reason     string      `json:"reason"`
	Conditions []Condition `json:"conditions"`
	Recipients []Recipient `json:"recipients"`
	Subject    string      `json:"subject"`
	Text       string      `json:"text"`
	HTML       string      `json:"html"`
	// FiresAt is when a date alert fires for the row; null for other triggers, and for a row without a date.
	FiresAt *time.Time `json:"fires_at"`
	// Encoding, Segments and Characters say how an SMS goes out; empty and zero for the other channels.
	Encoding   string `json:"encoding"`
	Segments   int    `json:"segments"`
	Characters int    `json:"characters"`
	// Messages holds the texts by language, when there are several.
	Messages []Message `json:"messages"`
	// Problems lists what could not be read: related rows, saved lists.
	Problems []string `json:"problems"`
}

// Condition is what one line says about the row.
type Condition struct {
	Line   int    `json:"line"`
	Text   string `json:"text"`
	Result bool   `json:"result"`
	Error  string `json:"error"`
}

// Message is what the recipients of one language are told.
type Message struct {
	Locale  string `json:"locale"`
	Subject string `json:"subject"`
	Text    string `json:"text"`
	HTML    string `json:"html"`
	// Details are what its first message needs besides: copies, reply-to, WhatsApp template, files; null when nothing.
	Details *rule.Details `json:"details"`
}

// Recipient is one address found. Problem is empty for one that would get the message; Detail explains it.
type Recipient struct {
	Address string `json:"address"`
	From    string `json:"from"`
	Problem string `json:"problem"`
	Detail  string `json:"detail"`
	// Locale is the language of its message; empty for the notification's own texts.
	Locale string `json:"locale"`
	// Copy: it gets a copy (Cc).
	Copy bool `json:"copy"`
}

// Preview tries a notification, whose model the reader knows, on a row.
func (p Previews) Preview(ctx context.Context, reader rule.Reader, n *rule.Notification, on Row) (Result, error) {
	m, ok := reader.Models.Model(n.Model)
	if !ok {
		return Result{}, wrong("notification", "the notification's model is not registered any more")
	}
	compiled, err := reader.Compile(n)
	if err != nil {
		return Result{}, wrong("notification", err.Error())
	}
	scope, assumed, err := p.scope(ctx, on, n, m)
	if err != nil {
		return Result{}, err
	}
	scope, problems, err := compiled.Load(ctx, ledger.NewSource(p.DB), scope)
	if err != nil {
		return Result{}, err
	}
	result := resultOf(n.Channel, compiled.Preview(scope, p.Addresses, assumed), problems)
	if alert, ok := reader.Alert(n); ok {
		if moment, ok := alert.Moment(scope.Doc); ok {
			moment = moment.UTC()
			result.FiresAt = &moment
		}
	}
	return result, nil
}

func (p Previews) events() store.Events { return store.Events{DB: p.DB} }

// wrong is a mistake of the caller's in one field.
func wrong(field, message string) error { return rule.FieldErrors{field: message} }

// resultOf shows every step of what the worker would do with the change.
func resultOf(channel rule.Channel, o rule.Outcome, problems []rule.Problem) Result {
	p := Result{
		Sends: o.Decision == rule.Sends, Reason: o.Reason,
		Conditions: make([]Condition, len(o.Verdict.Lines)), Recipients: make([]Recipient, len(o.Recipients)),
		Subject: o.Content.Subject, Text: o.Content.Text, HTML: o.Content.HTML,
		Problems: make([]string, 0, len(problems)), Messages: messagesOf(o),
	}
	if channel == rule.SMS {
		p.Encoding, p.Segments, p.Characters = rule.Segments(p.Text)
	}
	if p.Sends {
		p.Reason = o.Verdict.Reason
	}
	for i, line := range o.Verdict.Lines {
		p.Conditions[i] = Condition{Line: line.Line, Text: line.Text, Result: line.Result, Error: line.Error}
	}
	for i, r := range o.Recipients {
		p.Recipients[i] = Recipient{
			Address: r.Address, From: r.From, Problem: r.Problem, Detail: r.Detail, Locale: r.Locale, Copy: r.Copy,
		}
	}
	for _, problem := range append(problems, o.Problems...) {
		if !strings.HasPrefix(problem.Key, "line ") && !strings.HasPrefix(problem.Key, "recipient ") { // they stand above
			p.Problems = append(p.Problems, problem.Message)
		}
	}
	return p
}

// messagesOf gives the texts by language, in the order of the first recipient of each.
func messagesOf(o rule.Outcome) []Message {
	messages := []Message{}
	for _, m := range o.Messages {
		if !slices.ContainsFunc(messages, func(known Message) bool { return known.Locale == m.Locale }) {
			one := Message{Locale: m.Locale, Subject: m.Subject, Text: m.Text, HTML: m.HTML}
			if !m.Details.IsZero() {
				one.Details = &m.Details
			}
			messages = append(messages, one)
		}
	}
	return messages
}
