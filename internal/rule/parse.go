package rule

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// The limits of one line: a person needs a few dozen nodes, and a stack that nests deeper is an attack.
const (
	conditionNodes = 1000
	conditionDepth = 40
)

// parser turns one line, in the part of Python's grammar that the Django app allowed, into expr's syntax tree. It makes
// no other nodes than lists, constants, members of the three names, and/or/not, and calls of the three functions in
// evaluate.go: whatever else expr could do is out of reach. Its grammar, loosest first:
//
//	or:         and { "or" and }
//	and:        not { "and" not }
//	not:        "not" not | comparison
//	comparison: sum { ("==" | "<" | … | "in" | "not in" | "is" | "is not") sum }
//	sum:        term { ("+" | "-") term }
//	term:       unary { ("*" | "/" | "%") unary }
//	unary:      ("-" | "+") unary | atom
//	atom:       path | number | text | "True" | "False" | "None" | "(" … ")" | "[" … "]"
type parser struct {
	model  *Model
	tokens []token
	at     int
	depth  int
}

// parseCondition gives the tree of a line. Its errors have a column and no line.
func parseCondition(line string, m *Model) (ast.Node, error) {
	tokens, err := scan(line)
	if err != nil {
		return nil, err
	}
	if len(tokens) > conditionNodes {
		return nil, conditionError(tokens[conditionNodes].column, "the line is too long: split it in several")
	}
	p := &parser{model: m, tokens: tokens}
	condition, err := p.or()
	if err != nil {
		return nil, err
	}
	if end := p.peek(); end.kind != tokenEnd {
		return nil, unexpected(end)
	}
	return truth(condition)
}

func conditionError(column int, format string, args ...any) error {
	return &Error{Code: ConditionEvalFail, Message: fmt.Sprintf(format, args...), Column: column}
}

func unexpected(t token) error { return conditionError(t.column, "unexpected %s", t.describe()) }

func (p *parser) peek() token { return p.tokens[p.at] }

// next takes a token; the end is never passed.
func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != tokenEnd {
		p.at++
	}
	return t
}

// take takes the token if it is one of the texts.
func (p *parser) take(texts ...string) (token, bool) {
	for _, text := range texts {
		if p.peek().is(text) {
			return p.next(), true
		}
	}
	return token{}, false
}

// nested bounds how deep parse can go.
func (p *parser) nested(parse func() (*operand, error)) (*operand, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > conditionDepth {
		return nil, conditionError(p.peek().column, "too many parentheses within each other")
	}
	return parse()
}

func (p *parser) or() (*operand, error) { return p.logical("or", p.and) }

func (p *parser) and() (*operand, error) { return p.logical("and", p.not) }

func (p *parser) logical(word string, part func() (*operand, error)) (*operand, error) {
	left, err := part()
	if err != nil {
		return nil, err
	}
	for {
		operator, ok := p.take(word)
		if !ok {
			return left, nil
		}
		right, err := part()
		if err != nil {
			return nil, err
		}
		a, err := truth(left)
		if err != nil {
			return nil, err
		}
		b, err := truth(right)
		if err != nil {
			return nil, err
		}
		left = expression(kindBool, &ast.BinaryNode{Operator: word, Left: a, Right: b}, operator.column)
	}
}

func (p *parser) not() (*operand, error) {
	operator, ok := p.take("not")
	if !ok {
		return p.comparison()
	}
	inner, err := p.nested(p.not)
	if err != nil {
		return nil, err
	}
	node, err := truth(inner)
	if err != nil {
		return nil, err
	}
	return expression(kindBool, &ast.UnaryNode{Operator: "not", Node: node}, operator.column), nil
}

// expression is an operand that is calculated.
func expression(k kind, node ast.Node, column int) *operand {
	return &operand{kind: k, label: "the expression", column: column, node: at(node, column)}
}

