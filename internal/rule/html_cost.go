package rule

import "strings"

// The limits that keep html/template's work bounded. It looks at the rest of the text once for every < that begins no
// tag, and once for every word within an element whose content is not HTML: 256 KiB of < take minutes.
const (
	looseLessLimit  = 200
	rawElementLimit = 32 << 10 // bytes
)

// rawElements are the elements whose content html/template does not read as HTML; scripts are refused.
var rawElements = []string{"title", "style", "textarea"}

// checkHTMLCost refuses HTML that is too much work to make safe. Every kind of raw element is looked for on its own, so
// that one within another, or within an attribute, hides nothing.
func checkHTMLCost(source string) error {
	source = strings.ToLower(source)
	if strings.Contains(source, "<script") {
		return htmlCostError("mail programs run no scripts: remove the script element")
	}
	loose := looseLess(source)
	for _, name := range rawElements {
		count, longest := measureElements(source, name)
		if longest > rawElementLimit {
			return htmlCostError("a " + name + " element can hold at most 32 KiB and must be closed")
		}
		loose += count
	}
	if loose > looseLessLimit {
		return htmlCostError("too many < that begin no tag: write &lt; instead")
	}
	return nil
}

func htmlCostError(message string) error { return &Error{Code: TemplateParseFail, Message: message} }

// looseLess counts the < that begin neither a tag nor a comment.
func looseLess(source string) (count int) {
	for _, after := range strings.Split(source, "<")[1:] {
		name := strings.TrimPrefix(after, "/")
		if !strings.HasPrefix(after, "!--") && (name == "" || name[0] < 'a' || name[0] > 'z') {
			count++
		}
	}
	return count
}

// measureElements counts the < within the elements of a name, and gives the length of the longest; one that is never
// closed goes to the end.
func measureElements(source, name string) (count, longest int) {
	for {
		_, content, found := strings.Cut(source, "<"+name)
		if !found {
			return count, longest
		}
		content, source = cutElement(content, "</"+name)
		count += strings.Count(content, "<")
		longest = max(longest, len(content))
	}
}

// cutElement splits at an end tag, which html/template wants to be followed by a space, / or >.
func cutElement(source, endTag string) (content, rest string) {
	for at := 0; ; {
		next := strings.Index(source[at:], endTag)
		if next < 0 {
			return source, ""
		}
		end := at + next
		at = end + len(endTag)
		if at < len(source) && strings.IndexByte(" \t\n\f/>", source[at]) >= 0 {
			return source[:end], source[at:]
		}
	}
}
