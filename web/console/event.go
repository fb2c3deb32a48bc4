package console

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/web/ui"
)

// models reads the catalog: a few dozen entries.
func (s *Console) models(ctx context.Context) (catalog.Set, error) {
	return catalog.Load(ctx, s.config.DB)
}

// changedField is a field of the row, before and after.
type changedField struct {
	Name, Label string
	// Old and New are as JSON writes them; a text stands without its quotes. Missing says that the side has no such field.
	Old, New               string
	OldMissing, NewMissing bool
}

// Kind says what happened to the field, in a word.
func (f changedField) Kind() string {
	switch {
	case f.OldMissing:
		return "set"
	case f.NewMissing:
		return "was"
	default:
		return "changed"
	}
}

// valueLimit is how much of a value is shown, in characters.
const valueLimit = 2000

// compared puts both snapshots side by side, in the order of the model's fields, and parts what changed from the rest. Of
// a row that is new or gone every field counts as changed.
func compared(m *catalog.Model, oldDoc, doc outbox.Snapshot) (changed, same []changedField, err error) {
	before, err := fieldsOf(oldDoc)
	if err != nil {
		return nil, nil, err
	}
	after, err := fieldsOf(doc)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range namesOf(m, before, after) {
		was, hadOld := before[name]
		is, hasNew := after[name]
		f := changedField{Name: name, Old: shownValue(was), New: shownValue(is), OldMissing: !hadOld, NewMissing: !hasNew}
		if m != nil {
			if field, ok := m.Field(name); ok && field.Label != name {
				f.Label = field.Label
			}
		}
		if hadOld && hasNew && bytes.Equal(compact(was), compact(is)) {
			same = append(same, f)
		} else {
			changed = append(changed, f)
		}
	}
	return changed, same, nil
}

func fieldsOf(s outbox.Snapshot) (fields map[string]json.RawMessage, err error) {
	if len(s) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(s, &fields); err != nil {
		return nil, fmt.Errorf("console: a snapshot cannot be read: %w", err)
	}
	return fields, nil
}

// namesOf lists the fields of either side: the model's in their order, then the others by name.
func namesOf(m *catalog.Model, sides ...map[string]json.RawMessage) (names []string) {
	there := map[string]bool{}
	for _, side := range sides {
		for name := range side {
			there[name] = true
		}
	}
	if m != nil {
		for _, field := range m.Fields {
			if there[field.Name] {
				names = append(names, field.Name)
				delete(there, field.Name)
			}
		}
	}
	rest := make([]string, 0, len(there))
	for name := range there {
		rest = append(rest, name)
	}
	slices.Sort(rest)
	return append(names, rest...)
}

func compact(raw json.RawMessage) []byte {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return raw
	}
	return b.Bytes()
}

func shownValue(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) != nil || string(raw) == "null" {
		text = string(compact(raw))
	}
	if runes := []rune(text); len(runes) > valueLimit {
		return string(runes[:valueLimit]) + "…"
	}
	return text
}

type eventPage struct {
	*outbox.Event
	Changed, Same []changedField
	Decisions     []decisionView
	Deliveries    []deliveryRow
	Errors        []*store.ErrorEntry
	// Delivery is what a retry is about; empty for every other event.
	Delivery string
	// Words say in a sentence what came of it.
	Words string
	Live  bool
	// Triggers are those that such a change can set off.
	Triggers []rule.Trigger
	Door     string
}

// Change is whether the event is of a row, and not made by hand.
func (p *eventPage) Change() bool { return p.Model != "" }

func (s *Console) showEvent(c *gin.Context) error {
	ctx := c.Request.Context()
	e, err := s.events.Get(ctx, c.Param("id"))
	if err != nil {
		return err
	}
	data := &eventPage{Event: e, Live: e.Status != outbox.Settled, Triggers: rule.TriggersFor(e.Action), Door: cmp.Or(sourceNames[e.Source], string(e.Source))}
	models, err := s.models(ctx)
	if err != nil {
		return err
	}
	if e.Action == rule.Retry {
		data.Delivery = e.Key
	} else if data.Changed, data.Same, err = compared(models[e.Model], e.OldDoc, e.Doc); err != nil {
		return err
	}
	deliveries, err := s.deliveries.OfEvents(ctx, []string{e.ID})
	if err != nil {
		return err
	}
	if data.Deliveries, err = s.deliveryRows(ctx, deliveries); err != nil {
		return err
	}
	logged, err := s.errors.List(ctx, store.ErrorFilter{EventID: e.ID}, store.Paging{Limit: 100})
	if err != nil {
		return err
	}
	data.Errors = logged.Items
	if data.Decisions, err = s.decisions(ctx, e); err != nil {
		return err
	}
	data.Words = data.words()
	title := captured(e)
	if e.Model != "" && e.Action != rule.Alert {
		title = fmt.Sprintf("%s %s · %s", e.Model, e.Key, e.Action)
	}
	return s.show(c, http.StatusOK, "event", &ui.Page{Title: title, Area: "/events", Styles: []string{"watch.css"}, Data: data})
}

// words say what came of the event.
func (p *eventPage) words() string {
	switch {
	case p.Status == outbox.Pending:
		return "It is kept and waits for its workflow: the relay starts it within a moment, or when Temporal is back."
	case p.Status == outbox.Started && p.ResolvedAt == nil:
		return "Its workflow has started; no notification has looked at it yet. A worker does so within a moment, or when one runs again."
	case p.Status == outbox.Started:
		return "The notifications have decided; deliveries are under way."
	case p.Delivery != "" && p.Reason == "":
		return "The delivery was handed over again."
	case p.Reason != "":
		return "Nobody was told: " + p.Reason + "."
	default:
		return fmt.Sprintf("It came to %s; each says what became of it.", ui.Plural(len(p.Deliveries), "delivery"))
	}
}