// comparison takes chains as Python does: 0 < doc.total <= 10.
func (p *parser) comparison() (*operand, error) {
	first, err := p.sum()
	if err != nil {
		return nil, err
	}
	operands, operators := []*operand{first}, []string(nil)
	column := p.peek().column
	for {
		operator, ok := p.comparator()
		if !ok {
			break
		}
		next, err := p.sum()
		if err != nil {
			return nil, err
		}
		operands, operators = append(operands, next), append(operators, operator)
	}
	if len(operators) == 0 {
		return first, nil
	}
	return compareAll(operators, operands, column)
}

func (p *parser) comparator() (string, bool) {
	if t, ok := p.take("==", "!=", "<=", ">=", "<", ">", "in"); ok {
		return t.text, true
	}
	if _, ok := p.take("is"); ok {
		if _, ok := p.take("not"); ok {
			return "is not", true
		}
		return "is", true
	}
	if p.peek().is("not") && p.tokens[p.at+1].is("in") {
		p.at += 2
		return "not in", true
	}
	return "", false
}

func compareAll(operators []string, operands []*operand, column int) (*operand, error) {
	for i := range operators {
		if err := operands[i].fit(operands[i+1]); err != nil {
			return nil, err
		}
		if err := operands[i+1].fit(operands[i]); err != nil {
			return nil, err
		}
	}
	arguments := []ast.Node{&ast.ConstantNode{Value: operators}}
	for i, o := range operands {
		if i > 0 {
			if err := checkPair(operators[i-1], operands[i-1], o); err != nil {
				return nil, err
			}
		}
		arguments = append(arguments, o.build())
	}
	return expression(kindBool, call(compareFunction, arguments...), column), nil
}

func call(name string, arguments ...ast.Node) ast.Node {
	return &ast.CallNode{Callee: &ast.IdentifierNode{Value: name}, Arguments: arguments}
}

func (p *parser) sum() (*operand, error) { return p.arithmetic(p.term, "+", "-") }

func (p *parser) term() (*operand, error) { return p.arithmetic(p.unary, "*", "/", "%") }

func (p *parser) arithmetic(part func() (*operand, error), signs ...string) (*operand, error) {
	left, err := part()
	if err != nil {
		return nil, err
	}
	for {
		operator, ok := p.take(signs...)
		if !ok {
			return left, nil
		}
		right, err := part()
		if err != nil {
			return nil, err
		}
		if left, err = operate(operator, left, right); err != nil {
			return nil, err
		}
	}
}

func operate(operator token, left, right *operand) (*operand, error) {
	for _, o := range []*operand{left, right} {
		if o.kind != kindNumber && o.kind != kindJSON {
			return nil, conditionError(o.column, "%s is %s: %s works on numbers only", o.label, o.kind, operator.text)
		}
	}
	sign := &ast.StringNode{Value: operator.text}
	return expression(kindNumber, call(calculateFunction, sign, left.build(), right.build()), operator.column), nil
}

func (p *parser) unary() (*operand, error) {
	operator, ok := p.take("-", "+")
	if !ok {
		return p.atom()
	}
	number, err := p.nested(p.unary)
	if err != nil {
		return nil, err
	}
	zero := &operand{kind: kindNumber, constant: true, value: int64(0), column: operator.column}
	return operate(operator, zero, number)
}

func (p *parser) atom() (*operand, error) {
	t := p.next()
	switch {
	case t.is("("):
		return p.nested(p.group)
	case t.is("["):
		return p.nested(func() (*operand, error) { return p.list(t, "]", nil) })
	case t.kind == tokenName:
		return p.name(t)
	case t.kind == tokenNumber:
		return number(t)
	case t.kind == tokenText:
		if after := p.peek(); after.kind == tokenText {
			return nil, unexpected(after)
		}
		return &operand{kind: kindText, label: strconv.Quote(t.text), column: t.column, constant: true, value: t.text}, nil
	default:
		return nil, unexpected(t)
	}
}

// group is what stands in parentheses: one part, or a tuple if there is a comma.
func (p *parser) group() (*operand, error) {
	open := p.tokens[p.at-1]
	if p.peek().is(")") {
		return p.list(open, ")", nil)
	}
	first, err := p.or()
	if err != nil {
		return nil, err
	}
	if _, ok := p.take(","); ok {
		return p.list(open, ")", []*operand{first})
	}
	if _, ok := p.take(")"); !ok {
		return nil, p.unclosed(open)
	}
	return first, nil
}

