package rule

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Completion is what can go on a text that a person writes.
type Completion struct {
	// Replace is how many characters before the end of the text each item replaces.
	Replace int              `json:"replace"`
	Items   []CompletionItem `json:"items"`
}

// CompletionItem is one way to go on.
type CompletionItem struct {
	// Text replaces the beginning of the word.
	Text string `json:"text"`
	// Label names a field for people; Type says what it is, such as string, a relation's model, or what a filter takes.
	Label string `json:"label"`
	Type  string `json:"type"`
	// More says that something must follow: the fields of a relation, or what stands between parentheses.
	More bool `json:"more"`
}

// completionLimit bounds what is offered: a person goes on writing to narrow it down.
const completionLimit = 60

// CompleteTemplate offers what can follow a template's text up to the place where a person writes: fields, relations,
// filters and blocks within {{ … }} and {% … %}, nothing outside of them.
func (r Reader) CompleteTemplate(m *Model, text string) Completion {
	hole, block := strings.LastIndex(text, openBraces), strings.LastIndex(text, openBlock)
	opening, closing, isHole := block, closeBlock, hole > block
	if isHole {
		opening, closing = hole, closeBraces
	}
	if opening < 0 || strings.Contains(text[opening:], closing) {
		return Completion{Items: []CompletionItem{}}
	}
	names := r.loopNames(m, text[:opening])
	inner := text[opening+2:]
	if isHole {
		return completeHole(names, inner)
	}
	return completeBlock(names, inner)
}

// CompleteCondition offers what can follow a line of the conditions up to the place where a person writes.
func (r Reader) CompleteCondition(m *Model, text string) Completion {
	line := text[strings.LastIndexByte(text, '\n')+1:]
	return completeCondition(newNames(r.Models, m, newNeeds(), r.Settings.zone(&Notification{})), line)
}

// CompletePath offers what can follow a path that stands alone, such as a recipient's document field.
func (r Reader) CompletePath(m *Model, text string) Completion {
	return completePath(newNames(r.Models, m, newNeeds(), r.Settings.zone(&Notification{})), strings.TrimLeft(text, " "), anyEnd)
}

// blockForm finds the beginnings and ends of loops.
var blockForm = regexp.MustCompile(`{%\s*(?:(for)\s+(\w+)\s+in\s+([\w.]+)|(endfor))\s*%}`)

// loopNames knows the rows of the loops that are open at the end of a text.
func (r Reader) loopNames(m *Model, text string) *scopeNames {
	open := []*scopeNames{newNames(r.Models, m, newNeeds(), r.Settings.zone(&Notification{}))}
	for _, found := range blockForm.FindAllStringSubmatch(text, -1) {
		names := open[len(open)-1]
		switch {
		case found[1] != "":
			if rows, err := names.resolve(strings.Split(found[3], ".")); err == nil && rows.rows && rows.model != nil {
				names = names.with(found[2], rows).with(loopName, path{model: loopRow, includes: Includes{}})
			}
			open = append(open, names)
		case len(open) > 1:
			open = open[:len(open)-1]
		}
	}
	return open[len(open)-1]
}

func completeHole(names *scopeNames, inner string) Completion {
	parts := splitQuoted(inner, '|')
	last := strings.TrimLeft(parts[len(parts)-1], " \t")
	if len(parts) == 1 {
		return completePath(names, last, anyEnd)
	}
	if strings.IndexFunc(last, func(c rune) bool { return !isLetter(c) && !unicode.IsDigit(c) }) >= 0 {
		return Completion{Items: []CompletionItem{}} // a filter's arguments
	}
	in, known := shapeBefore(names, parts[:len(parts)-1])
	c := newCompletion(last)
	for _, f := range filters {
		if !known || f.takes == nil && in != rowsShape || slices.Contains(f.takes, in) {
			c.offer(CompletionItem{Text: f.name, Type: f.arguments, More: f.min > 0})
		}
	}
	return c.done()
}

// shapeBefore is what a placeholder gives so far.
func shapeBefore(names *scopeNames, parts []string) (out shape, known bool) {
	found, err := names.resolve(strings.Split(strings.TrimSpace(parts[0]), "."))
	if err != nil {
		return out, false
	}
	out = shapeOf(found)
	for _, part := range parts[1:] {
		applied, err := parseFilter(part)
		if err != nil {
			return out, false
		}
		out = applied.filter.gives
	}
	return out, true
}

// blockWords are the words that begin a block.
var blockWords = []CompletionItem{
	{Text: "if", Type: "a condition, such as if doc.paid", More: true}, {Text: "elif", Type: "a condition", More: true}, {Text: "else"},
	{Text: "endif"}, {Text: "for", Type: "such as for item in doc.items", More: true}, {Text: "empty"}, {Text: "endfor"},
}

func completeBlock(names *scopeNames, inner string) Completion {
	inner = strings.TrimLeft(inner, " \t\n")
	word, rest, argued := strings.Cut(inner, " ")
	switch {
	case !argued:
		c := newCompletion(word)
		for _, item := range blockWords {
			c.offer(item)
		}
		return c.done()
	case word == "if" || word == "elif":
		return completeCondition(names, rest)
	case word == "for":
		if _, source, ok := strings.Cut(rest, " in "); ok {
			return completePath(names, strings.TrimLeft(source, " "), rowsEnd)
		}
	}
	return Completion{Items: []CompletionItem{}}
}

