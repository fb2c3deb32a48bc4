package rule

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
)

// function is what a condition can call.
type function struct {
	name string
	// takes says what stands between the parentheses, for people.
	takes string
	parse func(p *parser, name token) (*operand, error)
}

// functions are all that a condition can call, in the order in which people see them. The parser compiles each to one of
// the functions in evaluate.go.
var functions []function

func init() { // they parse conditions themselves: the list cannot be there before they are
	functions = []function{
		{"today", "", parseToday}, {"now", "", parseNow},
		{"days", "a number", parseSpan}, {"weeks", "a number", parseSpan}, {"hours", "a number", parseSpan}, {"minutes", "a number", parseSpan},
		{"startswith", "a text and another one", parseTextTest}, {"endswith", "a text and another one", parseTextTest},
		{"contains", "a text and another one", parseTextTest}, {"matches", "a text and a pattern", parseTextTest},
		{"lower", "a text", parseCase}, {"upper", "a text", parseCase}, {"len", "a text, a JSON list or a relation to many", parseLength},
		{"count", "a relation to many", parseLength},
		{"sum", "a number of a relation to many, such as doc.items.price", parseAggregate}, {"min", "a number of a relation to many", parseAggregate},
		{"max", "a number of a relation to many", parseAggregate},
		{"any", "a condition for every row, such as item.price > 10 for item in doc.items", parseQuantifier},
		{"all", "a condition for every row, such as item.price > 10 for item in doc.items", parseQuantifier},
	}
}

// functionNamed finds a function.
func functionNamed(name string) (function, bool) {
	at := slices.IndexFunc(functions, func(f function) bool { return f.name == name })
	if at < 0 {
		return function{}, false
	}
	return functions[at], true
}

func unknownFunction(t token) error {
	names, known := make([]string, len(functions)), make([]Field, len(functions))
	for i, f := range functions {
		names[i], known[i] = f.name, Field{Name: f.name}
	}
	if near := nearest(t.text, known); near != "" {
		return conditionError(t.column, "there is no function %s: did you mean %s?", t.text, near)
	}
	return conditionError(t.column, "there is no function %s: there are %s", t.text, strings.Join(names, ", "))
}

// arguments reads what stands between the parentheses, the first of which has been taken.
func (p *parser) arguments(name token, count int, takes string) ([]*operand, error) {
	open := p.tokens[p.at-1]
	var arguments []*operand
	for {
		if _, ok := p.take(")"); ok {
			break
		}
		argument, err := p.nested(p.or)
		if err != nil {
			return nil, err
		}
		arguments = append(arguments, argument)
		if _, ok := p.take(","); !ok && !p.peek().is(")") {
			return nil, p.unclosed(open)
		}
	}
	if len(arguments) != count {
		if count == 0 {
			takes = "nothing"
		}
		return nil, conditionError(name.column, "%s() takes %s between its parentheses", name.text, takes)
	}
	return arguments, nil
}

func parseNow(p *parser, name token) (*operand, error) {
	if _, err := p.arguments(name, 0, ""); err != nil {
		return nil, err
	}
	return &operand{kind: kindDate, field: DateTime, label: "now()", column: name.column, node: &ast.IdentifierNode{Value: momentName}}, nil
}

func parseToday(p *parser, name token) (*operand, error) {
	if _, err := p.arguments(name, 0, ""); err != nil {
		return nil, err
	}
	moment := at(&ast.IdentifierNode{Value: momentName}, name.column)
	return &operand{kind: kindDate, field: Date, label: "today()", column: name.column,
		node: call(dayFunction, moment, at(&ast.ConstantNode{Value: p.names.zone}, name.column))}, nil
}

func parseSpan(p *parser, name token) (*operand, error) {
	arguments, err := p.arguments(name, 1, "a number")
	if err != nil {
		return nil, err
	}
	n := arguments[0]
	if n.kind != kindNumber && n.kind != kindJSON {
		return nil, conditionError(n.column, "%s is %s: %s() takes a number", n.label, n.kind, name.text)
	}
	return &operand{kind: kindSpan, label: name.text + "()", column: name.column, calendar: name.text == "days" || name.text == "weeks",
		node: call(spanFunction, at(&ast.StringNode{Value: name.text}, name.column), n.build())}, nil
}

