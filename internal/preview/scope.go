package preview

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// scope gives what the notification sees. Assumed says that there is one row only, from which a change as the trigger wants
// it is made up.
func (p Previews) scope(ctx context.Context, on Row, n *rule.Notification, m *rule.Model) (scope rule.Scope, assumed bool, err error) {
	if on.EventID != "" {
		scope, err = p.recorded(ctx, on.EventID, n, m)
		return scope, false, err
	}
	if on.Key != "" {
		row, err := p.row(ctx, m, on.Key)
		if err != nil {
			return rule.Scope{}, false, err
		}
		on.Doc = row
		if slices.Contains(rule.TriggersFor(rule.Update), n.Trigger) {
			on.OldDoc = row
		}
	}
	mistakes := rule.FieldErrors{}
	CheckDocument(mistakes, m, "doc", on.Doc)
	CheckDocument(mistakes, m, "old_doc", on.OldDoc)
	if len(mistakes) > 0 {
		return rule.Scope{}, false, mistakes
	}
	scope.At = time.Now().UTC()
	// CheckDocument has decoded both without an error a moment ago.
	scope.Doc, _ = rule.DecodeDocument(m, on.Doc)
	scope.OldDoc, _ = rule.DecodeDocument(m, on.OldDoc)
	if n.Trigger == rule.OnDelete && scope.OldDoc == nil {
		scope.Doc, scope.OldDoc = nil, scope.Doc
	}
	return scope, on.Key != "" || scope.Doc == nil || scope.OldDoc == nil, nil
}

// recorded gives the documents of an event.
func (p Previews) recorded(ctx context.Context, id string, n *rule.Notification, m *rule.Model) (scope rule.Scope, err error) {
	e, err := p.events().Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return scope, wrong("event_id", "no event has this ID")
	}
	if err != nil {
		return scope, err
	}
	if e.Model != n.Model {
		return scope, wrong("event_id", "the event is of another model than the notification")
	}
	if reason := passedOver(n, e); reason != "" {
		return scope, wrong("event_id", reason)
	}
	if scope, err = scopeOf(m, e); err != nil {
		return scope, wrong("event_id", err.Error())
	}
	return scope, nil
}

func (p Previews) row(ctx context.Context, m *rule.Model, key string) (json.RawMessage, error) {
	if p.Rows == nil {
		return nil, wrong("key", "rows cannot be read here: give the row as doc")
	}
	row, err := p.Rows.Row(ctx, m, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, wrong("key", "no row has this key")
	}
	if err != nil {
		return nil, fmt.Errorf("preview: read a row of %s: %w", m.Name, err)
	}
	return row, nil
}

// CheckDocument holds a snapshot to its model's fields; what is wrong with it is added under the name. It names the field,
// never the value.
func CheckDocument(mistakes map[string]string, m *rule.Model, name string, raw json.RawMessage) {
	if _, known := mistakes[name]; known {
		return
	}
	doc, err := rule.DecodeDocument(m, raw)
	if err != nil {
		mistakes[name] = err.Error()
		return
	}
	for column, value := range doc {
		if text, ok := value.(string); ok && strings.ContainsRune(text, 0) {
			mistakes[name] = fmt.Sprintf("field %s must not hold the character NUL", column)
		}
	}
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
