package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/preview"
	"github.com/silquetech/silque-notifications/internal/rule"
)

// maxKey bounds a row's key and an idempotency key, in characters.
const maxKey = 255

// idempotencyPrefix keeps the clients' keys apart from those that other doors of the outbox make up.
const idempotencyPrefix = "api:"

// changes are the actions that an application can report.
var changes = []rule.Action{rule.Create, rule.Update, rule.Delete}

type eventInput struct {
	Model          string          `json:"model"`
	Action         rule.Action     `json:"action"`
	Key            string          `json:"key"`
	Doc            json.RawMessage `json:"doc"`
	OldDoc         json.RawMessage `json:"old_doc"`
	IdempotencyKey string          `json:"idempotency_key"`
	Tenant         string          `json:"tenant"`
}

// createEvent takes a change from an application that has no plugin. Any model of the catalog may be reported, watched or
// not: silence is then explained by the event.
func (a *API) createEvent(c *gin.Context) error {
	var in eventInput
	if err := a.readBody(c, &in); err != nil {
		return err
	}
	ctx := c.Request.Context()
	if err := a.checkEvent(ctx, in); err != nil {
		return err
	}
	e := &outbox.Event{Model: in.Model, Key: in.Key, Action: in.Action, Source: outbox.FromAPI,
		Doc: snapshot(in.Doc), OldDoc: snapshot(in.OldDoc), Lane: outbox.TenantLane(in.Tenant)}
	if in.IdempotencyKey != "" {
		key := idempotencyPrefix + in.IdempotencyKey
		e.IdempotencyKey = &key
	}
	id, err := a.append(ctx, e)
	if err != nil {
		return err
	}
	return answer(c, http.StatusAccepted, gin.H{"id": id})
}

// append writes one event under the revision of the rules in force, and wakes the relay.
func (a *API) append(ctx context.Context, e *outbox.Event) (id string, err error) {
	if id, err = a.events.Append(ctx, e); err != nil {
		return "", err
	}
	a.config.Nudge()
	return id, nil
}

func (a *API) checkEvent(ctx context.Context, in eventInput) error {
	wrong := map[string]string{}
	if in.Key == "" || utf8.RuneCountInString(in.Key) > maxKey {
		wrong["key"] = fmt.Sprintf("must be the row's primary key, of 1 to %d characters", maxKey)
	}
	if utf8.RuneCountInString(in.IdempotencyKey) > maxKey {
		wrong["idempotency_key"] = fmt.Sprintf("must have at most %d characters", maxKey)
	}
	if utf8.RuneCountInString(in.Tenant) > maxKey {
		wrong["tenant"] = fmt.Sprintf("must have at most %d characters", maxKey)
	}
	if !slices.Contains(changes, in.Action) {
		wrong["action"] = "must be " + alternatives(changes)
	} else {
		checkPresence(wrong, in.Action, "doc", in.Doc, in.Action != rule.Delete)
		checkPresence(wrong, in.Action, "old_doc", in.OldDoc, in.Action != rule.Create)
	}
	m, _, err := a.model(ctx, in.Model)
	switch {
	case err != nil && !isNotFound(err):
		return err
	case err != nil:
		wrong["model"] = "no model of that name has been registered; GET /models lists them"
	default:
		preview.CheckDocument(wrong, m, "doc", in.Doc)
		preview.CheckDocument(wrong, m, "old_doc", in.OldDoc)
	}
	if len(wrong) > 0 {
		return invalid(wrong)
	}
	return nil
}

// checkPresence holds a snapshot to the action: a deleted row has no doc, a new one no old_doc.
func checkPresence(wrong map[string]string, action rule.Action, name string, doc json.RawMessage, needed bool) {
	switch given := snapshot(doc) != nil; {
	case needed && !given:
		wrong[name] = fmt.Sprintf("is needed when the action is %s", action)
	case !needed && given:
		wrong[name] = fmt.Sprintf("there is none when the action is %s", action)
	}
}

// snapshot gives the JSON, or nil for what is absent or null.
func snapshot(doc json.RawMessage) outbox.Snapshot {
	if len(doc) == 0 || string(doc) == "null" {
		return nil
	}
	return outbox.Snapshot(doc)
}

func isNotFound(err error) bool {
	var f *failure
	return errors.As(err, &f) && f.status == http.StatusNotFound
}
