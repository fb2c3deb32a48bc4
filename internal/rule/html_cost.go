package rule

import (
	"regexp"
	"strings"
)

// The limits that keep html/template's work bounded. It looks at the rest of the text once for every < that begins no
// tag, and once for every word within an element whose content is not HTML: 256 KiB of < take minutes.
const (
	looseLessLimit  = 200
	rawElementLimit = 32 << 10 // bytes
)

var (
	beginsMarkup  = regexp.MustCompile(`<(?:/?[a-zA-Z]|!--)`)
	scriptElement = regexp.MustCompile(`(?i)<script`)
)

// rawElement is an element whose content html/template does not read as HTML.
type rawElement struct {
	name        string
	open, close *regexp.Regexp
}

var rawElements = []rawElement{newRawElement("title"), newRawElement("style"), newRawElement("textarea")}

func newRawElement(name string) rawElement {
	return rawElement{
		name:  name,
		open:  regexp.MustCompile(`(?i)<` + name),
		close: regexp.MustCompile(`(?i)</` + name + `[ \t\n\f/>]`),
	}
}

// checkHTMLCost refuses HTML that is too much work to make safe. Every kind of raw element is looked for on its own, so
// that one within another, or within an attribute, hides nothing.
func checkHTMLCost(source string) error {
	if scriptElement.MatchString(source) {
		return htmlCostError("mail programs run no scripts: remove the script element")
	}
	loose := strings.Count(source, "<") - len(beginsMarkup.FindAllStringIndex(source, -1))
	for _, element := range rawElements {
		count, longest := element.measure(source)
		if longest > rawElementLimit {
			return htmlCostError("a " + element.name + " element can hold at most 32 KiB and must be closed")
		}
		loose += count
	}
	if loose > looseLessLimit {
		return htmlCostError("too many < that begin no tag: write &lt; instead")
	}
	return nil
}

// measure counts the < within the elements, and gives the length of the longest; an open one goes to the end.
func (e rawElement) measure(source string) (count, longest int) {
	for {
		open := e.open.FindStringIndex(source)
		if open == nil {
			return count, longest
		}
		source = source[open[1]:]
		content, rest := source, ""
		if end := e.close.FindStringIndex(source); end != nil {
			content, rest = source[:end[0]], source[end[1]:]
		}
		count += strings.Count(content, "<")
		longest = max(longest, len(content))
		source = rest
	}
}

func htmlCostError(message string) error { return &Error{Code: TemplateParseFail, Message: message} }
