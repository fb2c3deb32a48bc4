package ui

import (
	"errors"
	"fmt"
	"html/template"
	"net/url"
	"strconv"
	"strings"
)

// functions are what templates can call besides the page's own methods and "asset".
var functions = template.FuncMap{
	"plural": func(count any, noun string) (string, error) {
		n, err := strconv.ParseInt(fmt.Sprint(count), 10, 64)
		return plural(n, noun), err
	},
	"number": func(count any) (string, error) {
		n, err := strconv.ParseInt(fmt.Sprint(count), 10, 64)
		return grouped(n), err
	},
	"length":    Length,
	"words":     words,
	"join":      strings.Join,
	"withQuery": withQuery,
	"nextPage":  nextPage,
	"dict":      dict,
	"list":      func(items ...any) []any { return items },
	"lines":     func(text string) []string { return strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n") },
	"short":     short,
	"state":     state,
	"icon":      icon,
}

// Plural writes a count with its noun, as templates do.
func Plural(n int, noun string) string { return plural(int64(n), noun) }

// plural writes a count with its noun: 1 rule, 2 rules, 3 deliveries.
func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if before, ok := strings.CutSuffix(noun, "y"); ok && !strings.ContainsAny(noun[len(noun)-2:len(noun)-1], "aeiou") {
		return grouped(n) + " " + before + "ies"
	}
	if strings.HasSuffix(noun, "s") {
		return grouped(n) + " " + noun + "es"
	}
	return grouped(n) + " " + noun + "s"
}

// grouped writes a whole number with its thousands apart.
func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// words turns a code such as value_change into words.
func words(code any) string { return strings.ReplaceAll(fmt.Sprint(code), "_", " ") }

// short cuts a long text, at a character.
func short(limit int, text string) string {
	runes := []rune(text)
	if len(runes) <= limit {
		return text
	}
	return string(runes[:limit-1]) + "…"
}

// withQuery gives a query string with one parameter set, or taken out when the value is empty: links that keep all filters.
func withQuery(query url.Values, name string, value any) string {
	changed := url.Values{}
	for key, values := range query {
		changed[key] = values
	}
	changed.Del("cursor") // another list begins at its beginning
	if text := fmt.Sprint(value); text == "" {
		changed.Del(name)
	} else {
		changed.Set(name, text)
	}
	return "?" + changed.Encode()
}

// dict makes a map for a template that needs several values: {{template "x" (dict "Page" $ "Item" .)}}.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, errors.New("dict needs pairs")
	}
	made := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: %v is no name", pairs[i])
		}
		made[name] = pairs[i+1]
	}
	return made, nil
}

// tones say how the states of deliveries, events, attempts and health look: their word is always written beside the colour.
var tones = map[string]string{
	"sent": "good", "delivered": "good", "ok": "good", "active": "good", "resolved": "good", "settled": "good", "new": "good",
	"pending": "calm", "sending": "busy", "started": "busy", "retrying": "busy",
	"failed": "bad", "permanent": "bad", "down": "bad", "invalid": "bad",
	"unknown": "warn", "temporary": "warn", "changed": "warn", "open": "warn", "warning": "warn",
	"suppressed": "dull", "same": "dull", "inactive": "dull", "off": "dull", "not configured": "dull",
}

// state is a badge for a state.
func state(of any) template.HTML {
	text := fmt.Sprint(of)
	tone, ok := tones[text]
	if !ok {
		tone = "calm"
	}
	return template.HTML(`<span class="state ` + tone + `">` + template.HTMLEscapeString(words(text)) + `</span>`) //nolint:gosec // escaped
}

// nextPage gives the query string of a list's next part.
func nextPage(query url.Values, cursor string) string {
	changed := url.Values{}
	for key, values := range query {
		changed[key] = values
	}
	changed.Set("cursor", cursor)
	return "?" + changed.Encode()
}
