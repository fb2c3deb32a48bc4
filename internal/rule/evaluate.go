package rule

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	exprparser "github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"
)

// evaluationMemory bounds what one evaluation may allocate, in expr's unit (elements). The parser's limits keep every
// line under it; it is the second lock on that door.
const evaluationMemory = 10_000

// The functions that a condition is compiled to. People cannot call them: those that they can call are in function.go.
const (
	compareFunction   = "compare"
	calculateFunction = "calculate"
	truthFunction     = "truth"
	followFunction    = "follow"
)

// condition is one line, ready to be evaluated any number of times at once.
type condition struct {
	line    int
	text    string
	program *vm.Program
	// broken is why there is no program.
	broken error
}

// compileConditions gives the lines that are not blank. A line that does not compile is broken, and the others stand.
func compileConditions(text string, names *scopeNames) []condition {
	var conditions []condition
	config := engine(names)
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || strings.HasPrefix(trimmed, "#") {
			continue
		}
		c := condition{line: i + 1, text: trimmed}
		c.program, c.broken = compileLine(strings.TrimRight(line, "\r"), names, config)
		conditions = append(conditions, c)
	}
	return conditions
}

// engine sets expr up: the rows' fields by name and type, a boolean result, and nothing to call but our functions.
func engine(names *scopeNames) *conf.Config {
	config := conf.CreateNew()
	config.Builtins = conf.FunctionsTable{}
	for _, option := range append(functionOptions(),
		expr.Env(names.types()),
		expr.AsBool(),
		expr.Function(compareFunction, compareChain, new(func([]string, ...any) bool)),
		expr.Function(calculateFunction, calculateCall, new(func(string, any, any) any)),
		expr.Function(truthFunction, truthCall, new(func(any) bool)),
		expr.Function(followFunction, followCall, new(func(map[string]any, path) any)),
	) {
		option(config)
	}
	return config
}

// types declares the rows in sight.
func (s *scopeNames) types() types.Map {
	declared := types.Map{momentName: types.Any, workName: types.Any}
	for name, r := range s.roots {
		fields := notifFields
		if r.model != nil {
			fields = r.model.Fields
		}
		declared[name] = fieldTypes(fields)
	}
	return declared
}

// goTypes are the types of a document's values.
var goTypes = map[FieldType]types.Type{
	String: types.String, Integer: types.Int64, Float: types.Float64, Decimal: types.TypeOf(ExactDecimal{}),
	Boolean: types.Bool, Date: types.TypeOf(time.Time{}), DateTime: types.TypeOf(time.Time{}),
	Time: types.TypeOf(time.Time{}), Bytes: types.TypeOf([]byte(nil)), JSON: types.Any,
}

func fieldTypes(fields []Field) types.Map {
	known := make(types.Map, len(fields))
	for _, f := range fields {
		if t, ok := goTypes[f.Type]; ok {
			known[f.Name] = t
		}
	}
	return known
}

// compileLine parses, checks and compiles one line. Its errors have a column and no line.
func compileLine(line string, names *scopeNames, config *conf.Config) (*vm.Program, error) {
	node, err := parseCondition(line, names)
	if err != nil {
		return nil, err
	}
	return compileTree(node, config)
}

// compileNode compiles a part of a condition that is evaluated on its own.
func compileNode(node ast.Node, names *scopeNames) (*vm.Program, error) {
	return compileTree(node, engine(names))
}

func compileTree(node ast.Node, config *conf.Config) (*vm.Program, error) {
	// A runtime error carries a piece of the source: it is left empty, so that no text of a rule gets into one.
	tree := &exprparser.Tree{Node: node, Source: file.NewSource("")}
	if _, err := checker.Check(tree, config); err != nil {
		return nil, engineError(err)
	}
	program, err := compiler.Compile(tree, config)
	if err != nil {
		return nil, engineError(err)
	}
	return program, nil
}

// engineError translates an error of expr. Only our own messages get through: expr's can hold values.
func engineError(err error) error {
	result := &Error{Code: ConditionEvalFail, Message: "the condition cannot be evaluated", cause: err}
	var own *Error
	if errors.As(err, &own) {
		result.Message = own.Message
	}
	var located *file.Error
	if errors.As(err, &located) {
		result.Column = located.From + 1
	}
	return result
}

