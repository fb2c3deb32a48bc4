package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/ledger"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// previewInput names a notification, whole or by its ID, and a row, whole or by its key.
type previewInput struct {
	Notification   *notificationInput `json:"notification"`
	NotificationID string             `json:"notification_id"`
	Model          string             `json:"model"`
	Key            string             `json:"key"`
	// EventID names a recorded event, whose documents are looked at.
	EventID string          `json:"event_id"`
	Doc     json.RawMessage `json:"doc"`
	OldDoc  json.RawMessage `json:"old_doc"`
}

// preview is what a notification would do, if it were active and the row changed as its trigger says.
type preview struct {
	Sends      bool               `json:"sends"`
	Reason     string             `json:"reason"`
	Conditions []previewCondition `json:"conditions"`
	Recipients []previewRecipient `json:"recipients"`
	Subject    string             `json:"subject"`
	Text       string             `json:"text"`
	HTML       string             `json:"html"`
	// FiresAt is when a date alert fires for the row; null for other triggers, and for a row without a date.
	FiresAt *time.Time `json:"fires_at"`
	// Encoding, Segments and Characters say how an SMS goes out; empty and zero for the other channels.
	Encoding   string `json:"encoding"`
	Segments   int    `json:"segments"`
	Characters int    `json:"characters"`
	// Messages holds the texts by language, when there are several.
	Messages []previewMessage `json:"messages"`
	// Problems lists what could not be read: related rows, saved lists.
	Problems []string `json:"problems"`
}

type previewCondition struct {
	Line   int    `json:"line"`
	Text   string `json:"text"`
	Result bool   `json:"result"`
	Error  string `json:"error"`
}

// previewMessage is what the recipients of one language are told.
type previewMessage struct {
	Locale  string `json:"locale"`
	Subject string `json:"subject"`
	Text    string `json:"text"`
	HTML    string `json:"html"`
	// Details are what its first message needs besides: copies, reply-to, WhatsApp template, files; null when nothing.
	Details *rule.Details `json:"details"`
}

// previewRecipient is one address found. Problem is empty for one that would get the message; Detail explains it.
type previewRecipient struct {
	Address string `json:"address"`
	From    string `json:"from"`
	Problem string `json:"problem"`
	Detail  string `json:"detail"`
	// Locale is the language of its message; empty for the notification's own texts.
	Locale string `json:"locale"`
	// Copy: it gets a copy (Cc).
	Copy bool `json:"copy"`
}

func (a *API) previewNotification(c *gin.Context) error {
	var in previewInput
	if err := a.readBody(c, &in); err != nil {
		return err
	}
	if wrong := in.wrong(); len(wrong) > 0 {
		return invalid(wrong)
	}
	ctx := c.Request.Context()
	reader, err := a.book.Reader(ctx)
	if err != nil {
		return err
	}
	n, err := a.previewed(ctx, in, reader)
	if err != nil {
		return err
	}
	m, ok := reader.Models.Model(n.Model)
	if !ok {
		return invalid(map[string]string{"notification_id": "the notification's model is not registered any more"})
	}
	if in.Model != "" && in.Model != n.Model {
		return invalid(map[string]string{"model": "the notification is for " + n.Model})
	}
	compiled, err := reader.Compile(n)
	if err != nil {
		return invalid(map[string]string{in.place(): err.Error()})
	}
	scope, assumed, err := a.previewScope(ctx, in, n, m)
	if err != nil {
		return err
	}
	scope, problems, err := compiled.Load(ctx, ledger.NewSource(a.config.DB), scope)
	if err != nil {
		return err
	}
	p := previewOf(n.Channel, compiled.Preview(scope, a.config.Addresses, assumed), problems)
	if alert, ok := reader.Alert(n); ok {
		if moment, ok := alert.Moment(scope.Doc); ok {
			p.FiresAt = utc(&moment)
		}
	}
	return answer(c, http.StatusOK, p)
}

// wrong says what is wrong with the input itself, all at once.
func (in previewInput) wrong() map[string]string {
	wrong := map[string]string{}
	switch {
	case in.Notification == nil && in.NotificationID == "":
		wrong["notification"] = "name a notification, whole or by notification_id"
	case in.Notification != nil && in.NotificationID != "":
		wrong["notification_id"] = "name either notification or notification_id"
	}
	if in.NotificationID != "" && !isID(in.NotificationID) {
		wrong["notification_id"] = "must be an ID"
	}
	documents := snapshot(in.Doc) != nil || snapshot(in.OldDoc) != nil
	switch {
	case in.EventID != "" && !isID(in.EventID):
		wrong["event_id"] = "must be an ID"
	case in.EventID != "" && (documents || in.Key != ""):
		wrong["event_id"] = "name either an event, or a key, or doc and old_doc"
	case documents && in.Key != "":
		wrong["key"] = "name either a key or doc and old_doc"
	case !documents && in.Key == "" && in.EventID == "":
		wrong["key"] = "name a row, by its key or as doc and old_doc"
	}
	return wrong
}

