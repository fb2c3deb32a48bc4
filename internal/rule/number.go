package rule

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
)

// numberBits bounds a result of arithmetic, so that a long product cannot fill the memory.
const numberBits = 1 << 15

// isNumber tells the representations of numbers: int64, float64, Decimal, and json.Number inside a JSON field.
func isNumber(v any) bool {
	switch v.(type) {
	case int64, float64, ExactDecimal, json.Number:
		return true
	default:
		return false
	}
}

// rational gives a number's exact value. ok is false for what is no number, or one that is out of all bounds.
func rational(v any) (value *big.Rat, ok bool) {
	switch v := v.(type) {
	case int64:
		return new(big.Rat).SetInt64(v), true
	case float64:
		value = new(big.Rat).SetFloat64(v)
		return value, value != nil
	case ExactDecimal:
		return v.rational(), true
	case json.Number:
		d, err := ParseDecimal(v.String())
		return d.rational(), err == nil
	default:
		return nil, false
	}
}

// compareNumbers compares by value. A float and a decimal are compared as floats: 0.1 in a float column equals the
// 0.1 that a person writes, although it is not exactly a tenth.
func compareNumbers(a, b any) (order int, ok bool) {
	if x, isInt := wholeNumber(a); isInt {
		if y, isInt := wholeNumber(b); isInt {
			return cmp.Compare(x, y), true
		}
	}
	x, okX := rational(a)
	y, okY := rational(b)
	if !okX || !okY {
		return 0, false
	}
	if isFloat(a) && isFractional(b) || isFractional(a) && isFloat(b) {
		xf, _ := x.Float64()
		yf, _ := y.Float64()
		return cmp.Compare(xf, yf), true
	}
	return x.Cmp(y), true
}

// wholeNumber gives those that need no exact arithmetic.
func wholeNumber(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case json.Number:
		n, err := strconv.ParseInt(v.String(), 10, 64)
		return n, err == nil
	default:
		return 0, false
	}
}

func isFloat(v any) bool {
	_, ok := v.(float64)
	return ok
}

func isFractional(v any) bool {
	switch v.(type) {
	case ExactDecimal, json.Number:
		return true
	default:
		return false
	}
}

// calculate does arithmetic: with floats if one side is a float, exactly otherwise. Null gives null.
func calculate(operator string, a, b any) (any, error) {
	if a == nil || b == nil {
		return nil, nil
	}
	x, okX := rational(a)
	y, okY := rational(b)
	if !okX || !okY {
		return nil, fmt.Errorf("%s works on numbers only", operator)
	}
	if (operator == "/" || operator == "%") && y.Sign() == 0 {
		return nil, errors.New("division by zero")
	}
	if isFloat(a) || isFloat(b) {
		return calculateFloat(operator, x, y)
	}
	result := calculateExact(operator, x, y)
	if result.Num().BitLen() > numberBits || result.Denom().BitLen() > numberBits {
		return nil, errors.New("a result is too large")
	}
	return ExactDecimal{value: result}, nil
}

func calculateExact(operator string, x, y *big.Rat) *big.Rat {
	result := new(big.Rat)
	switch operator {
	case "+":
		return result.Add(x, y)
	case "-":
		return result.Sub(x, y)
	case "*":
		return result.Mul(x, y)
	case "/":
		return result.Quo(x, y)
	default:
		// Python's remainder has the divisor's sign: x - y*floor(x/y). Int.Div rounds down, as a denominator is positive.
		quotient := new(big.Rat).Quo(x, y)
		floor := new(big.Int).Div(quotient.Num(), quotient.Denom())
		return result.Sub(x, new(big.Rat).Mul(y, new(big.Rat).SetInt(floor)))
	}
}

func calculateFloat(operator string, x, y *big.Rat) (any, error) {
	xf, _ := x.Float64()
	yf, _ := y.Float64()
	var result float64
	switch operator {
	case "+":
		result = xf + yf
	case "-":
		result = xf - yf
	case "*":
		result = xf * yf
	case "/":
		result = xf / yf
	default:
		result = xf - yf*math.Floor(xf/yf)
	}
	if math.IsInf(result, 0) || math.IsNaN(result) {
		return nil, errors.New("a result is too large")
	}
	return result, nil
}
