package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// previewInput names a notification, whole or by its ID, and a row, whole or by its key.
type previewInput struct {
	Notification   *notificationInput `json:"notification"`
	NotificationID string             `json:"notification_id"`
	Model          string             `json:"model"`
	Key            string             `json:"key"`
	Doc            json.RawMessage    `json:"doc"`
	OldDoc         json.RawMessage    `json:"old_doc"`
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
}

type previewCondition struct {
	Line   int    `json:"line"`
	Text   string `json:"text"`
	Result bool   `json:"result"`
	Error  string `json:"error"`
}

// previewRecipient is one address found. Problem is empty for one that would get the message; Detail explains it.
type previewRecipient struct {
	Address string `json:"address"`
	From    string `json:"from"`
	Problem string `json:"problem"`
	Detail  string `json:"detail"`
}

// The problems that a recipient can have.
const (
	problemEmpty     = "empty"
	problemInvalid   = "invalid"
	problemDuplicate = "duplicate"
)

func (a *API) previewNotification(c *gin.Context) error {
	var in previewInput
	if err := a.readBody(c, &in); err != nil {
		return err
	}
	if wrong := in.wrong(); len(wrong) > 0 {
		return invalid(wrong)
	}
	ctx := c.Request.Context()
	models, err := catalog.Load(ctx, a.config.DB)
	if err != nil {
		return err
	}
	n, err := a.previewed(ctx, in, models)
	if err != nil {
		return err
	}
	m, ok := models.Model(n.Model)
	if !ok {
		return invalid(map[string]string{"notification_id": "the notification's model is not registered any more"})
	}
	if in.Model != "" && in.Model != n.Model {
		return invalid(map[string]string{"model": "the notification is for " + n.Model})
	}
	compiled, err := rule.Compile(n, m)
	if err != nil {
		return invalid(map[string]string{in.place(): err.Error()})
	}
	scope, assumed, err := a.scope(ctx, in, n.Trigger, m)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, a.previewOf(n, compiled, scope, assumed))
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
	case documents && in.Key != "":
		wrong["key"] = "name either a key or doc and old_doc"
	case !documents && in.Key == "":
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
func (a *API) previewed(ctx context.Context, in previewInput, models catalog.Set) (*rule.Notification, error) {
	if in.Notification == nil {
		n, err := a.notifications.Get(ctx, in.NotificationID)
		if errors.Is(err, store.ErrNotFound) {
			return nil, invalid(map[string]string{"notification_id": "no notification has this ID"})
		}
		return n, err
	}
	n := in.Notification.notification(true)
	return n, check(n, models, a.config.Addresses, "notification.")
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

// previewOf does what the worker does with a change, and keeps every step for people to see.
func (a *API) previewOf(n *rule.Notification, compiled *rule.Compiled, scope rule.Scope, assumed bool) preview {
	verdict := compiled.Judge(scope)
	p := preview{Sends: verdict.Sends, Reason: verdict.Reason, Conditions: make([]previewCondition, len(verdict.Lines))}
	for i, line := range verdict.Lines {
		p.Conditions[i] = previewCondition{Line: line.Line, Text: line.Text, Result: line.Result, Error: line.Error}
	}
	if !assumed {
		if fires, reason := compiled.Fires(scope); !fires {
			p.Sends, p.Reason = false, reason
		}
	}
	p.Recipients = a.previewRecipients(n.Channel, compiled.Candidates(scope))
	reachable := slices.ContainsFunc(p.Recipients, func(r previewRecipient) bool { return r.Problem == "" })
	if p.Sends && !reachable {
		p.Sends, p.Reason = false, "no recipient has a valid address"
	}
	content, err := compiled.Render(scope)
	if err != nil {
		p.Sends, p.Reason = false, "the message cannot be rendered: "+err.Error()
		return p
	}
	p.Subject, p.Text, p.HTML = content.Subject, content.Text, content.HTML
	return p
}

func (a *API) previewRecipients(channel rule.Channel, candidates []rule.Candidate) []previewRecipient {
	recipients := make([]previewRecipient, len(candidates))
	seen := map[string]bool{}
	for i, candidate := range candidates {
		r := previewRecipient{Address: candidate.Value, From: candidate.From}
		address, err := "", error(nil)
		if candidate.Value != "" {
			address, err = a.config.Addresses.Normalize(channel, candidate.Value)
		}
		switch {
		case candidate.Value == "":
			r.Problem, r.Detail = problemEmpty, "it is empty"
		case err != nil:
			r.Problem, r.Detail = problemInvalid, err.Error()
		case seen[address]:
			r.Address, r.Problem, r.Detail = address, problemDuplicate, "the address is there already"
		default:
			r.Address, seen[address] = address, true
		}
		recipients[i] = r
	}
	return recipients
}
