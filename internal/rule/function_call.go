package rule

import (
	"errors"
	"math"
	"math/big"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
)

// The functions that conditions with calls are compiled to.
const (
	dayFunction        = "day"
	midnightFunction   = "midnight"
	spanFunction       = "span"
	shiftFunction      = "shift"
	textFunction       = "text"
	caseFunction       = "case"
	lengthFunction     = "length"
	aggregateFunction  = "aggregate"
	quantifierFunction = "quantifier"
)

// What a condition's environment holds besides the rows: names that no path can have.
const (
	// environment is expr's own name for all of it.
	environment = "$env"
	momentName  = "@moment"
	workName    = "@work"
)

// rowsLimit bounds the rows that the conditions of one notification look at for one event, again and again included.
const rowsLimit = 20_000

// functionOptions declares the functions with their Go types.
func functionOptions() []expr.Option {
	return []expr.Option{
		expr.Function(dayFunction, dayCall, new(func(any, *time.Location) any)),
		expr.Function(midnightFunction, midnightCall, new(func(any, *time.Location) any)),
		expr.Function(spanFunction, spanCall, new(func(string, any) any)),
		expr.Function(shiftFunction, shiftCall, new(func(string, any, any, *time.Location) any)),
		expr.Function(textFunction, textCall, new(func(any, string, any, any) bool)),
		expr.Function(caseFunction, caseCall, new(func(string, any) any)),
		expr.Function(lengthFunction, lengthCall, new(func(any) any)),
		expr.Function(aggregateFunction, aggregateCall, new(func(string, any, *path) any)),
		expr.Function(quantifierFunction, quantifierCall, new(func(any, *quantifier) bool)),
	}
}

// span is a length of time: calendar days, which an hour more or less does not change, and hours.
type span struct {
	days  int64
	hours time.Duration
}

// length is the span's on an ordinary day.
func (s span) length() *big.Int {
	total := new(big.Int).Mul(big.NewInt(s.days), big.NewInt(int64(24*time.Hour)))
	return total.Add(total, big.NewInt(int64(s.hours)))
}

// spanLimit is in days: a thousand years.
const spanLimit = 366_000

// hoursLimit is in days too: a time.Duration holds some 106,000.
const hoursLimit = 36_500

// dayCall gives the day of a moment in a zone.
func dayCall(params ...any) (any, error) {
	moment, ok := params[0].(time.Time)
	if !ok {
		return nil, nil
	}
	year, month, day := moment.In(params[1].(*time.Location)).Date()
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC), nil
}

// midnightCall gives the moment at which a day begins in a zone.
func midnightCall(params ...any) (any, error) {
	day, ok := params[0].(time.Time)
	if !ok {
		return nil, nil
	}
	return midnight(day, params[1].(*time.Location)), nil
}

func midnight(day time.Time, zone *time.Location) time.Time {
	year, month, date := day.Date()
	return wallTime(year, month, date, 0, 0, zone)
}

func spanCall(params ...any) (any, error) {
	value, ok := rational(params[1])
	if !ok {
		if params[1] == nil {
			return nil, nil
		}
		return nil, runtimeError("%s() takes a number", params[0])
	}
	n, _ := value.Float64()
	unit := params[0].(string)
	inDays := map[string]float64{"days": 1, "weeks": 7, "hours": 1.0 / 24, "minutes": 1.0 / 24 / 60}[unit]
	switch {
	case math.Abs(n*inDays) > spanLimit:
		return nil, runtimeError("%s() takes at most %d days", unit, spanLimit)
	case (unit == "hours" || unit == "minutes") && math.Abs(n*inDays) > hoursLimit:
		return nil, runtimeError("%s() takes at most %d days: write days()", unit, hoursLimit)
	case unit == "hours":
		return span{hours: time.Duration(n * float64(time.Hour))}, nil
	case unit == "minutes":
		return span{hours: time.Duration(n * float64(time.Minute))}, nil
	case !value.IsInt():
		return nil, runtimeError("%s() takes a whole number", unit)
	default:
		return span{days: value.Num().Int64() * int64(inDays)}, nil
	}
}

// shiftCall adds a span to a moment, or takes it or another moment away. A day more is the same time of day in the zone.
func shiftCall(params ...any) (any, error) {
	a, b, zone := params[1], params[2], params[3].(*time.Location)
	sign := int64(1)
	if params[0] == "-" {
		sign = -1
	}
	switch a := a.(type) {
	case time.Time:
		if other, ok := b.(time.Time); ok {
			return between(a, other), nil
		}
		if s, ok := b.(span); ok {
			return a.In(zone).AddDate(0, 0, int(sign*s.days)).Add(time.Duration(sign) * s.hours), nil
		}
	case span:
		switch b := b.(type) {
		case span:
			sum := span{days: a.days + sign*b.days, hours: a.hours + time.Duration(sign)*b.hours}
			if sum.hours.Abs() > 2*hoursLimit*24*time.Hour || max(sum.days, -sum.days) > 2*spanLimit {
				return nil, runtimeError("a length of time is too long")
			}
			return sum, nil
		case time.Time:
			return b.In(zone).AddDate(0, 0, int(a.days)).Add(a.hours), nil
		}
	}
	return nil, nil // null on either side
}

