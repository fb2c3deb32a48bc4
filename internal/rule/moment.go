package rule

import (
	"time"

	"github.com/expr-lang/expr/ast"
)

// textTest takes a test of texts between two operands.
func (p *parser) textTest() (test token, negated, ok bool) {
	at := p.at
	_, negated = p.take("not")
	if t := p.peek(); t.kind == tokenName && textTests[t.text] != "" {
		return p.next(), negated, true
	}
	p.at = at
	return token{}, false, false
}

func (p *parser) tested(test token, negated bool, subject *operand) (*operand, error) {
	with, err := p.sum()
	if err != nil {
		return nil, err
	}
	result, err := textTest(test, subject, with)
	if err != nil || !negated {
		return result, err
	}
	return expression(kindBool, &ast.UnaryNode{Operator: "not", Node: result.node}, test.column), nil
}

// lift makes moments of days where days and moments meet: the day's midnight in the notification's zone.
func (p *parser) lift(operands []*operand) {
	moment := false
	var all []*operand
	for _, o := range operands {
		all = append(append(all, o), o.elements...)
	}
	for _, o := range all {
		moment = moment || o.kind == kindDate && o.field == DateTime
	}
	for _, o := range all {
		if moment {
			p.liftOne(o)
		}
	}
}

func (p *parser) liftOne(o *operand) {
	if o.kind != kindDate || o.field != Date {
		return
	}
	o.node = call(midnightFunction, o.build(), at(&ast.ConstantNode{Value: p.names.zone}, o.column))
	o.constant, o.field = false, DateTime
}

// shift compiles the arithmetic of dates and lengths of time.
func (p *parser) shift(operator token, left, right *operand) (*operand, error) {
	plus := operator.text == "+"
	result := &operand{kind: kindDate, label: "the date", column: operator.column}
	switch {
	case !plus && operator.text != "-":
		return nil, cannotShift(operator, left, right)
	case left.kind == kindDate && right.kind == kindSpan:
		p.liftUnlessCalendar(left, right)
		result.field = left.field
	case plus && left.kind == kindSpan && right.kind == kindDate:
		p.liftUnlessCalendar(right, left)
		result.field = right.field
	case left.kind == kindSpan && right.kind == kindSpan:
		result.kind, result.label, result.calendar = kindSpan, "the length of time", left.calendar && right.calendar
	case !plus && left.kind == kindDate && right.kind == kindDate:
		p.lift([]*operand{left, right})
		result.kind, result.label = kindSpan, "the length of time"
	default:
		return nil, cannotShift(operator, left, right)
	}
	zone := p.names.zone
	if result.kind == kindDate && result.field == Date {
		zone = time.UTC // a day stays one: it is kept as UTC's midnight
	}
	result.node = call(shiftFunction, at(&ast.StringNode{Value: operator.text}, operator.column), left.build(), right.build(),
		at(&ast.ConstantNode{Value: zone}, operator.column))
	return result, nil
}

// liftUnlessCalendar keeps a day a day when only whole days are added to it.
func (p *parser) liftUnlessCalendar(date, by *operand) {
	if !by.calendar {
		p.liftOne(date)
	}
}

func cannotShift(operator token, left, right *operand) error {
	return conditionError(operator.column, "%s is %s and %s is %s: %s cannot join them; write for example today() + days(3)",
		left.label, left.kind, right.label, right.kind, operator.text)
}
