// Package wording makes a text that may be kept of words that somebody else wrote: a mail server, a provider, a person
// who stopped a workflow by hand. They come in any encoding and any length, and a database that refuses such a text refuses
// what it tells of with it: that a message was taken, so that it would be sent again.
package wording

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kept gives the text as both databases take it (Postgres takes neither broken UTF-8 nor NUL) and people can read it: in
// valid UTF-8, its control characters but line ends and tabs made spaces, cut to a number of characters of which the last
// then is an ellipsis. A limit of zero cuts nothing.
func Kept(text string, limit int) string {
	if limit > 0 && len(text) > limit*utf8.UTFMax+len(replacement) { // so that the work is bounded, too
		text = text[:limit*utf8.UTFMax+len(replacement)]
	}
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, replacement)
	}
	text = strings.Map(readable, text)
	if limit > 0 && utf8.RuneCountInString(text) > limit {
		text = string([]rune(text)[:limit-1]) + "…"
	}
	return text
}

// replacement stands for bytes that are no UTF-8.
const replacement = "\uFFFD"

func readable(r rune) rune {
	if unicode.IsControl(r) && r != '\n' && r != '\t' {
		return ' '
	}
	return r
}
