package rule

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// shape is what a placeholder's value is, as far as it is known before there is a row.
type shape int

const (
	textShape shape = iota
	numberShape
	boolShape
	momentShape
	anyShape // JSON, and binary data
	listShape
	rowsShape
)

func shapeOf(p path) shape {
	switch {
	case p.rows:
		return rowsShape
	case p.many:
		return listShape
	}
	switch p.field.Type {
	case Integer, Float, Decimal:
		return numberShape
	case Boolean:
		return boolShape
	case Date, DateTime, Time:
		return momentShape
	case String:
		return textShape
	default:
		return anyShape
	}
}

// filter turns a value into another one.
type filter struct {
	name string
	// arguments says which there can be, for people.
	arguments string
	min, max  int
	// takes lists the shapes that it works on; nil: all but rows.
	takes []shape
	// needs completes the sentence "it needs …".
	needs string
	gives shape
	// args looks closer at the arguments; nil when there is nothing to look at.
	args  func(args []argument) error
	apply func(c cell, args []argument, zone *time.Location) cell
}

// defaultFilter is the one that stands for a value that is missing.
const defaultFilter = "default"

var filters = []*filter{
	{name: defaultFilter, arguments: `a text, such as default "none"`, min: 1, max: 1, gives: textShape, apply: applyDefault},
	textFilter("upper", strings.ToUpper),
	textFilter("lower", strings.ToLower),
	textFilter("title", titled),
	textFilter("capitalize", capitalized),
	textFilter("trim", strings.TrimSpace),
	textFilter("urlencode", func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }),
	{name: "truncate", arguments: "a number of characters, such as truncate 80", min: 1, max: 1, gives: textShape, args: wantNumber(1, 10_000), apply: truncate},
	{name: "date", arguments: `a form and perhaps a time zone, such as date "DD.MM.YYYY" "Europe/Berlin"`, max: 2,
		takes: []shape{momentShape}, needs: "a date or a time", gives: textShape, args: wantDateForm, apply: applyDate},
	{name: "time", arguments: `a form and perhaps a time zone, such as time "HH:mm"`, max: 2,
		takes: []shape{momentShape}, needs: "a date or a time", gives: textShape, args: wantDateForm, apply: applyTime},
	{name: "number", arguments: `decimal places and a style, such as number 2 or number 2 "1.234,50"`, max: 2,
		takes: []shape{numberShape, anyShape}, needs: "a number", gives: textShape, args: wantNumberForm, apply: applyNumber},
	{name: "money", arguments: `a currency and a style, such as money "EUR" or money "EUR" "1.234,50"`, max: 2,
		takes: []shape{numberShape, anyShape}, needs: "a number", gives: textShape, args: wantMoneyForm, apply: applyMoney},
	{name: "count", takes: []shape{listShape, rowsShape, anyShape}, needs: "a relation to many or a JSON list", gives: numberShape, apply: count},
	{name: "plural", arguments: `endings, such as plural or plural "y" "ies"`, max: 2, takes: []shape{numberShape}, needs: "a number, such as a count",
		gives: textShape, args: wantTexts, apply: plural},
	{name: "join", arguments: `what stands between, such as join ", "`, max: 1, takes: []shape{listShape, anyShape}, needs: "a relation to many or a JSON list",
		gives: textShape, args: wantTexts, apply: join},
	{name: "first", takes: []shape{listShape}, needs: "a relation to many", gives: textShape, apply: first},
	{name: "yesno", arguments: `two texts, such as yesno "paid" "open"`, max: 2, gives: textShape, args: wantTexts, apply: yesNo},
}

func textFilter(name string, change func(string) string) *filter {
	return &filter{name: name, gives: textShape, apply: func(c cell, _ []argument, _ *time.Location) cell {
		return textCell(change(c.text()))
	}}
}

// check says what is wrong with using the filter here, and what comes out of it.
func (f *filter) check(in shape, args []argument) (shape, error) {
	switch {
	case f.takes == nil && in == rowsShape:
		return in, errors.New("name a field of the row first")
	case f.takes != nil && !slices.Contains(f.takes, in):
		return in, fmt.Errorf("it needs %s before it", f.needs)
	case len(args) < f.min || len(args) > f.max:
		if f.arguments == "" {
			return in, errors.New("it takes nothing after its name")
		}
		return in, fmt.Errorf("it takes %s", f.arguments)
	case f.args != nil:
		if err := f.args(args); err != nil {
			return in, fmt.Errorf("%w: it takes %s", err, f.arguments)
		}
	}
	return f.gives, nil
}

// parseFilter reads a filter's name and its arguments: after a space, a colon or within parentheses, set apart by spaces
// or commas.
func parseFilter(text string) (appliedFilter, error) {
	text = strings.TrimSpace(text)
	end := strings.IndexFunc(text, func(c rune) bool { return !isLetter(c) && !unicode.IsDigit(c) })
	if end < 0 {
		end = len(text)
	}
	name, rest := text[:end], strings.TrimSpace(text[end:])
	at := slices.IndexFunc(filters, func(f *filter) bool { return f.name == name })
	if at < 0 {
		return appliedFilter{}, unknownFilter(name)
	}
	if inner, ok := strings.CutPrefix(rest, "("); ok {
		if rest, ok = strings.CutSuffix(inner, ")"); !ok {
			return appliedFilter{}, fmt.Errorf("%s: ) is missing", name)
		}
	} else {
		rest = strings.TrimPrefix(rest, ":")
	}
	args, err := parseArguments(rest)
	if err != nil {
		return appliedFilter{}, fmt.Errorf("%s: %w", name, err)
	}
	return appliedFilter{filter: filters[at], args: args}, nil
}

