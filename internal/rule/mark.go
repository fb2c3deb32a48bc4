package rule

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Mark is the place of a mistake in one of a notification's texts.
type Mark struct {
	// Field is its name in the API, such as "message" or "variants[0].title".
	Field string `json:"field"`
	// Line and Column count from 1, in characters. Column is 1 when only the line is known.
	Line   int `json:"line"`
	Column int `json:"column"`
	// Start is the offset in the whole text and Length the extent, both in characters.
	Start  int `json:"start"`
	Length int `json:"length"`
	// Message says what is wrong, without the place.
	Message string `json:"message"`
}

// mark notes where an error stands, if it has a place.
func (v *validation) mark(field, text string, err error) {
	var own *Error
	if !errors.As(err, &own) || own.Line == 0 {
		return
	}
	m := Mark{Field: field, Line: own.Line, Column: max(own.Column, 1), Message: own.Message}
	lines := strings.SplitAfter(text, "\n")
	if m.Line > len(lines) {
		return
	}
	before := strings.Join(lines[:m.Line-1], "")
	line := []rune(lines[m.Line-1])
	at := min(m.Column-1, len(line))
	m.Start = utf8.RuneCountInString(before) + at
	if own.Column == 0 {
		m.Length = len([]rune(strings.TrimRight(string(line), "\r\n")))
	} else {
		m.Length = extent(string(line[at:]) + strings.Join(lines[m.Line:], ""))
	}
	v.marks = append(v.marks, m)
}

// extent is how much of a text belongs to what stands at its beginning: a whole placeholder or block, a name or path, a
// quoted text, otherwise one character.
func extent(text string) int {
	for opening, closing := range map[string]string{openBraces: closeBraces, openBlock: closeBlock} {
		if strings.HasPrefix(text, opening) {
			if end := strings.Index(text, closing); end > 0 {
				return utf8.RuneCountInString(text[:end+len(closing)])
			}
			return len(opening)
		}
	}
	line, _, _ := strings.Cut(text, "\n")
	runes := []rune(line)
	if len(runes) == 0 {
		return 0
	}
	if quote := runes[0]; quote == '"' || quote == '\'' {
		for i, c := range runes[1:] {
			if c == quote {
				return i + 2
			}
		}
		return len(runes)
	}
	length := 0
	for length < len(runes) && (isLetter(runes[length]) || unicode.IsDigit(runes[length]) || runes[length] == '.') {
		length++
	}
	return max(length, 1)
}

// misplaced gives what is wrong with a line of the conditions, with its place among them.
func (c *condition) misplaced() error {
	own := &Error{Code: ConditionEvalFail, Line: c.line, Message: c.broken.Error()}
	var broken *Error
	if errors.As(c.broken, &broken) {
		own.Column, own.Message = broken.Column, broken.Message
	}
	return own
}
