package rule

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// atom is the innermost part of a condition: a path, a constant, a list, or what stands in parentheses.
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
	if p.peek().is("(") {
		f, ok := functionNamed(cmp.Or(textTests[t.text], t.text))
		if !ok {
			return nil, unknownFunction(t)
		}
		p.next()
		return f.parse(p, t)
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
		if p.peek().is("(") {
			return p.method(names, t.column, field)
		}
		names = append(names, field.text)
	}
	if after := p.peek(); after.is("[") {
		return nil, conditionError(after.column, "unexpected [: a condition can compare fields, but not index them")
	}
	if _, ok := functionNamed(t.text); ok && len(names) == 1 && p.names.roots[t.text].model == nil {
		return nil, conditionError(t.column, "%s is a function: write %s()", t.text, t.text)
	}
	return p.path(names, t.column)
}

// method reads doc.name.startswith("A"), which is Python's way to write a test.
func (p *parser) method(names []string, column int, name token) (*operand, error) {
	test := textTests[name.text]
	if test == "" {
		return nil, conditionError(name.column, "there is no method %s: there are startswith, endswith, contains and matches", name.text)
	}
	subject, err := p.path(names, column)
	if err != nil {
		return nil, err
	}
	p.next()
	arguments, err := p.arguments(name, 1, "a text")
	if err != nil {
		return nil, err
	}
	return textTest(name, subject, arguments[0])
}

func (p *parser) path(names []string, column int) (*operand, error) {
	if len(names) == 1 && (names[0] == docName || names[0] == oldDocName) {
		row := expression(kindRow, &ast.IdentifierNode{Value: names[0]}, column)
		row.label = names[0]
		return row, nil
	}
	found, err := p.names.value(names)
	if err != nil {
		return nil, conditionError(column, "%s", err)
	}
	k := kindsOfFields[found.field.Type]
	if found.root == notifName && found.field.Name == "channel" {
		k = kindChannel
	}
	return &operand{kind: k, field: found.field.Type, label: found.String(), column: column, node: pathNode(found, column)}, nil
}

// pathNode reads a field of a row itself as expr's member, and everything further by a function of ours: a row that is
// missing on the way gives null.
func pathNode(p path, column int) ast.Node {
	row := at(&ast.IdentifierNode{Value: p.root}, column)
	if len(p.hops) > 0 {
		return call(followFunction, row, at(&ast.ConstantNode{Value: p}, column))
	}
	return &ast.MemberNode{Node: row, Property: at(&ast.StringNode{Value: p.field.Name}, column)}
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