func (p *parser) list(open token, closing string, elements []*operand) (*operand, error) {
	for {
		if _, ok := p.take(closing); ok {
			break
		}
		element, err := p.or()
		if err != nil {
			return nil, err
		}
		elements = append(elements, element)
		if _, ok := p.take(","); !ok && !p.peek().is(closing) {
			return nil, p.unclosed(open)
		}
	}
	for _, element := range elements {
		if element.kind == kindList || element.kind == kindRow {
			return nil, conditionError(element.column, "a list cannot hold %s", element.kind)
		}
	}
	return &operand{kind: kindList, label: "the list", column: open.column, elements: elements}, nil
}

// unclosed says what is missing where a parenthesis should have closed.
func (p *parser) unclosed(open token) error {
	if t := p.peek(); t.kind != tokenEnd {
		return unexpected(t)
	}
	return conditionError(open.column, "%s is never closed", open.text)
}

func number(t token) (*operand, error) {
	o := &operand{kind: kindNumber, label: t.text, column: t.column, constant: true}
	if n, err := strconv.ParseInt(t.text, 10, 64); err == nil {
		o.value = n
		return o, nil
	}
	d, err := ParseDecimal(t.text)
	if err != nil {
		return nil, conditionError(t.column, "the number is too large")
	}
	o.value = d
	return o, nil
}

// nameHints help people who come from other languages.
var nameHints = map[string]string{
	"true": "True", "false": "False", "null": "None", "none": "None", "nil": "None", "AND": "and", "OR": "or", "NOT": "not",
}

func (p *parser) name(t token) (*operand, error) {
	switch t.text {
	case "True", "False":
		return &operand{kind: kindBool, label: t.text, column: t.column, constant: true, value: t.text == "True"}, nil
	case "None":
		return &operand{kind: kindNull, label: t.text, column: t.column, constant: true}, nil
	}
	if hint, ok := nameHints[t.text]; ok {
		return nil, conditionError(t.column, "unexpected %s: write %s", t.text, hint)
	}
	names := []string{t.text}
	for {
		if _, ok := p.take("."); !ok {
			break
		}
		field := p.next()
		if field.kind != tokenName {
			return nil, conditionError(field.column, "a field's name must follow the point after %s", strings.Join(names, "."))
		}
		names = append(names, field.text)
	}
	if after := p.peek(); after.is("(") || after.is("[") {
		return nil, conditionError(after.column, "unexpected %s: a condition can compare fields, but not call or index them",
			after.text)
	}
	return p.path(names, t.column)
}

func (p *parser) path(names []string, column int) (*operand, error) {
	if len(names) == 1 && (names[0] == docName || names[0] == oldDocName) {
		row := expression(kindRow, &ast.IdentifierNode{Value: names[0]}, column)
		row.label = names[0]
		return row, nil
	}
	found, err := resolvePath(names, p.model)
	if err != nil {
		return nil, conditionError(column, "%s", err)
	}
	k := kindsOfFields[found.field.Type]
	if found.root == notifName && found.field.Name == "channel" {
		k = kindChannel
	}
	return &operand{
		kind: k, field: found.field.Type, label: found.String(), column: column,
		node: &ast.MemberNode{
			Node: at(&ast.IdentifierNode{Value: found.root}, column), Property: at(&ast.StringNode{Value: found.field.Name}, column),
		},
	}, nil
}

// truth gives an operand as a boolean, the way Python sees it: null, zero and empty are false. A constant is refused:
// doc.status == "A" or "B" is always true, and never what was meant.
func truth(o *operand) (ast.Node, error) {
	switch {
	case o.kind == kindBool && o.constant:
		return at(&ast.BoolNode{Value: o.value.(bool)}, o.column), nil
	case o.kind == kindBool && o.field == "":
		return o.build(), nil
	case o.constant || o.kind == kindList:
		return nil, conditionError(o.column, "%s alone is no condition: compare it with something", o.label)
	default:
		return at(call(truthFunction, o.build()), o.column), nil
	}
}