// between gives the time from one moment to another, which can be longer than a time.Duration.
func between(a, b time.Time) span {
	const day = 24 * 60 * 60
	seconds := a.Unix() - b.Unix()
	rest := time.Duration(seconds%day)*time.Second + time.Duration(a.Nanosecond()-b.Nanosecond())
	return span{days: seconds / day, hours: rest}
}

func textCall(params ...any) (any, error) {
	test, subject, with := params[1].(string), params[2], params[3]
	if isNull(subject) || isNull(with) {
		return false, nil
	}
	if test == "contains" {
		return contains(subject, with)
	}
	text, ok := subject.(string)
	if !ok {
		return false, runtimeError("%s works on texts", test)
	}
	if p, ok := with.(*pattern); ok {
		if len(text) > subjectLimit {
			return false, runtimeError("matches works on texts of at most %d KiB", subjectLimit>>10)
		}
		if err := view(environmentOf(params[0])).meter().match(len(text) * p.size); err != nil {
			return false, err
		}
		return p.MatchString(text), nil
	}
	part, ok := with.(string)
	switch {
	case !ok:
		return false, runtimeError("%s needs a text after it", test)
	case test == "startswith":
		return strings.HasPrefix(text, part), nil
	default:
		return strings.HasSuffix(text, part), nil
	}
}

// caseLimit bounds the texts of lower() and upper(), in bytes.
const caseLimit = 64 << 10

func caseCall(params ...any) (any, error) {
	text, ok := params[1].(string)
	switch {
	case params[1] == nil:
		return nil, nil
	case !ok:
		return nil, runtimeError("%s() takes a text", params[0])
	case len(text) > caseLimit:
		return nil, runtimeError("%s() takes texts of at most %d KiB", params[0], caseLimit>>10)
	case params[0] == "lower":
		return strings.ToLower(text), nil
	default:
		return strings.ToUpper(text), nil
	}
}

func lengthCall(params ...any) (any, error) {
	switch v := params[0].(type) {
	case nil:
		return nil, nil
	case string:
		return int64(utf8.RuneCountInString(v)), nil
	case []byte:
		return int64(len(v)), nil
	case []any:
		return int64(len(v)), nil
	case map[string]any:
		return int64(len(v)), nil
	default:
		return nil, runtimeError("only a text or a list has a length")
	}
}

// aggregateCall takes a function's name, the environment and a path to many rows. Nulls are left out.
func aggregateCall(params ...any) (any, error) {
	name, p := params[0].(string), params[2].(*path)
	v := view(environmentOf(params[1]))
	rows := v.rows(*p)
	if err := v.meter().look(len(rows)); err != nil {
		return nil, err
	}
	if name == "len" || name == "count" {
		return int64(len(rows)), nil
	}
	var result any
	if name == "sum" {
		result = int64(0)
	}
	for _, row := range rows {
		value := row[p.field.Name]
		if isNull(value) {
			continue
		}
		var err error
		switch {
		case name == "sum":
			result, err = calculate("+", result, value)
		case result == nil:
			result = value
		default:
			order, _ := compareNumbers(value, result)
			if name == "min" && order < 0 || name == "max" && order > 0 {
				result = value
			}
		}
		if err != nil {
			return nil, runtimeError("%s", err)
		}
	}
	return result, nil
}

func environmentOf(value any) map[string]any {
	env, _ := value.(map[string]any)
	return env
}

// quantifier asks a condition of every row at the end of a path.
type quantifier struct {
	all      bool
	variable string
	path     path
	program  *vm.Program
}

// meter counts what one notification's conditions do with an event.
type meter struct {
	rows, work, steps int
	started           time.Time
}

// late says that the time is used up.
func (m *meter) late() bool {
	if m.started.IsZero() {
		m.started = time.Now()
	}
	return time.Since(m.started) > patience
}

// meter gives the one of these conditions.
func (v view) meter() *meter {
	m, _ := v[workName].(*meter)
	if m == nil {
		return new(meter)
	}
	return m
}

// matchLimit bounds the steps of all patterns, each of which takes some nanoseconds.
const matchLimit = 20_000_000

// match counts the steps that a pattern can take.
func (m *meter) match(steps int) error {
	if m.steps += steps; m.steps > matchLimit {
		return runtimeError("the patterns take too much work on texts of this length")
	}
	return nil
}

// look counts rows, and stops what is too much, or takes too long: a pattern can be slow on every row.
func (m *meter) look(rows int) error {
	m.rows += rows
	switch {
	case m.rows > rowsLimit:
		return runtimeError("the conditions look at more than %d rows", rowsLimit)
	case m.late():
		return runtimeError("the conditions take too long")
	default:
		return nil
	}
}

func quantifierCall(params ...any) (any, error) {
	v, q := view(environmentOf(params[0])), params[1].(*quantifier)
	for _, row := range v.rows(q.path) {
		if err := v.meter().look(1); err != nil {
			return false, err
		}
		machine := vm.VM{MemoryBudget: evaluationMemory}
		out, err := machine.Run(q.program, map[string]any(v.with(q.variable, row)))
		if err != nil {
			var own *Error
			if errors.As(engineError(err), &own) {
				return false, runtimeError("%s", own.Message)
			}
			return false, err
		}
		if holds, _ := out.(bool); holds != q.all {
			return holds, nil
		}
	}
	return q.all, nil
}
