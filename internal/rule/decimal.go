package rule

import (
	"encoding/json"
	"errors"
	"math/big"
	"regexp"
)

// decimalLimit bounds a decimal's length in characters. Databases declare at most 1,000 digits (PostgreSQL's numeric).
const decimalLimit = 2000

// decimalForm bounds the exponent to three digits: one such as 1e999999999 would fill the memory.
var decimalForm = regexp.MustCompile(`^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$`)

// ExactDecimal is an exact number that keeps the digits as they were stored: 12.50 prints as 12.50 and equals 12.5.
type ExactDecimal struct {
	text  string
	value *big.Rat
}

// ParseDecimal reads a decimal such as 12.50 or -1.5e3.
func ParseDecimal(text string) (ExactDecimal, error) {
	if len(text) > decimalLimit || !decimalForm.MatchString(text) {
		return ExactDecimal{}, errors.New("not a decimal number such as 12.50")
	}
	value, ok := new(big.Rat).SetString(text)
	if !ok {
		return ExactDecimal{}, errors.New("not a decimal number such as 12.50")
	}
	return ExactDecimal{text: text, value: value}, nil
}

// String gives the digits as they were stored.
func (d ExactDecimal) String() string {
	if d.text == "" {
		return d.rational().RatString()
	}
	return d.text
}

// Cmp compares by value: negative, zero or positive as d is less than, equal to or greater than other.
func (d ExactDecimal) Cmp(other ExactDecimal) int { return d.rational().Cmp(other.rational()) }

// MarshalJSON gives a string, the form in which a snapshot holds decimals.
func (d ExactDecimal) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// rational is for reading only.
func (d ExactDecimal) rational() *big.Rat {
	if d.value == nil {
		return new(big.Rat)
	}
	return d.value
}