// place is the field that names the notification.
func (in previewInput) place() string {
	if in.Notification != nil {
		return "notification"
	}
	return "notification_id"
}

// previewed gives the notification: the one in the body when it is valid, or the one that has the ID.
func (a *API) previewed(ctx context.Context, in previewInput, reader rule.Reader) (*rule.Notification, error) {
	if in.Notification == nil {
		return a.saved(ctx, in.NotificationID)
	}
	n := in.Notification.notification(true)
	return n, check(reader, n, "notification.")
}

// saved gives the notification that a body names by its ID.
func (a *API) saved(ctx context.Context, id string) (*rule.Notification, error) {
	n, err := a.book.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, invalid(map[string]string{"notification_id": "no notification has this ID"})
	}
	return n, err
}

// previewScope gives what the notification sees: a recorded event, or documents.
func (a *API) previewScope(
	ctx context.Context, in previewInput, n *rule.Notification, m *rule.Model,
) (scope rule.Scope, assumed bool, err error) {
	if in.EventID == "" {
		return a.scope(ctx, in, n.Trigger, m)
	}
	e, err := a.events.Get(ctx, in.EventID)
	if errors.Is(err, store.ErrNotFound) {
		return scope, false, invalid(map[string]string{"event_id": "no event has this ID"})
	}
	if err != nil {
		return scope, false, err
	}
	if e.Model != n.Model {
		return scope, false, invalid(map[string]string{"event_id": "the event is of another model than the notification"})
	}
	if reason := passedOver(n, e); reason != "" {
		return scope, false, invalid(map[string]string{"event_id": reason})
	}
	if scope, err = scopeOf(m, e); err != nil {
		return scope, false, invalid(map[string]string{"event_id": err.Error()})
	}
	return scope, false, nil
}

// scope gives the documents that the notification sees. Assumed says that there is one row only, from which a change as
// the trigger wants it is made up.
func (a *API) scope(
	ctx context.Context, in previewInput, trigger rule.Trigger, m *rule.Model,
) (scope rule.Scope, assumed bool, err error) {
	if in.Key != "" {
		row, err := a.row(ctx, m, in.Key)
		if err != nil {
			return rule.Scope{}, false, err
		}
		in.Doc = row
		if slices.Contains(rule.TriggersFor(rule.Update), trigger) {
			in.OldDoc = row
		}
	}
	scope.At = time.Now().UTC()
	wrong := map[string]string{}
	checkDocument(wrong, m, "doc", in.Doc)
	checkDocument(wrong, m, "old_doc", in.OldDoc)
	if len(wrong) > 0 {
		return rule.Scope{}, false, invalid(wrong)
	}
	// checkDocument has decoded both without an error a moment ago.
	scope.Doc, _ = rule.DecodeDocument(m, in.Doc)
	scope.OldDoc, _ = rule.DecodeDocument(m, in.OldDoc)
	if trigger == rule.OnDelete && scope.OldDoc == nil {
		scope.Doc, scope.OldDoc = nil, scope.Doc
	}
	return scope, in.Key != "" || scope.Doc == nil || scope.OldDoc == nil, nil
}

func (a *API) row(ctx context.Context, m *rule.Model, key string) (json.RawMessage, error) {
	if a.config.Rows == nil {
		return nil, invalid(map[string]string{"key": "rows cannot be read here: give the row as doc"})
	}
	row, err := a.config.Rows.Row(ctx, m, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, invalid(map[string]string{"key": "no row has this key"})
	}
	if err != nil {
		return nil, fmt.Errorf("api: read a row of %s: %w", m.Name, err)
	}
	return row, nil
}

// previewOf shows every step of what the worker would do with the change.
func previewOf(channel rule.Channel, o rule.Outcome, problems []rule.Problem) preview {
	p := preview{
		Sends: o.Decision == rule.Sends, Reason: o.Reason,
		Conditions: make([]previewCondition, len(o.Verdict.Lines)), Recipients: make([]previewRecipient, len(o.Recipients)),
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
		p.Conditions[i] = previewCondition{Line: line.Line, Text: line.Text, Result: line.Result, Error: line.Error}
	}
	for i, r := range o.Recipients {
		p.Recipients[i] = previewRecipient{
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
func messagesOf(o rule.Outcome) []previewMessage {
	messages := []previewMessage{}
	for _, m := range o.Messages {
		if !slices.ContainsFunc(messages, func(known previewMessage) bool { return known.Locale == m.Locale }) {
			one := previewMessage{Locale: m.Locale, Subject: m.Subject, Text: m.Text, HTML: m.HTML}
			if !m.Details.IsZero() {
				one.Details = &m.Details
			}
			messages = append(messages, one)
		}
	}
	return messages
}
