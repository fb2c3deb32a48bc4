package rule

import (
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

// kind is what a part of a condition is, as far as it is known before there is a row.
type kind string

// The kinds, in the words of the messages.
const (
	kindText    kind = "text"
	kindNumber  kind = "a number"
	kindBool    kind = "true or false"
	kindDate    kind = "a date"
	kindClock   kind = "a time of day"
	kindBytes   kind = "binary data"
	kindJSON    kind = "JSON"
	kindChannel kind = "a channel"
	kindNull    kind = "None"
	kindList    kind = "a list"
	kindRow     kind = "a whole row"
	kindSpan    kind = "a length of time"
)

var kindsOfFields = map[FieldType]kind{
	String: kindText, Integer: kindNumber, Float: kindNumber, Decimal: kindNumber, Boolean: kindBool,
	Date: kindDate, DateTime: kindDate, Time: kindClock, Bytes: kindBytes, JSON: kindJSON,
}

// operand is a part of a condition that has a value.
type operand struct {
	kind kind
	// field is the type of a path's field; empty for everything else.
	field FieldType
	// label names the operand in messages.
	label  string
	column int
	// A constant has its value; a list its elements; everything else has its node.
	constant bool
	value    any
	elements []*operand
	node     ast.Node
	// calendar: a length of time in whole days.
	calendar bool
}

// build gives the operand as a node of expr's syntax tree.
func (o *operand) build() ast.Node {
	var node ast.Node
	switch {
	case o.kind == kindList:
		list := &ast.ArrayNode{Nodes: make([]ast.Node, 0, len(o.elements))}
		for _, element := range o.elements {
			list.Nodes = append(list.Nodes, element.build())
		}
		node = list
	case o.kind == kindNull:
		node = &ast.NilNode{}
	case o.constant:
		node = &ast.ConstantNode{Value: o.value}
	default:
		node = o.node
	}
	return at(node, o.column)
}

// at gives a node its place in the line. expr counts from 0.
func at(node ast.Node, column int) ast.Node {
	node.SetLocation(file.Location{From: column - 1, To: column})
	return node
}

// fit turns a constant into the kind that it is compared with: a text into a date, a channel's name into its letter,
// 0 and 1 into a boolean.
func (o *operand) fit(with *operand, zone *time.Location) error {
	for _, element := range o.elements {
		if err := element.fit(with, zone); err != nil {
			return err
		}
	}
	if !o.constant || with.constant {
		return nil
	}
	switch {
	case o.kind == kindText && (with.kind == kindDate || with.kind == kindClock):
		return o.fitMoment(with, zone)
	case o.kind == kindText && with.kind == kindChannel:
		return o.fitChannel()
	case o.kind == kindNumber && with.kind == kindBool:
		if o.value == int64(0) || o.value == int64(1) {
			o.kind, o.value = kindBool, o.value == int64(1)
		}
	}
	return nil
}

func (o *operand) fitMoment(with *operand, zone *time.Location) error {
	field, text := DateTime, o.value.(string)
	if with.kind == kindClock {
		field = Time
	} else if _, err := time.Parse(time.DateOnly, text); err == nil {
		field = Date
	}
	moment, err := parseMomentIn(field, text, zone)
	if err != nil {
		form := err.Error()
		if with.field == Date {
			form = "a date such as 2026-01-31"
		}
		return conditionError(o.column, "%s is compared with %s and must be %s", o.label, with.label, form)
	}
	o.kind, o.field, o.value = with.kind, field, moment
	return nil
}

func (o *operand) fitChannel() error {
	for channel, letter := range channelLetters {
		if text := o.value.(string); text == letter || text == string(channel) {
			o.kind, o.value = kindChannel, letter
			return nil
		}
	}
	return conditionError(o.column, `%s is no channel: write "E", "S" or "W" (or "email", "sms", "whatsapp")`, o.label)
}

// checkPair says what is wrong with comparing two operands, if anything is. The operators are Python's.
func checkPair(operator string, a, b *operand) error {
	var ok bool
	switch operator {
	case "==", "!=":
		ok = canEqual(a, b)
	case "is", "is not":
		if !b.constant || b.kind != kindNull && b.kind != kindBool {
			return conditionError(b.column, "%s works with None, True and False only: write ==", operator)
		}
		ok = a.kind != kindList
	case "in", "not in":
		if b.kind == kindList {
			return checkElements(a, b)
		}
		ok = b.kind == kindJSON && a.kind != kindRow || b.kind == kindText && (a.kind == kindText || a.kind == kindJSON)
	default:
		ok = canOrder(a, b)
	}
	if !ok {
		return conditionError(b.column, "%s is %s and %s is %s: they cannot be compared with %s%s",
			a.label, a.kind, b.label, b.kind, operator, quoteHint(a, b))
	}
	return nil
}

func checkElements(a, list *operand) error {
	for _, element := range list.elements {
		if err := checkPair("==", a, element); err != nil {
			return err
		}
	}
	return nil
}

func canEqual(a, b *operand) bool {
	switch {
	case a.kind == kindNull || b.kind == kindNull:
		return true
	case a.kind == kindRow || b.kind == kindRow:
		return false
	case a.kind == kindJSON || b.kind == kindJSON:
		return true
	default:
		return a.kind == b.kind && a.kind != kindList || textAndChannel(a, b)
	}
}

func canOrder(a, b *operand) bool {
	ordered := func(k kind) bool {
		return k == kindText || k == kindNumber || k == kindDate || k == kindClock || k == kindJSON || k == kindSpan
	}
	if !ordered(a.kind) || !ordered(b.kind) {
		return false
	}
	return a.kind == b.kind || a.kind == kindJSON || b.kind == kindJSON
}

func textAndChannel(a, b *operand) bool {
	return a.kind == kindText && b.kind == kindChannel || a.kind == kindChannel && b.kind == kindText
}

// quoteHint helps with the commonest slip: digits that are compared with a text, or the other way round.
func quoteHint(a, b *operand) string {
	kinds := string(a.kind) + string(b.kind)
	if !strings.Contains(kinds, string(kindText)) || !strings.Contains(kinds, string(kindNumber)) {
		return ""
	}
	if a.constant && a.kind == kindNumber || b.constant && b.kind == kindNumber {
		return " (put the number in quotes)"
	}
	return " (write the number without quotes)"
}
