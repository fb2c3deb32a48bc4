package console

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// conflict is what somebody else has changed while a person was writing.
type conflict struct {
	By      string
	At      time.Time
	Version int64
	Changes []conflictField
	// Both lists the fields that both have changed differently.
	Both []string
}

// conflictField is one field that the other person has changed.
type conflictField struct {
	Label, Before, After string
	// Mine: the person has changed it too, to something else.
	Mine bool
}

// notMerged are what the store fills in.
var notMerged = []string{"id", "version", "created_at", "updated_at", "active_since"}

// parts gives a notification's fields as JSON; what is empty in any way is alike.
func parts(n *rule.Notification) (map[string]json.RawMessage, error) {
	encoded, err := json.Marshal(n)
	if err != nil {
		return nil, err
	}
	fields := make(map[string]json.RawMessage)
	if err := json.Unmarshal(encoded, &fields); err != nil {
		return nil, err
	}
	for _, name := range notMerged {
		delete(fields, name)
	}
	for name, value := range fields {
		if text := string(value); text == "null" || text == "[]" || text == "{}" || text == `""` {
			fields[name] = json.RawMessage("null")
		}
	}
	return fields, nil
}

// three are the states of a conflict: what both began with, theirs, and mine.
type three struct{ base, theirs, mine map[string]json.RawMessage }

func (s *Console) three(c *gin.Context, p *notificationPage, mine *rule.Notification) (t three, latest store.Version, err error) {
	ctx := c.Request.Context()
	versions, err := s.notifications.Versions(ctx, p.ID, 0, 1)
	if err != nil {
		return t, latest, err
	}
	before, err := s.notifications.Versions(ctx, p.ID, p.Version+1, 1)
	if err != nil {
		return t, latest, err
	}
	if len(versions) == 0 || len(before) == 0 {
		return t, latest, store.ErrNotFound
	}
	latest = versions[0]
	var errs [3]error
	// The form separates a recipient's ways; the others are brought into the same shape.
	t.base, errs[0] = parts(asInForm(before[0].Notification))
	t.theirs, errs[1] = parts(asInForm(latest.Notification))
	t.mine, errs[2] = parts(mine)
	return t, latest, errors.Join(errs[:]...)
}

func asInForm(n *rule.Notification) *rule.Notification {
	shaped := *n
	_ = valuesOf(n).apply(&shaped) // what was a number is one
	return &shaped
}

func same(a, b json.RawMessage) bool { return string(a) == string(b) }

// showConflict says what the other person has changed, and lets this one decide.
func (s *Console) showConflict(c *gin.Context, p *notificationPage, mine *rule.Notification) error {
	t, latest, err := s.three(c, p, mine)
	if err != nil {
		return err
	}
	p.compact(mine, nil)
	p.Conflict = &conflict{By: latest.ChangedBy, At: latest.ChangedAt, Version: latest.Notification.Version}
	for _, name := range slices.Sorted(maps.Keys(t.theirs)) {
		if same(t.base[name], t.theirs[name]) {
			continue
		}
		both := !same(t.mine[name], t.base[name]) && !same(t.mine[name], t.theirs[name])
		label := p.LabelOf(name)
		p.Conflict.Changes = append(p.Conflict.Changes, conflictField{Label: label, Before: plain(t.base[name]), After: plain(t.theirs[name]), Mine: both})
		if both {
			p.Conflict.Both = append(p.Conflict.Both, label)
		}
	}
	return s.showForm(c, http.StatusConflict, p)
}

// plain writes a field's JSON for people.
func plain(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	indented, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return string(value)
	}
	return strings.Trim(string(indented), "[]\n")
}

// merge fills the form with both people's changes: where both have changed a field, this person's stands. Nothing is saved.
func (s *Console) merge(c *gin.Context, p *notificationPage) error {
	if p.Saved == nil {
		return store.ErrNotFound
	}
	mine, _, _ := p.written()
	t, latest, err := s.three(c, p, mine)
	if err != nil {
		return err
	}
	merged := make(map[string]json.RawMessage, len(t.mine))
	for name, value := range t.mine {
		merged[name] = value
		if same(value, t.base[name]) {
			merged[name] = t.theirs[name]
		}
	}
	encoded, err := json.Marshal(merged)
	if err != nil {
		return err
	}
	n := new(rule.Notification)
	if err := json.Unmarshal(encoded, n); err != nil {
		return err
	}
	sent := p.Values
	p.Values = valuesOf(n)
	for _, name := range []string{"preview_key", "test_to"} {
		p.Values.Set(name, sent.Get(name))
	}
	p.Version, p.Merged = latest.Notification.Version, true
	p.Values.Set("version", strconv.FormatInt(p.Version, 10))
	p.Model, _ = p.models.Model(n.Model)
	return s.showForm(c, http.StatusOK, p)
}
