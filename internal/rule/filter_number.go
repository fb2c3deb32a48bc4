package rule

import (
	"errors"
	"math/big"
	"strings"
	"time"
	"unicode"
)

// placesLimit bounds the decimal places that a text can ask for.
const placesLimit = 20

// numberStyle is how a number is written: 1,234.50 or 1.234,50.
type numberStyle struct{ group, decimal string }

// styleOf reads a style off an example of 1234.50 in it; ok is false for what is none.
func styleOf(example string) (style numberStyle, ok bool) {
	signs := strings.FieldsFunc(example, unicode.IsDigit)
	digits := strings.Map(func(c rune) rune {
		if unicode.IsDigit(c) {
			return c
		}
		return -1
	}, example)
	if digits != "123450" && digits != "1234" {
		return style, false
	}
	switch {
	case digits == "1234" && len(signs) <= 1:
		return numberStyle{group: strings.Join(signs, ""), decimal: "."}, true
	case digits == "123450" && len(signs) == 1:
		return numberStyle{decimal: signs[0]}, true
	case digits == "123450" && len(signs) == 2 && signs[0] != signs[1]:
		return numberStyle{group: signs[0], decimal: signs[1]}, true
	default:
		return style, false
	}
}

var usualStyle = numberStyle{group: ",", decimal: "."}

func wantStyle(args []argument) error {
	if _, ok := styleOf(args[0].text); !ok || !args[0].isText {
		return errors.New(`write the style as 1234.50 looks in it, such as "1.234,50"`)
	}
	return nil
}

func wantNumberForm(args []argument) error {
	if len(args) > 0 && !args[0].isText {
		if args[0].number < 0 || args[0].number > placesLimit {
			return errors.New("there can be 0 to 20 decimal places")
		}
		args = args[1:]
	}
	switch len(args) {
	case 0:
		return nil
	case 1:
		return wantStyle(args)
	default:
		return errors.New("the decimal places come first")
	}
}

func wantMoneyForm(args []argument) error {
	if err := wantTexts(args); err != nil {
		return err
	}
	if len(args) == 2 {
		return wantStyle(args[1:])
	}
	return nil
}

// applyNumber writes a number with its thousands apart: with the decimal places that it has, or those asked for.
func applyNumber(c cell, args []argument, _ *time.Location) cell {
	places, style := -1, usualStyle
	for _, a := range args {
		if a.isText {
			style, _ = styleOf(a.text)
		} else {
			places = a.number
		}
	}
	return numberCell(c, places, style, "")
}

// applyMoney writes an amount with two decimal places.
func applyMoney(c cell, args []argument, _ *time.Location) cell {
	currency, style := "", usualStyle
	for i, a := range args {
		if found, ok := styleOf(a.text); ok && (i == 1 || len(args) == 1) {
			style = found
		} else {
			currency = " " + a.text
		}
	}
	return numberCell(c, 2, style, currency)
}

func numberCell(c cell, places int, style numberStyle, after string) cell {
	value, ok := rational(c.value)
	if !ok {
		return cell{kind: String}
	}
	text := c.text()
	if places >= 0 {
		text = value.FloatString(places)
	} else if strings.ContainsAny(text, "eE") || c.kind == JSON {
		text = plainDigits(value)
	}
	return textCell(style.write(text) + after)
}

// plainDigits writes a number without an exponent.
func plainDigits(value *big.Rat) string {
	text := value.FloatString(placesLimit)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// write puts digits such as -1234.50 in the style. A zero has no sign.
func (s numberStyle) write(digits string) string {
	digits = strings.TrimPrefix(digits, "+")
	rest, negative := strings.CutPrefix(digits, "-")
	whole, fraction, hasFraction := strings.Cut(rest, ".")
	var out strings.Builder
	if negative && strings.Trim(rest, "0.") != "" {
		out.WriteByte('-')
	}
	if whole == "" {
		whole = "0"
	}
	for i, c := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			out.WriteString(s.group)
		}
		out.WriteRune(c)
	}
	if hasFraction {
		out.WriteString(s.decimal + fraction)
	}
	return out.String()
}
