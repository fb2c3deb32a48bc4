package rule

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// The marks of a template.
const (
	openBraces  = "{{"
	closeBraces = "}}"
	openBlock   = "{%"
	closeBlock  = "%}"
)

// pieceKind is what a piece of a template's text is.
type pieceKind int

const (
	literalPiece pieceKind = iota
	holePiece
	blockPiece
)

// piece is a part of a template's text as it is written.
type piece struct {
	kind   pieceKind
	source string
	place  position
	// open: {{ is never closed.
	open bool
}

// inner is what stands between the marks.
func (p *piece) inner() string {
	if p.open {
		return ""
	}
	return p.source[len(openBraces) : len(p.source)-len(closeBraces)]
}

// word is a block's first word.
func (p *piece) word() string {
	words := strings.Fields(p.inner())
	if len(words) == 0 {
		return ""
	}
	return words[0]
}

// argument is what follows a block's word, in one line.
func (p *piece) argument() string {
	inner := strings.NewReplacer("\n", " ", "\r", " ", "\t", " ").Replace(p.inner())
	return strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(inner), p.word()))
}

// argumentPlace is where the argument begins, if the block is written in one line.
func (p *piece) argumentPlace() position {
	place, inner := p.place, p.inner()
	place.column += len(openBlock) + len(inner) - len(strings.TrimLeft(inner, " \t")) + utf8.RuneCountInString(p.word())
	after := strings.TrimLeft(inner, " \t")[min(len(p.word()), len(strings.TrimLeft(inner, " \t"))):]
	place.column += len(after) - len(strings.TrimLeft(after, " \t"))
	return place
}

// bare is an error when something follows the word of a block that takes nothing.
func (p *piece) bare() error {
	if p.argument() != "" {
		return templateError(p.place, "nothing can follow %s in {%% %s %%}", p.word(), p.word())
	}
	return nil
}

// position is a place in a text. Lines and columns count from 1, in characters.
type position struct{ line, column int }

// pass moves the position over a piece of text.
func (p *position) pass(text string) {
	p.line += strings.Count(text, "\n")
	lineStart := strings.LastIndexByte(text, '\n') + 1
	if lineStart > 0 {
		p.column = 1
	}
	p.column += utf8.RuneCountInString(text[lineStart:])
}

// of gives an error that counts its columns from the place, as one of the template.
func (p position) of(err error) error {
	var own *Error
	if !errors.As(err, &own) {
		return templateError(p, "%s", err)
	}
	if own.Column > 0 {
		p.column += own.Column - 1
	}
	return templateError(p, "%s", own.Message)
}

// cutTemplate splits a text at its placeholders and blocks.
func cutTemplate(text string) ([]piece, error) {
	var pieces []piece
	place, marks := position{line: 1, column: 1}, 0
	add := func(kind pieceKind, source string) {
		pieces = append(pieces, piece{kind: kind, source: source, place: place})
		place.pass(source)
	}
	rest := text
	for {
		hole, block := strings.Index(rest, openBraces), strings.Index(rest, openBlock)
		if hole < 0 && block < 0 {
			add(literalPiece, rest)
			trimLines(pieces)
			return pieces, nil
		}
		kind, start, closing := holePiece, hole, closeBraces
		if hole < 0 || block >= 0 && block < hole {
			kind, start, closing = blockPiece, block, closeBlock
		}
		add(literalPiece, rest[:start])
		if marks++; marks > placeholderLimit {
			return nil, templateError(place, "a text can have at most %d placeholders and blocks", placeholderLimit)
		}
		length := strings.Index(rest[start+2:], closing)
		switch {
		case length >= 0:
			add(kind, rest[start:start+2+length+2])
			rest = rest[start+2+length+2:]
		case kind == blockPiece:
			return nil, templateError(place, "{%% is never closed: write %%} after the condition")
		default:
			add(kind, openBraces)
			pieces[len(pieces)-1].open = true
			rest = rest[start+2:]
		}
	}
}

// trimLines takes the lines out that hold nothing but a block: the text would show them as empty lines. Before and after
// every block stands a literal, if need be an empty one.
func trimLines(pieces []piece) {
	for i := range pieces {
		if pieces[i].kind != blockPiece {
			continue
		}
		before, after := &pieces[i-1], &pieces[i+1]
		lineStart := strings.LastIndexByte(before.source, '\n') + 1
		blankBefore := strings.TrimLeft(before.source[lineStart:], " \t") == "" && (lineStart > 0 || before.place.column == 1)
		lineEnd := strings.IndexByte(after.source, '\n')
		atEnd := lineEnd < 0 && i+2 == len(pieces)
		if atEnd {
			lineEnd = len(after.source) - 1
		}
		if !blankBefore || lineEnd < 0 && !atEnd || strings.TrimSpace(after.source[:lineEnd+1]) != "" {
			continue
		}
		before.source, after.source = before.source[:lineStart], after.source[lineEnd+1:]
		after.place.column = 1 // it begins a line now
	}
}