// conditionWords are the words of the language that are neither names nor functions.
var conditionWords = []CompletionItem{
	{Text: "and"}, {Text: "or"}, {Text: "not"}, {Text: "in"}, {Text: "is"}, {Text: "None", Label: "no value"}, {Text: "True"}, {Text: "False"},
	{Text: "startswith"}, {Text: "endswith"}, {Text: "contains"}, {Text: "matches"},
}

func completeCondition(names *scopeNames, line string) Completion {
	if inText(line) {
		return Completion{Items: []CompletionItem{}}
	}
	start := strings.LastIndexFunc(line, func(c rune) bool { return !isLetter(c) && !unicode.IsDigit(c) && c != '.' })
	word := line
	if start >= 0 {
		_, size := utf8.DecodeRuneInString(line[start:])
		word = line[start+size:]
	}
	if word != "" && isDigit(rune(word[0])) {
		return Completion{Items: []CompletionItem{}}
	}
	c := completePath(names, word, anyEnd)
	if strings.Contains(word, ".") {
		return c
	}
	more := newCompletion(word)
	for _, f := range functions {
		more.offer(CompletionItem{Text: f.name + "(", Type: f.takes, More: f.takes != ""})
	}
	if strings.TrimSpace(line) != word || word != "" { // not at the beginning: a line begins with a field
		for _, item := range conditionWords {
			more.offer(item)
		}
	}
	c.Items = append(c.Items, more.done().Items...)
	return c
}

// inText says that a line ends within quotes or a comment.
func inText(line string) bool {
	var quote rune
	for _, c := range line {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '#':
			return true
		case c == '"' || c == '\'':
			quote = c
		}
	}
	return quote != 0
}

// pathEnd says what a path must lead to.
type pathEnd int

const (
	anyEnd pathEnd = iota
	rowsEnd
)

// completePath offers the names that can end or go on a path.
func completePath(names *scopeNames, text string, end pathEnd) Completion {
	parts := strings.Split(text, ".")
	c := newCompletion(parts[len(parts)-1])
	if len(parts) == 1 {
		c.roots(names)
		return c.done()
	}
	found, err := names.resolve(parts[:len(parts)-1])
	if err != nil || !found.rows {
		return c.done()
	}
	if found.model == nil {
		for _, f := range notifFields {
			c.offer(CompletionItem{Text: f.Name, Type: string(f.Type)})
		}
		return c.done()
	}
	if end != rowsEnd {
		c.fields(found.model, func(name string) bool { return !found.model.isReference(name) })
	}
	for _, r := range found.model.Relations {
		if _, ok := names.models.Model(r.Model); !ok || len(found.hops) == hopLimit {
			continue
		}
		kind := "one of " + r.Model
		if r.Kind == HasMany {
			kind = "many " + r.Model
		}
		c.offer(CompletionItem{Text: r.Name, Label: r.Label, Type: kind, More: end != rowsEnd || r.Kind != HasMany})
	}
	if end != rowsEnd {
		c.fields(found.model, found.model.isReference)
	}
	return c.done()
}

// fields offers those of a model's fields that are of a kind.
func (c *completing) fields(m *Model, kind func(name string) bool) {
	for _, f := range m.Fields {
		if kind(f.Name) {
			c.offer(CompletionItem{Text: f.Name, Label: f.Label, Type: string(f.Type)})
		}
	}
}

// isReference says that a field holds another row's key: people mean that row's fields, so it comes after the relation.
func (m *Model) isReference(field string) bool {
	return slices.ContainsFunc(m.Relations, func(r Relation) bool { return r.Kind == BelongsTo && r.Field == field })
}

// rootLabels say what the names are that every rule has.
var rootLabels = map[string]string{docName: "the row, as it is after the change", oldDocName: "the row, as it was before the change", notifName: "this notification", loopName: "the turn of this loop"}

// completing gathers what fits the beginning of a word.
type completing struct {
	word           string
	begins, within []CompletionItem
}

func newCompletion(word string) *completing { return &completing{word: word} }

// roots offers the names that a path can begin with, those of loops first.
func (c *completing) roots(names *scopeNames) {
	known := []string{docName, oldDocName, notifName}
	for name := range names.roots {
		if !slices.Contains(known, name) {
			known = append(known, name)
		}
	}
	slices.Sort(known[3:])
	for _, name := range append(known[3:len(known):len(known)], known[:3]...) {
		item := CompletionItem{Text: name, Label: rootLabels[name], More: true}
		if root := names.roots[name]; root.model != nil {
			item.Type = root.model.Name
		}
		c.offer(item)
	}
}

// offer takes an item whose text or label holds the word; those that begin with it come first.
func (c *completing) offer(item CompletionItem) {
	word := strings.ToLower(c.word)
	switch text := strings.ToLower(item.Text); {
	case strings.HasPrefix(text, word):
		c.begins = append(c.begins, item)
	case strings.Contains(text, word) || strings.Contains(strings.ToLower(item.Label), word):
		c.within = append(c.within, item)
	}
}

func (c *completing) done() Completion {
	items := append(append([]CompletionItem{}, c.begins...), c.within...)
	return Completion{Replace: utf8.RuneCountInString(c.word), Items: items[:min(len(items), completionLimit)]}
}