// textTests are the tests of texts, by every spelling: those of Python's methods and those of expr.
var textTests = map[string]string{
	"startswith": "startswith", "startsWith": "startswith", "endswith": "endswith", "endsWith": "endswith",
	"contains": "contains", "matches": "matches",
}

func parseTextTest(p *parser, name token) (*operand, error) {
	f, _ := functionNamed(textTests[name.text])
	arguments, err := p.arguments(name, 2, f.takes)
	if err != nil {
		return nil, err
	}
	return textTest(name, arguments[0], arguments[1])
}

// The limits of a pattern and of the text that it is held to.
const (
	patternLimit = 500      // characters
	subjectLimit = 16 << 10 // bytes
)

// textTest makes a test of two operands, wherever they were written.
func textTest(name token, subject, with *operand) (*operand, error) {
	test := textTests[name.text]
	textual := func(o *operand) bool { return o.kind == kindText || o.kind == kindJSON || o.kind == kindNull }
	if !textual(subject) {
		return nil, conditionError(subject.column, "%s is %s: %s works on texts", subject.label, subject.kind, test)
	}
	right := with.build
	switch {
	case test == "matches":
		pattern, err := compilePattern(with)
		if err != nil {
			return nil, err
		}
		right = func() ast.Node { return at(&ast.ConstantNode{Value: pattern}, with.column) }
	case test == "contains" && subject.kind == kindJSON && with.kind != kindRow && with.kind != kindList:
	case with.kind != kindText && with.kind != kindJSON:
		return nil, conditionError(with.column, "%s is %s: %s needs a text after it", with.label, with.kind, test)
	}
	return expression(kindBool, call(textFunction, at(&ast.IdentifierNode{Value: environment}, name.column),
		at(&ast.StringNode{Value: test}, name.column), subject.build(), right()), name.column), nil
}

// compilePattern takes patterns that are written in the condition itself: a pattern from a row could be anything.
func compilePattern(o *operand) (*pattern, error) {
	text, isText := o.value.(string)
	switch {
	case !o.constant || !isText:
		return nil, conditionError(o.column, "matches needs a pattern in quotes")
	case utf8.RuneCountInString(text) > patternLimit:
		return nil, conditionError(o.column, "the pattern is longer than %d characters", patternLimit)
	}
	compiled, err := regexp.Compile(text)
	if err != nil {
		reason := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
		return nil, conditionError(o.column, "the pattern cannot be read: %s", reason)
	}
	return &pattern{Regexp: compiled, size: programSize(text)}, nil
}

// pattern is a compiled pattern with the size of its program: RE2 takes so many steps for a character at most.
type pattern struct {
	*regexp.Regexp
	size int
}

func programSize(text string) int {
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return patternLimit
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return patternLimit
	}
	return len(program.Inst)
}

func parseCase(p *parser, name token) (*operand, error) {
	arguments, err := p.arguments(name, 1, "a text")
	if err != nil {
		return nil, err
	}
	if text := arguments[0]; text.kind != kindText && text.kind != kindJSON {
		return nil, conditionError(text.column, "%s is %s: %s() takes a text", text.label, text.kind, name.text)
	}
	return &operand{kind: kindText, field: String, label: name.text + "()", column: name.column,
		node: call(caseFunction, at(&ast.StringNode{Value: name.text}, name.column), arguments[0].build())}, nil
}

// parseLength counts characters, or rows.
func parseLength(p *parser, name token) (*operand, error) {
	if rows, ok := p.rowsArgument(); ok {
		return p.aggregate(name, rows)
	}
	f, _ := functionNamed(name.text)
	arguments, err := p.arguments(name, 1, f.takes)
	if err != nil {
		return nil, err
	}
	o := arguments[0]
	if name.text == "count" && o.kind != kindJSON || o.kind != kindText && o.kind != kindJSON && o.kind != kindBytes {
		return nil, conditionError(o.column, "%s is %s: %s() takes %s", o.label, o.kind, name.text, f.takes)
	}
	return &operand{kind: kindNumber, field: Integer, label: name.text + "()", column: name.column, node: call(lengthFunction, o.build())}, nil
}

