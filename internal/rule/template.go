package rule

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// template is a text with placeholders, choices and loops, in the order in which they stand.
type template []node

// node is one part of a template: exactly one of its fields is set.
type node struct {
	literal string
	hole    *placeholder
	choice  *choice
	loop    *loop
}

// choice is {% if … %} with its branches; the last may have no test.
type choice struct {
	branches []branch
}

type branch struct {
	line  string
	place position
	// test is nil for {% else %}.
	test *condition
	body template
}

// loop is {% for name in path %}.
type loop struct {
	name  string
	names []string
	place position
	path  *path
	body  template
	empty template
}

// placeholderLimit bounds the placeholders, choices and loops of one template: html/template's time grows with their
// square.
const placeholderLimit = 500

// nestingLimit bounds blocks within blocks.
const nestingLimit = 5

// parseTemplate reads a text. Whatever stands between {{ and }} is a placeholder, if need be one that stays as it is
// written; what stands between {% and %} must be a block of the language.
func parseTemplate(text string) (template, error) {
	pieces, err := cutTemplate(text)
	if err != nil {
		return nil, err
	}
	p := &templateParser{pieces: pieces}
	t, end, err := p.body()
	if err != nil {
		return nil, err
	}
	if end != nil {
		return nil, templateError(end.place, "{%% %s %%} has no beginning: there is no open block that it belongs to", end.word())
	}
	return t, nil
}

// templateParser turns pieces into a tree.
type templateParser struct {
	pieces []piece
	at     int
	depth  int
}

// body reads up to a block that ends or goes on with the one it is in, and gives that one; nil at the end of the text.
func (p *templateParser) body() (t template, end *piece, err error) {
	for p.at < len(p.pieces) {
		current := &p.pieces[p.at]
		p.at++
		switch current.kind {
		case literalPiece:
			if current.source != "" {
				t = append(t, node{literal: current.source})
			}
			continue
		case holePiece:
			t = append(t, node{hole: parsePlaceholder(current)})
			continue
		}
		one := node{}
		switch current.word() {
		case "if":
			one.choice, err = p.choice(current)
		case "for":
			one.loop, err = p.loop(current)
		case "elif", "else", "empty", "endif", "endfor":
			return t, current, nil
		default:
			err = templateError(current.place,
				"unknown block %q: the blocks are if, elif, else, endif, for, empty and endfor", current.word())
		}
		if err != nil {
			return nil, nil, err
		}
		t = append(t, one)
	}
	return t, nil, nil
}

// within reads the body of a block; begin is named when it is never closed.
func (p *templateParser) within(begin *piece, closing string) (template, *piece, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > nestingLimit {
		return nil, nil, templateError(begin.place, "blocks can stand within each other %d deep at most", nestingLimit)
	}
	body, end, err := p.body()
	if err == nil && end == nil {
		err = templateError(begin.place, "{%% %s … %%} is never closed: write {%% %s %%} where it ends", begin.word(), closing)
	}
	return body, end, err
}

func (p *templateParser) choice(begin *piece) (*choice, error) {
	c := &choice{}
	for current := begin; ; {
		b := branch{line: current.argument(), place: current.argumentPlace()}
		if isElse := current.word() == "else"; isElse != (b.line == "") {
			return nil, templateError(current.place, "{%% if … %%} and {%% elif … %%} need a condition, and {%% else %%} has none")
		}
		body, end, err := p.within(begin, "endif")
		if err != nil {
			return nil, err
		}
		b.body = body
		c.branches = append(c.branches, b)
		switch word := end.word(); {
		case word == "endif":
			return c, end.bare()
		case (word == "elif" || word == "else") && current.word() != "else":
			current = end
		default:
			return nil, templateError(end.place, "unexpected {%% %s %%}: {%% endif %%} is missing before it", word)
		}
	}
}

