package rule

import (
	"strconv"
	"strings"
	"unicode"
)

// tokenKind is the kind of a word in a condition.
type tokenKind int

const (
	tokenEnd tokenKind = iota
	tokenName
	tokenNumber
	tokenText
	tokenSign
)

// token is a word of a condition. column counts from 1, in characters. For a text, text is what is between the quotes
// with its escapes replaced.
type token struct {
	kind   tokenKind
	text   string
	column int
}

// describe names the token in a message.
func (t token) describe() string {
	switch t.kind {
	case tokenEnd:
		return "the end of the line"
	case tokenText:
		return "a text"
	default:
		return t.text
	}
}

// is tells a sign or a word from a text that reads the same.
func (t token) is(text string) bool {
	return t.text == text && (t.kind == tokenSign || t.kind == tokenName)
}

// signHints help people who come from other languages.
var signHints = map[string]string{
	"=": "write == to compare", "&&": "write and", "||": "write or", "!": "write not", "<>": "write !=",
	"“": "write straight quotes, such as \"A\"", "”": "write straight quotes, such as \"A\"", "„": "write straight quotes, such as \"A\"",
	"‘": "write straight quotes, such as 'A'", "’": "write straight quotes, such as 'A'",
	"**": "powers are not available", "//": "whole-number division is not available",
}

// signs are the signs of a condition, the longer ones first.
var signs = []string{
	"“", "”", "„", "‘", "’",
	"&&", "||", "<>", "**", "//", "==", "!=", "<=", ">=", "=", "!", "<", ">", "+", "-", "*", "/", "%", "(", ")", "[", "]", ",", ".",
}

// scanner splits one line, in Python's spelling, into tokens.
type scanner struct {
	line   []rune
	at     int
	tokens []token
}

// scan gives the tokens of a line, the last one being its end. A comment, from # on, is left out.
func scan(line string) ([]token, error) {
	s := &scanner{line: []rune(line)}
	for {
		for unicode.IsSpace(s.peek(0)) {
			s.at++
		}
		if c := s.peek(0); s.at >= len(s.line) || c == '#' {
			s.add(tokenEnd, "", s.at)
			return s.tokens, nil
		}
		if err := s.next(); err != nil {
			return nil, err
		}
	}
}

// peek gives the character at an offset, or 0 past the end.
func (s *scanner) peek(offset int) rune {
	if s.at+offset >= len(s.line) {
		return 0
	}
	return s.line[s.at+offset]
}

func (s *scanner) add(kind tokenKind, text string, start int) {
	s.tokens = append(s.tokens, token{kind: kind, text: text, column: start + 1})
}

func (s *scanner) next() error {
	c := s.peek(0)
	switch {
	case c == '"' || c == '\'':
		return s.text(s.at, false)
	case isLetter(c):
		return s.name()
	case isDigit(c) || c == '.' && isDigit(s.peek(1)) && !s.afterName():
		return s.number()
	default:
		return s.sign()
	}
}

// afterName says that a point would lead on from what is before it.
func (s *scanner) afterName() bool {
	return len(s.tokens) > 0 && s.tokens[len(s.tokens)-1].kind == tokenName
}

func (s *scanner) name() error {
	start := s.at
	for isLetter(s.peek(0)) || unicode.IsDigit(s.peek(0)) {
		s.at++
	}
	name := string(s.line[start:s.at])
	if c := s.peek(0); c == '"' || c == '\'' {
		switch strings.ToLower(name) {
		case "r":
			return s.text(start, true)
		case "u":
			return s.text(start, false)
		default:
			return conditionError(start+1, "a text cannot have the prefix %s", name)
		}
	}
	s.add(tokenName, name, start)
	return nil
}

func (s *scanner) number() error {
	start := s.at
	s.digits()
	if s.peek(0) == '.' {
		s.at++
		s.digits()
	}
	if c := s.peek(0); c == 'e' || c == 'E' {
		exponent := 1
		if sign := s.peek(1); sign == '+' || sign == '-' {
			exponent = 2
		}
		if isDigit(s.peek(exponent)) {
			s.at += exponent
			s.digits()
		}
	}
	if isLetter(s.peek(0)) || s.peek(0) == '.' {
		return conditionError(start+1, "not a number: write digits, such as 12 or 12.50")
	}
	s.add(tokenNumber, strings.ReplaceAll(string(s.line[start:s.at]), "_", ""), start)
	return nil
}

func (s *scanner) digits() {
	for isDigit(s.peek(0)) || s.peek(0) == '_' && isDigit(s.peek(1)) {
		s.at++
	}
}

func (s *scanner) sign() error {
	rest := string(s.line[s.at:min(s.at+2, len(s.line))])
	for _, sign := range signs {
		if !strings.HasPrefix(rest, sign) {
			continue
		}
		if hint, wrong := signHints[sign]; wrong {
			return conditionError(s.at+1, "unexpected %s: %s", sign, hint)
		}
		s.add(tokenSign, sign, s.at)
		s.at += len(sign)
		return nil
	}
	return conditionError(s.at+1, "unexpected %s", strconv.QuoteRune(s.peek(0)))
}

// text reads a quoted text; start is where its prefix or quote stands. In a raw one a backslash is itself.
func (s *scanner) text(start int, raw bool) error {
	quote := s.peek(0)
	if s.peek(1) == quote && s.peek(2) == quote {
		return conditionError(start+1, "write a text between single quotes, not three of them")
	}
	s.at++
	var out strings.Builder
	for s.at < len(s.line) {
		c := s.line[s.at]
		s.at++
		switch {
		case c == quote:
			s.add(tokenText, out.String(), start)
			return nil
		case c == '\\' && s.at < len(s.line):
			if err := s.escape(&out, raw); err != nil {
				return err
			}
		default:
			out.WriteRune(c)
		}
	}
	return conditionError(start+1, "the text has no closing quote")
}

// escapes are Python's escapes of one letter.
var escapes = map[rune]rune{
	'\\': '\\', '\'': '\'', '"': '"', 'a': '\a', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v', '0': 0,
}

// escapeDigits says how many hexadecimal digits follow.
var escapeDigits = map[rune]int{'x': 2, 'u': 4, 'U': 8}

// escape reads what follows a backslash. An unknown escape stays as it is, as in Python.
func (s *scanner) escape(out *strings.Builder, raw bool) error {
	c := s.line[s.at]
	s.at++
	if raw {
		out.WriteRune('\\')
		out.WriteRune(c)
		return nil
	}
	if known, ok := escapes[c]; ok {
		out.WriteRune(known)
		return nil
	}
	count, ok := escapeDigits[c]
	if !ok {
		out.WriteRune('\\')
		out.WriteRune(c)
		return nil
	}
	end := min(s.at+count, len(s.line))
	code, err := strconv.ParseUint(string(s.line[s.at:end]), 16, 32)
	if err != nil || end-s.at < count || code > unicode.MaxRune {
		return conditionError(s.at-1, "the escape \\%c needs %d hexadecimal digits", c, count)
	}
	out.WriteRune(rune(code))
	s.at = end
	return nil
}

func isLetter(c rune) bool { return c == '_' || unicode.IsLetter(c) }

func isDigit(c rune) bool { return c >= '0' && c <= '9' }