// evaluate says whether the line holds. Whatever goes wrong is an error, a panic too.
func (c *condition) evaluate(v view) (result bool, err error) {
	if c.broken != nil {
		return false, c.broken
	}
	defer func() {
		if cause := recover(); cause != nil {
			result, err = false, &Error{Code: ConditionEvalFail, Message: "the condition cannot be evaluated"}
		}
	}()
	machine := vm.VM{MemoryBudget: evaluationMemory}
	out, err := machine.Run(c.program, map[string]any(v))
	if err != nil {
		return false, engineError(err)
	}
	result, ok := out.(bool)
	if !ok {
		return false, &Error{Code: ConditionEvalFail, Message: "the condition is neither true nor false"}
	}
	return result, nil
}

// runtimeError is an error while a line is evaluated.
func runtimeError(format string, args ...any) error {
	return &Error{Code: ConditionEvalFail, Message: fmt.Sprintf(format, args...)}
}

// followCall takes a row and a path from it.
func followCall(params ...any) (any, error) {
	row, _ := params[0].(map[string]any)
	if row == nil {
		return nil, nil
	}
	return valueFrom(row, params[1].(path)), nil
}

func calculateCall(params ...any) (any, error) {
	result, err := calculate(params[0].(string), params[1], params[2])
	if err != nil {
		return nil, runtimeError("%s", err)
	}
	return result, nil
}

// compareChain takes the operators and then the operands: one more than operators.
func compareChain(params ...any) (any, error) {
	for i, operator := range params[0].([]string) {
		holds, err := comparePair(operator, params[i+1], params[i+2])
		if err != nil || !holds {
			return false, err
		}
	}
	return true, nil
}

func comparePair(operator string, a, b any) (bool, error) {
	switch operator {
	case "==", "is":
		return equal(a, b), nil
	case "!=", "is not":
		return !equal(a, b), nil
	case "in":
		return contains(b, a)
	case "not in":
		found, err := contains(b, a)
		return !found, err
	default:
		return inOrder(operator, a, b)
	}
}

// inOrder is false when either side is null.
func inOrder(operator string, a, b any) (bool, error) {
	if isNull(a) || isNull(b) {
		return false, nil
	}
	order, ok := compareValues(a, b)
	if !ok {
		return false, runtimeError("the values are of different types and have no order")
	}
	switch operator {
	case "<":
		return order < 0, nil
	case "<=":
		return order <= 0, nil
	case ">":
		return order > 0, nil
	default:
		return order >= 0, nil
	}
}

func compareValues(a, b any) (order int, ok bool) {
	switch a := a.(type) {
	case string:
		b, ok := b.(string)
		return cmp.Compare(a, b), ok
	case time.Time:
		b, ok := b.(time.Time)
		return a.Compare(b), ok
	case span:
		b, ok := b.(span)
		return a.length().Cmp(b.length()), ok
	default:
		return compareNumbers(a, b)
	}
}

// listSearchLimit bounds the JSON lists of rows that are searched.
const listSearchLimit = 10_000

// contains looks for a value in a list, or for a text in a text. Nothing is in null.
func contains(container, value any) (bool, error) {
	switch container := container.(type) {
	case nil:
		return false, nil
	case []any:
		if len(container) > listSearchLimit {
			return false, runtimeError("a list of more than %d values cannot be searched", listSearchLimit)
		}
		for _, element := range container {
			if equal(element, value) {
				return true, nil
			}
		}
		return false, nil
	case string:
		text, ok := value.(string)
		if !ok && value != nil {
			return false, runtimeError("only a text can be in a text")
		}
		return ok && strings.Contains(container, text), nil
	case map[string]any:
		text, isText := value.(string)
		_, ok := container[text]
		return ok && isText, nil
	default:
		return false, runtimeError("only a list or a text can hold something")
	}
}

// truthCall sees values as Python does: null, zero and empty are false.
func truthCall(params ...any) (any, error) {
	switch v := params[0].(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	case string:
		return v != "", nil
	case []byte:
		return len(v) > 0, nil
	case []any:
		return len(v) > 0, nil
	case map[string]any:
		return len(v) > 0, nil
	case time.Time:
		return true, nil
	case span:
		return v.length().Sign() != 0, nil
	default:
		return !equal(v, int64(0)), nil
	}
}
