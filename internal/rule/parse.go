package rule

import (
	"fmt"
	"maps"
	"slices"

	"github.com/expr-lang/expr/ast"
)

// The limits of one line: a person needs a few dozen nodes, and a stack that nests deeper is an attack.
const (
	conditionNodes = 1000
	conditionDepth = 40
)

// parser turns one line, in the part of Python's grammar that the Django app allowed, into expr's syntax tree. It makes
// no other nodes than lists, constants, members of the rows in sight, and/or/not, and calls of the functions in evaluate.go
// and function_call.go: whatever else expr could do is out of reach. Its grammar, loosest first:
//
//	or:         and { "or" and }
//	and:        not { "and" not }
//	not:        "not" not | comparison
//	comparison: sum { ("==" | "<" | … | "in" | "not in" | "is" | "is not") sum } | sum ["not"] test sum
//	sum:        term { ("+" | "-") term }
//	term:       unary { ("*" | "/" | "%") unary }
//	unary:      ("-" | "+") unary | atom
//	test:       "startswith" | "endswith" | "contains" | "matches"
//	call:       function "(" … ")" | path "." test "(" or ")" | ("any" | "all") "(" or "for" name "in" path ")"
//	atom:       path | call | number | text | "True" | "False" | "None" | "(" … ")" | "[" … "]"
type parser struct {
	names *scopeNames
	// quantifiers counts those that the parser is in.
	quantifiers int
	tokens      []token
	at          int
	depth       int
}

// parseCondition gives the tree of a line. Its errors have a column and no line.
func parseCondition(line string, names *scopeNames) (ast.Node, error) {
	tokens, err := scan(line)
	if err != nil {
		return nil, err
	}
	if len(tokens) > conditionNodes {
		return nil, conditionError(tokens[conditionNodes].column, "the line is too long: split it in several")
	}
	p := &parser{names: names, tokens: tokens}
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

func unexpected(t token) error {
	if t.kind == tokenName {
		known := []Field{}
		for _, word := range slices.Sorted(maps.Values(textTests)) {
			known = append(known, Field{Name: word})
		}
		if near := nearest(t.text, known); near != "" {
			return conditionError(t.column, "unexpected %s: did you mean %s?", t.text, near)
		}
	}
	return conditionError(t.column, "unexpected %s", t.describe())
}

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
	if test, negated, ok := p.textTest(); ok {
		return p.tested(test, negated, first)
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
	return p.compareAll(operators, operands, column)
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

func (p *parser) compareAll(operators []string, operands []*operand, column int) (*operand, error) {
	for i := range operators {
		if err := operands[i].fit(operands[i+1], p.names.zone); err != nil {
			return nil, err
		}
		if err := operands[i+1].fit(operands[i], p.names.zone); err != nil {
			return nil, err
		}
	}
	p.lift(operands)
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
		if left, err = p.operate(operator, left, right); err != nil {
			return nil, err
		}
	}
}

func (p *parser) operate(operator token, left, right *operand) (*operand, error) {
	if left.kind == kindDate || right.kind == kindDate || left.kind == kindSpan || right.kind == kindSpan {
		return p.shift(operator, left, right)
	}
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
	return p.operate(operator, zero, number)
}
