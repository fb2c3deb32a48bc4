package rule

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// placeholder is a {{ doc.x }} in a template.
type placeholder struct {
	// source is the placeholder as it is written, braces included.
	source string
	names  []string
	place  position
}

// position is a place in a text. Lines and columns count from 1, in characters.
type position struct{ line, column int }

// pass moves the position over a piece of text.
func (p *position) pass(text string) {
	p.line += strings.Count(text, "\n")
	lineStart := strings.LastIndexByte(text, '\n') + 1
	if lineStart > 0 {
		p.column = 1
	}
	p.column += utf8.RuneCountInString(text[lineStart:])
}

// segment is a piece of a template: text as it is, or a placeholder.
type segment struct {
	literal string
	hole    *placeholder
	// path is where the hole's value is; nil when the model has no such field, and then the hole stays as written.
	path *path
}

// template is a text with placeholders.
type template []segment

// The braces of a placeholder.
const (
	openBraces  = "{{"
	closeBraces = "}}"
)

// placeholderLimit bounds the placeholders of one template: html/template's time grows with their square.
const placeholderLimit = 500

// parseTemplate splits a text at its placeholders. Every {{ must begin one: {{ doc.x }}, with any space within.
func parseTemplate(text string) (template, error) {
	var t template
	place := position{line: 1, column: 1}
	for holes := 0; text != ""; holes++ {
		literal, rest, found := strings.Cut(text, openBraces)
		if literal != "" {
			t = append(t, segment{literal: literal})
		}
		if !found {
			return t, nil
		}
		place.pass(literal)
		if holes == placeholderLimit {
			return nil, templateError(place, "a text can have at most %d placeholders", placeholderLimit)
		}
		hole, err := parsePlaceholder(rest, place)
		if err != nil {
			return nil, err
		}
		t = append(t, segment{hole: hole})
		place.pass(hole.source)
		text = text[len(literal)+len(hole.source):]
	}
	return t, nil
}

// parsePlaceholder reads what follows the opening braces.
func parsePlaceholder(inner string, place position) (*placeholder, error) {
	end := strings.Index(inner, closeBraces)
	if end < 0 {
		return nil, templateError(place, "{{ is never closed: write }} after the field's name")
	}
	names := strings.Split(strings.TrimSpace(inner[:end]), ".")
	for _, name := range names {
		if !isIdentifier(name) {
			return nil, templateError(place,
				"only a field's name can stand between {{ and }}, such as {{ doc.status }}")
		}
	}
	return &placeholder{source: openBraces + inner[:end+len(closeBraces)], names: names, place: place}, nil
}

func isIdentifier(name string) bool {
	for i, c := range name {
		if !isLetter(c) && (i == 0 || !unicode.IsDigit(c)) {
			return false
		}
	}
	return name != ""
}

func templateError(place position, format string, args ...any) error {
	return &Error{
		Code: TemplateParseFail, Message: fmt.Sprintf(format, args...), Line: place.line, Column: place.column,
	}
}

// bind finds the placeholders' fields . Those that name nothing are reported, all of them, and stay
// unbound.
func (t template) bind(names *scopeNames) []error {
	var errs []error
	for i := range t {
		hole := t[i].hole
		if hole == nil {
			continue
		}
		found, err := names.value(hole.names)
		if err != nil {
			errs = append(errs, templateError(hole.place, "%s", err))
			continue
		}
		t[i].path = &found
	}
	return errs
}

// fill gives a placeholder's text: the value, or the placeholder as written when there is no such row or field.
func (s segment) fill(v view) string {
	if s.path == nil {
		return s.hole.source
	}
	value, ok := v.value(*s.path)
	if !ok {
		return s.hole.source
	}
	return format(s.path.field.Type, value)
}

// render writes the text with its placeholders filled in, once: a value that holds braces is a value. More than limit
// bytes are an error.
func (t template) render(v view, limit int) (string, error) {
	var out strings.Builder
	for _, s := range t {
		piece := s.literal
		if s.hole != nil {
			piece = s.fill(v)
		}
		if out.Len()+len(piece) > limit {
			return "", &Error{Code: TemplateParseFail, Message: fmt.Sprintf(
				"the text is larger than %d KiB once its values are filled in: shorten it", limit>>10)}
		}
		out.WriteString(piece)
	}
	return out.String(), nil
}
