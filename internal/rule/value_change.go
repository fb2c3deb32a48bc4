package rule

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// ValueChangeLimit bounds the fields that one notification watches.
const ValueChangeLimit = 20

// change is what the value_change trigger waits for.
type change struct {
	// names lists every watched field; fields those that the model still has.
	names  []string
	fields []watchedField
}

// watchedField is a field with the values that are asked for; nil when none is.
type watchedField struct {
	name     string
	from, to *wantedValue
}

// wantedValue is a value before or after a change.
type wantedValue struct {
	value any
	// empty stands for null and for an empty text.
	empty bool
	// broken: it does not fit the field's type any more, and no value does.
	broken bool
}

// changeFields lists the watched fields, each once.
func (n *Notification) changeFields() []string {
	var names []string
	for _, name := range append([]string{n.ValueChangeField}, n.ValueChangeFields...) {
		if name = strings.TrimSpace(name); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func compileChange(n *Notification, m *Model, zone *time.Location) change {
	c := change{names: n.changeFields()}
	for _, name := range c.names {
		field, ok := m.Field(name)
		if !ok {
			continue
		}
		w := watchedField{name: name}
		w.from, _ = wanted(field.Type, n.ValueChangeFrom, zone)
		w.to, _ = wanted(field.Type, n.ValueChangeTo, zone)
		c.fields = append(c.fields, w)
	}
	return c
}

// wanted reads a value that is asked for in a field's type. The error completes the sentence "it must be …".
func wanted(t FieldType, text *string, zone *time.Location) (*wantedValue, error) {
	if text == nil {
		return nil, nil
	}
	if *text == "" {
		return &wantedValue{empty: true}, nil
	}
	value, err := constantIn(t, *text, zone)
	if err != nil {
		return &wantedValue{broken: true}, err
	}
	return &wantedValue{value: value}, nil
}

// is says whether a value is the one that is asked for.
func (w *wantedValue) is(value any) bool {
	switch {
	case w == nil:
		return true
	case w.broken:
		return false
	case w.empty:
		return isNull(value) || value == ""
	default:
		return equal(w.value, value)
	}
}

// fires says whether a watched field has changed as it should, and why not. Values are compared by type: '9' equals 9 in
// a whole-number column, 12.50 equals 12.5, times are the same when the instant is, and null differs from every value.
func (c change) fires(s Scope) (fires bool, reason string) {
	switch {
	case len(c.fields) == 0:
		return false, fmt.Sprintf("the model has no field %s any more", strings.Join(c.names, " or "))
	case s.OldDoc == nil || s.Doc == nil:
		return false, fmt.Sprintf("whether %s changed is not known: the row before or after the change is missing", strings.Join(c.names, " or "))
	}
	var changed []string
	for _, w := range c.fields {
		before, after := s.OldDoc[w.name], s.Doc[w.name]
		if equal(before, after) {
			continue
		}
		if w.from.is(before) && w.to.is(after) {
			return true, ""
		}
		changed = append(changed, w.name)
	}
	if len(changed) > 0 {
		return false, strings.Join(changed, " and ") + " changed, but not from or to the value that is asked for"
	}
	return false, strings.Join(c.names, " or ") + " did not change"
}

// HoldsAwaited says whether a row holds the value that a value_change must lead to in one of the watched fields that it
// has; also when no value is asked for, and for the other triggers.
func (r Reader) HoldsAwaited(n *Notification, m *Model, row Document) bool {
	if n.Trigger != OnValueChange || n.ValueChangeTo == nil {
		return true
	}
	watched := compileChange(n, m, r.Settings.zone(n)).fields
	return len(watched) == 0 || slices.ContainsFunc(watched, func(w watchedField) bool { return w.to.is(row[w.name]) })
}

// valueChange checks the watched fields and the values that are asked for.
func (v *validation) valueChange() {
	names := v.n.changeFields()
	switch {
	case len(names) == 0:
		v.errs.add("value_change_field", "choose the field whose change the trigger waits for")
		return
	case len(names) > ValueChangeLimit:
		v.errs.add("value_change_fields", "at most %d fields", ValueChangeLimit)
		return
	case v.model == nil:
		return
	}
	for i, name := range append([]string{v.n.ValueChangeField}, v.n.ValueChangeFields...) {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		place := "value_change_field"
		if i > 0 {
			place = fmt.Sprintf("value_change_fields[%d]", i-1)
		}
		field, ok := v.model.Field(name)
		if !ok {
			v.errs.add(place, "%s", unknownField(v.model.Name, name, v.model.Fields))
			continue
		}
		if _, err := wanted(field.Type, v.n.ValueChangeFrom, v.names.zone); err != nil {
			v.errs.add("value_change_from", "%s must be %s", name, err)
		}
		if _, err := wanted(field.Type, v.n.ValueChangeTo, v.names.zone); err != nil {
			v.errs.add("value_change_to", "%s must be %s", name, err)
		}
	}
}
