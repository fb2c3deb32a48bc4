package rule

import (
	"strings"
	"time"
)

// placeholder is {{ path | filter … }} in a template.
type placeholder struct {
	// source is the placeholder as it is written, braces included: what cannot be resolved stays so.
	source string
	place  position
	names  []string
	// filters are applied in their order.
	filters []appliedFilter
	// wrong is why it cannot be read.
	wrong error
	// path is where its value is; nil for one that cannot be read, or that names nothing.
	path *path
	zone *time.Location
}

// appliedFilter is a filter with its arguments.
type appliedFilter struct {
	filter *filter
	args   []argument
}

// argument is a text or a number after a filter's name.
type argument struct {
	text   string
	number int
	isText bool
}

// parsePlaceholder reads what stands between the braces.
func parsePlaceholder(p *piece) *placeholder {
	h := &placeholder{source: p.source, place: p.place}
	if p.open {
		h.wrong = templateError(p.place, "{{ is never closed: write }} after the field's name")
		return h
	}
	parts := splitQuoted(p.inner(), '|')
	h.names = strings.Split(strings.TrimSpace(parts[0]), ".")
	for _, name := range h.names {
		if !isIdentifier(name) {
			h.wrong = templateError(p.place,
				"only a field's name can stand between {{ and }}, such as {{ doc.status }} or {{ doc.status | upper }}")
			return h
		}
	}
	for _, part := range parts[1:] {
		applied, err := parseFilter(part)
		if err != nil {
			h.wrong = templateError(p.place, "%s", err)
			return h
		}
		h.filters = append(h.filters, applied)
	}
	return h
}

// splitQuoted splits at a sign outside of quotes.
func splitQuoted(text string, sign rune) []string {
	var parts []string
	var quote rune
	start := 0
	for i, c := range text {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == sign:
			parts = append(parts, text[start:i])
			start = i + len(string(c))
		}
	}
	return append(parts, text[start:])
}

// bind finds the placeholder's field, and checks that its filters fit each other.
func (h *placeholder) bind(names *scopeNames, zone *time.Location) error {
	if h.wrong != nil {
		return h.wrong
	}
	h.zone = zone
	found, err := names.resolve(h.names)
	if err != nil {
		return templateError(h.place, "%s", err)
	}
	out := shapeOf(found)
	for _, applied := range h.filters {
		if out, err = applied.filter.check(out, applied.args); err != nil {
			return templateError(h.place, "%s: %s", applied.filter.name, err)
		}
	}
	if out == rowsShape {
		return templateError(h.place, "%s alone is no value: name a field, such as %s.%s", found, found, exampleField(found))
	}
	h.path = &found
	return nil
}

// text gives what stands for the placeholder: its value, or the placeholder itself when there is no such row or field.
func (h *placeholder) text(v view, r *rendering) (string, error) {
	if h.path == nil {
		return h.source, nil
	}
	c, ok := h.cell(v)
	for _, applied := range h.filters {
		if err := r.spend(c.size()+applied.size(c), h.place); err != nil {
			return "", err
		}
		if !ok && applied.filter.name != defaultFilter {
			continue // a row that does not exist has nothing to filter, but something to stand for it
		}
		c, ok = applied.filter.apply(c, applied.args, h.zone), true
	}
	if !ok {
		return h.source, nil
	}
	if err := r.spend(c.size(), h.place); err != nil {
		return "", err
	}
	return c.text(), nil
}

// cell gives the value that the path leads to. ok is false when the row that it begins with does not exist.
func (h *placeholder) cell(v view) (c cell, ok bool) {
	if v.row(h.path.root) == nil {
		return cell{}, false
	}
	if !h.path.many && !h.path.rows {
		return cell{kind: h.path.field.Type, value: v.value(*h.path)}, true
	}
	c.isList = true
	for _, row := range v.rows(*h.path) {
		c.list = append(c.list, cell{kind: h.path.field.Type, value: row[h.path.field.Name]})
	}
	return c, true
}

// cell is a value on its way through the filters: one, or a list of them.
type cell struct {
	kind   FieldType
	value  any
	list   []cell
	isList bool
}

// text writes the value as the Django app did; a list's values are set apart by commas.
func (c cell) text() string {
	if !c.isList {
		return format(c.kind, c.value)
	}
	return c.joined(", ")
}

func (c cell) joined(between string) string {
	texts := make([]string, len(c.list))
	for i, one := range c.list {
		texts[i] = one.text()
	}
	return strings.Join(texts, between)
}

// size is what the filter's own texts add: join puts one between every two values.
func (a appliedFilter) size(c cell) int {
	values, _ := c.value.([]any)
	size := 0
	for _, arg := range a.args {
		size += len(arg.text) * max(1, len(c.list), len(values))
	}
	return size
}

// size is about how long the value's text is.
func (c cell) size() int {
	size := valueSize(c.value)
	for _, one := range c.list {
		size += one.size()
	}
	return size
}

// valueSize counts something for every part of a JSON value: each becomes a cell of its own in a filter.
func valueSize(value any) int {
	size := 64
	switch v := value.(type) {
	case string:
		size += len(v)
	case []byte:
		size += len(v)
	case []any:
		for _, element := range v {
			size += valueSize(element)
		}
	case map[string]any:
		for name, element := range v {
			size += len(name) + valueSize(element)
		}
	}
	return size
}

func (c cell) empty() bool {
	if c.isList {
		return len(c.list) == 0
	}
	return c.value == nil || c.value == ""
}

func textCell(text string) cell { return cell{kind: String, value: text} }