func unknownFilter(name string) error {
	known := make([]Field, len(filters))
	names := make([]string, len(filters))
	for i, f := range filters {
		known[i], names[i] = Field{Name: f.name}, f.name
	}
	if near := nearest(name, known); near != "" {
		return fmt.Errorf("there is no filter %s: did you mean %s?", name, near)
	}
	return fmt.Errorf("there is no filter %q: there are %s", name, strings.Join(names, ", "))
}

// argumentLimit bounds the texts after a filter's name, in characters.
const argumentLimit = 200

func parseArguments(text string) (args []argument, err error) {
	for {
		text = strings.TrimLeft(text, " \t\r\n,")
		if text == "" {
			return args, nil
		}
		if quote := text[0]; quote == '"' || quote == '\'' {
			end := strings.IndexByte(text[1:], quote)
			if end < 0 {
				return nil, errors.New("the text has no closing quote")
			}
			if utf8.RuneCountInString(text[1:1+end]) > argumentLimit {
				return nil, fmt.Errorf("a text after a filter has %d characters at most", argumentLimit)
			}
			args, text = append(args, argument{text: text[1 : 1+end], isText: true}), text[end+2:]
			continue
		}
		end := strings.IndexAny(text, " \t\r\n,")
		if end < 0 {
			end = len(text)
		}
		number, err := strconv.Atoi(text[:end])
		if err != nil {
			return nil, errors.New("put the text in quotes")
		}
		args, text = append(args, argument{number: number}), text[end:]
	}
}

func wantNumber(least, most int) func([]argument) error {
	return func(args []argument) error {
		if args[0].isText || args[0].number < least || args[0].number > most {
			return fmt.Errorf("the number must be from %d to %d", least, most)
		}
		return nil
	}
}

func wantTexts(args []argument) error {
	if slices.ContainsFunc(args, func(a argument) bool { return !a.isText }) {
		return errors.New("a number cannot stand here")
	}
	return nil
}

func applyDefault(c cell, args []argument, _ *time.Location) cell {
	if !c.empty() {
		return c
	}
	if args[0].isText {
		return textCell(args[0].text)
	}
	return textCell(strconv.Itoa(args[0].number))
}

func titled(text string) string {
	start := true
	return strings.Map(func(c rune) rune {
		defer func() { start = !unicode.IsLetter(c) && !unicode.IsDigit(c) && c != '\'' && c != '’' }()
		if start {
			return unicode.ToTitle(c)
		}
		return unicode.ToLower(c)
	}, text)
}

func capitalized(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return text
	}
	return string(unicode.ToTitle(first)) + text[size:]
}

// truncate counts the … among the characters.
func truncate(c cell, args []argument, _ *time.Location) cell {
	text, limit := c.text(), args[0].number
	if utf8.RuneCountInString(text) <= limit {
		return textCell(text)
	}
	return textCell(strings.TrimRightFunc(string([]rune(text)[:limit-1]), unicode.IsSpace) + "…")
}

func count(c cell, _ []argument, _ *time.Location) cell {
	n := len(c.list)
	if !c.isList {
		switch v := c.value.(type) {
		case []any:
			n = len(v)
		case map[string]any:
			n = len(v)
		}
	}
	return cell{kind: Integer, value: int64(n)}
}

// plural gives the ending of a word: nothing for one, and s otherwise, or the two endings that are given.
func plural(c cell, args []argument, _ *time.Location) cell {
	one, more := "", "s"
	switch len(args) {
	case 1:
		more = args[0].text
	case 2:
		one, more = args[0].text, args[1].text
	}
	if c.value != nil && equal(c.value, int64(1)) {
		return textCell(one)
	}
	return textCell(more)
}

func join(c cell, args []argument, _ *time.Location) cell {
	between := ", "
	if len(args) == 1 {
		between = args[0].text
	}
	if values, ok := c.value.([]any); ok && !c.isList {
		for _, value := range values {
			kind := JSON
			if _, isText := value.(string); isText {
				kind = String
			}
			c.list = append(c.list, cell{kind: kind, value: value})
		}
		c.isList = true
	}
	if !c.isList {
		return textCell(c.text())
	}
	return textCell(c.joined(between))
}

func first(c cell, _ []argument, _ *time.Location) cell {
	if len(c.list) == 0 {
		return cell{kind: String}
	}
	return textCell(c.list[0].text())
}

// yesNo sees values as conditions do: null, zero and empty are no.
func yesNo(c cell, args []argument, _ *time.Location) cell {
	texts := []string{"yes", "no"}
	for i, a := range args {
		texts[i] = a.text
	}
	if truthful(c) {
		return textCell(texts[0])
	}
	return textCell(texts[1])
}

func truthful(c cell) bool {
	if c.isList {
		return len(c.list) > 0
	}
	holds, err := truthCall(c.value)
	return err == nil && holds == true
}
