package django

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// shown is how much of a text from the export a line shows, in characters.
const shown = 60

// short cuts a text for a line.
func short(text string) string {
	if letters := []rune(text); len(letters) > shown {
		return string(letters[:shown]) + "…"
	}
	return text
}

// quoted shows a text from the export: whatever is in it, it stays on its line.
func quoted(text string) string { return strconv.Quote(short(text)) }

// plain takes from a text what a terminal would obey.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, text)
}

// counted gives "1 row" and "2 rows".
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// were gives "1 row was" and "2 rows were".
func were(n int, thing string) string {
	if n == 1 {
		return counted(n, thing) + " was"
	}
	return counted(n, thing) + " were"
}

// sorted gives a map's keys in order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// tally writes counts as "a (3), b (1)".
func tally(counts map[string]int) string {
	parts := make([]string, 0, len(counts))
	for _, name := range sorted(counts) {
		parts = append(parts, fmt.Sprintf("%s (%d)", short(name), counts[name]))
	}
	if more := len(parts) - noteLimit; more > 0 {
		parts = append(parts[:noteLimit], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, ", ")
}

func total(counts map[string]int) int {
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return sum
}