func (p *templateParser) loop(begin *piece) (*loop, error) {
	words := strings.Fields(begin.argument())
	if len(words) != 3 || words[1] != "in" || !isIdentifier(words[0]) {
		return nil, templateError(begin.place, "write {%% for item in doc.items %%}, with a relation to many after in")
	}
	l := &loop{name: words[0], names: strings.Split(words[2], "."), place: begin.argumentPlace()}
	var end *piece
	var err error
	if l.body, end, err = p.within(begin, "endfor"); err != nil {
		return nil, err
	}
	if end.word() == "empty" {
		if l.empty, end, err = p.within(begin, "endfor"); err != nil {
			return nil, err
		}
	}
	if end.word() != "endfor" {
		return nil, templateError(end.place, "unexpected {%% %s %%}: {%% endfor %%} is missing before it", end.word())
	}
	return l, end.bare()
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

// fixed counts the characters that are sent whatever the row holds.
func (t template) fixed() (characters int) {
	for _, n := range t {
		characters += utf8.RuneCountInString(n.literal)
	}
	return characters
}

// unreadable lists what is wrong with the placeholders themselves, whatever the model.
func (t template) unreadable() (errs []error) {
	for _, n := range t {
		switch {
		case n.hole != nil && n.hole.wrong != nil:
			errs = append(errs, n.hole.wrong)
		case n.choice != nil:
			for _, b := range n.choice.branches {
				errs = append(errs, b.body.unreadable()...)
			}
		case n.loop != nil:
			errs = append(append(errs, n.loop.body.unreadable()...), n.loop.empty.unreadable()...)
		}
	}
	return errs
}

// loopRow is what a loop knows about its turn.
var loopRow = &Model{Name: "loop", Fields: []Field{
	{Name: "index", Type: Integer}, {Name: "first", Type: Boolean}, {Name: "last", Type: Boolean},
}}

const loopName = "loop"

// bind finds what the placeholders, conditions and loops name. What names nothing is reported, all of it: placeholders
// among unresolved, which then stay as written, and blocks among errs.
func (t template) bind(names *scopeNames, zone *time.Location) (unresolved, errs []error) {
	for i := range t {
		var unresolvedHere, errsHere []error
		switch n := &t[i]; {
		case n.hole != nil:
			if err := n.hole.bind(names, zone); err != nil {
				unresolvedHere = []error{err}
			}
		case n.choice != nil:
			unresolvedHere, errsHere = n.choice.bind(names, zone)
		case n.loop != nil:
			unresolvedHere, errsHere = n.loop.bind(names, zone)
		}
		unresolved, errs = append(unresolved, unresolvedHere...), append(errs, errsHere...)
	}
	return unresolved, errs
}

func (c *choice) bind(names *scopeNames, zone *time.Location) (unresolved, errs []error) {
	for i := range c.branches {
		b := &c.branches[i]
		if b.line != "" {
			test, err := blockCondition(b.line, names)
			if err != nil {
				errs = append(errs, b.place.of(err))
			}
			b.test = test
		}
		more, wrong := b.body.bind(names, zone)
		unresolved, errs = append(unresolved, more...), append(errs, wrong...)
	}
	return unresolved, errs
}

func (l *loop) bind(names *scopeNames, zone *time.Location) (unresolved, errs []error) {
	if _, taken := names.roots[l.name]; taken || l.name == loopName {
		return nil, []error{templateError(l.place, "the name %s is taken: choose another one for the rows of this loop", l.name)}
	}
	found, err := names.resolve(l.names)
	switch {
	case err != nil:
		return nil, []error{templateError(l.place, "%s", err)}
	case !found.rows || found.model == nil:
		return nil, []error{templateError(l.place, "%s has no rows to loop over: name a relation, such as doc.items", found)}
	}
	l.path = &found
	inner := names.with(l.name, found).with(loopName, path{model: loopRow, includes: Includes{}})
	unresolved, errs = l.body.bind(inner, zone)
	more, wrong := l.empty.bind(names, zone)
	return append(unresolved, more...), append(errs, wrong...)
}
