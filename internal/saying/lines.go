package saying

import "strings"

// Line is a line of a text, and whether it came or went.
type Line struct {
	// Kind is "same", "added", "removed", or "left out" for lines that are the same and far from any change.
	Kind string
	Text string
}

// Kinds of lines.
const (
	Same    = "same"
	Added   = "added"
	Removed = "removed"
	LeftOut = "left out"
)

// compareLimit bounds the table of a comparison: texts that differ in more are shown as one that went and one that came.
const compareLimit = 4 << 20

// Lines compares two texts line by line: what went stands before what came.
func Lines(before, after string) []Line {
	a, b := split(before), split(after)
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	compared := lines(Same, a[:head])
	compared = append(compared, middle(a[head:len(a)-tail], b[head:len(b)-tail])...)
	return around(append(compared, lines(Same, a[len(a)-tail:])...))
}

func lines(kind string, texts []string) []Line {
	made := make([]Line, len(texts))
	for i, text := range texts {
		made[i] = Line{kind, text}
	}
	return made
}

func split(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
}

// middle finds the longest sequence of lines that both have.
func middle(a, b []string) []Line {
	if len(a)*len(b) > compareLimit {
		return append(lines(Removed, a), lines(Added, b)...)
	}
	width := len(b) + 1
	common := make([]int32, (len(a)+1)*width)
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i*width+j] = common[(i+1)*width+j+1] + 1
			} else {
				common[i*width+j] = max(common[(i+1)*width+j], common[i*width+j+1])
			}
		}
	}
	var made []Line
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			made = append(made, Line{Same, a[i]})
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || common[(i+1)*width+j] >= common[i*width+j+1]):
			made = append(made, Line{Removed, a[i]})
			i++
		default:
			made = append(made, Line{Added, b[j]})
			j++
		}
	}
	return made
}

// context is how many lines that are the same stand around a change.
const context = 3

// around leaves out long runs of lines that are the same.
func around(all []Line) []Line {
	near := make([]bool, len(all))
	for i, line := range all {
		if line.Kind != Same {
			for j := max(0, i-context); j <= min(len(all)-1, i+context); j++ {
				near[j] = true
			}
		}
	}
	var made []Line
	for i := 0; i < len(all); i++ {
		if near[i] {
			made = append(made, all[i])
			continue
		}
		end := i
		for end < len(all) && !near[end] {
			end++
		}
		if end-i <= 2 {
			made = append(made, all[i:end]...)
		} else {
			made = append(made, Line{Kind: LeftOut})
		}
		i = end - 1
	}
	return made
}