// rowsArgument takes a path to many rows, and the parenthesis after it, if that is all that stands there.
func (p *parser) rowsArgument() (path, bool) {
	start := p.at
	names, ok := p.dotted()
	if ok {
		if found, err := p.names.resolve(names); err == nil && (found.rows && len(found.hops) > 0 || found.many) {
			if _, closed := p.take(")"); closed {
				return found, true
			}
		}
	}
	p.at = start
	return path{}, false
}

// dotted takes names with points between them.
func (p *parser) dotted() (names []string, ok bool) {
	for {
		t := p.next()
		if t.kind != tokenName {
			return nil, false
		}
		names = append(names, t.text)
		if _, more := p.take("."); !more {
			return names, true
		}
	}
}

func parseAggregate(p *parser, name token) (*operand, error) {
	f, _ := functionNamed(name.text)
	found, ok := p.rowsArgument()
	if !ok || found.rows || kindsOfFields[found.field.Type] != kindNumber {
		return nil, conditionError(name.column, "%s() takes %s", name.text, f.takes)
	}
	return p.aggregate(name, found)
}

// aggregate makes a number of many rows.
func (p *parser) aggregate(name token, found path) (*operand, error) {
	return &operand{kind: kindNumber, label: name.text + "()", column: name.column,
		node: call(aggregateFunction, at(&ast.StringNode{Value: name.text}, name.column),
			at(&ast.IdentifierNode{Value: environment}, name.column), at(&ast.ConstantNode{Value: &found}, name.column))}, nil
}

// quantifierDepth bounds quantifiers within quantifiers.
const quantifierDepth = 2

// parseQuantifier reads any(condition for name in path), Python's own form.
func parseQuantifier(p *parser, name token) (*operand, error) {
	f, _ := functionNamed(name.text)
	wrong := conditionError(name.column, "%s() takes %s", name.text, f.takes)
	start, outer := p.at, p.names
	forAt, ok := p.findFor()
	if !ok {
		return nil, wrong
	}
	p.at = forAt + 1
	variable := p.next()
	if _, isIn := p.take("in"); !isIn || variable.kind != tokenName {
		return nil, wrong
	}
	place := p.peek().column
	names, ok := p.dotted()
	if !ok {
		return nil, wrong
	}
	found, err := outer.resolve(names)
	switch {
	case err != nil:
		return nil, conditionError(place, "%s", err)
	case !found.rows || len(found.hops) == 0:
		return nil, conditionError(place, "%s has no rows to look at: name a relation, such as doc.items", found)
	}
	if _, taken := outer.roots[variable.text]; taken {
		return nil, conditionError(variable.column, "the name %s is taken: choose another one for the rows", variable.text)
	}
	if _, closed := p.take(")"); !closed {
		return nil, p.unclosed(p.tokens[start-1])
	}
	end := p.at
	if p.quantifiers++; p.quantifiers > quantifierDepth {
		return nil, conditionError(name.column, "any() and all() can stand within each other %d deep at most", quantifierDepth)
	}
	defer func() { p.names, p.quantifiers = outer, p.quantifiers-1 }()
	p.at, p.names = start, outer.with(variable.text, found)
	inner, err := p.nested(p.or)
	if err != nil {
		return nil, err
	}
	if p.at != forAt {
		return nil, unexpected(p.peek())
	}
	p.at = end
	return p.quantifier(name, variable.text, found, inner)
}

// quantifier compiles the condition that is asked of every row.
func (p *parser) quantifier(name token, variable string, found path, inner *operand) (*operand, error) {
	node, err := truth(inner)
	if err != nil {
		return nil, err
	}
	program, err := compileNode(node, p.names)
	if err != nil {
		return nil, err
	}
	q := &quantifier{all: name.text == "all", variable: variable, path: found, program: program}
	return expression(kindBool, call(quantifierFunction, at(&ast.IdentifierNode{Value: environment}, name.column),
		at(&ast.ConstantNode{Value: q}, name.column)), name.column), nil
}

// findFor finds the for of the parenthesis that has been opened.
func (p *parser) findFor() (int, bool) {
	depth := 0
	for i := p.at; i < len(p.tokens); i++ {
		switch t := p.tokens[i]; {
		case t.is("(") || t.is("["):
			depth++
		case (t.is(")") || t.is("]")) && depth == 0:
			return 0, false
		case t.is(")") || t.is("]"):
			depth--
		case t.is("for") && depth == 0:
			return i, true
		}
	}
	return 0, false
}
