package rule

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// markup gives what a browser or a mail reader makes of HTML: its elements with the names of their attributes, and where
// its links lead.
func markup(t *testing.T, text string) (shape []string, links []string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Type == html.CommentNode {
			shape = append(shape, "<!-- -->")
		}
		if n.Type != html.ElementNode {
			continue
		}
		element := n.Data
		for _, a := range n.Attr {
			element += " " + a.Key
			if slices.Contains([]string{"href", "src", "action", "formaction", "background", "cite", "poster", "srcset", "data"}, a.Key) {
				links = append(links, a.Val)
			}
		}
		shape = append(shape, element)
	}
	return shape, links
}

// leads gives a link's scheme as browsers read it: without the controls and blanks that they drop.
func leads(link string) string {
	link = strings.Map(func(r rune) rune {
		if r <= ' ' {
			return -1
		}
		return r
	}, link)
	scheme, _, found := strings.Cut(link, ":")
	if !found {
		return ""
	}
	return strings.ToLower(scheme)
}

// runs are the schemes of links that do something by themselves.
var runs = []string{"javascript", "vbscript", "livescript", "data", "blob", "file", "filesystem", "about", "view-source"}

// hostileValues are what somebody may have typed into a field of the application.
var hostileValues = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `'><svg onload=alert(1)>`, `" onmouseover="alert(1)`, `' onfocus='alert(1)' autofocus='`,
	"` onclick=alert(1) `", "x onclick=alert(1)", "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", " javascript:alert(1)", "\x01javascript:alert(1)",
	"javascript&colon;alert(1)", "vbscript:msgbox(1)", "data:text/html,<script>alert(1)</script>", "data:text/html;base64,PHNjcmlwdD4=", "//evil.example.com/x",
	"https://evil.example.com", "</style><script>alert(1)</script>", "red;background:url(javascript:alert(1))", "expression(alert(1))", "-->", "--><script>alert(1)</script><!--",
	"]]><script>alert(1)</script>", "</title></textarea><script>alert(1)</script>", "{{ doc.amount }}", "{{hole 0 .}}", "{% if doc.paid %}x{% endif %}", "\u2028alert(1)",
	"+ADw-script+AD4-alert(1)+ADw-/script+AD4-", "\x00<script>alert(1)</script>", "<scr\x00ipt>alert(1)</script>", "onclick", "style", "href", "script",
}

// places are where an author may put a value. A place that cannot be made safe is refused when the notification is saved.
var places = []string{
	`<p>{{ doc.status }}</p>`, `<p title="{{ doc.status }}">x</p>`, `<p title='{{ doc.status }}'>x</p>`, `<p title={{ doc.status }}>x</p>`, `<p {{ doc.status }}>x</p>`,
	`<p {{ doc.status }}="x">x</p>`, `<p data-x="{{ doc.status }}">x</p>`, `<{{ doc.status }}>x`, `<p{{ doc.status }}>x</p>`, `<a href="{{ doc.status }}">x</a>`,
	`<a href={{ doc.status }}>x</a>`, `<a href=" {{ doc.status }}">x</a>`, `<a href="https://{{ doc.status }}">x</a>`, `<a href="java{{ doc.status }}">x</a>`,
	`<a href="{{ doc.status }}:x">x</a>`, `<a href="/o?a={{ doc.status }}&b=1">x</a>`, `<a href="mailto:{{ doc.status }}">x</a>`, `<img src="{{ doc.status }}">`,
	`<img srcset="{{ doc.status }} 1x">`, `<p style="color:{{ doc.status }}">x</p>`, `<p style="{{ doc.status }}">x</p>`, `<style>p { color: {{ doc.status }} }</style>`,
	`<style>{{ doc.status }}</style>`, `<p onclick="f({{ doc.status }})">x</p>`, `<p onclick="f('{{ doc.status }}')">x</p>`, `<script>f({{ doc.status }})</script>`,
	"<script>f(`{{ doc.status }}`)</script>", `<textarea>{{ doc.status }}</textarea>`, `<title>{{ doc.status }}</title>`, `<!-- {{ doc.status }} --><p>x</p>`,
	`<form action="{{ doc.status }}"></form>`, `<table background="{{ doc.status }}"></table>`, `{% if doc.paid %}<a href="{% endif %}{{ doc.status }}">x</a>`,
	`<p>{% for i in doc.items %}<b title="{{ doc.status }}">{{ doc.status }}</b>{% endfor %}</p>`, `<a {% if doc.paid %}href{% else %}title{% endif %}="{{ doc.status }}">x</a>`,
	`<meta http-equiv="refresh" content="0;url={{ doc.status }}">`, `<iframe srcdoc="{{ doc.status }}"></iframe>`, `<object data="{{ doc.status }}"></object>`,
	`<svg><a xlink:href="{{ doc.status }}">x</a></svg>`, `<noscript>{{ doc.status }}</noscript>`, `<plaintext>{{ doc.status }}`, `<base href="{{ doc.status }}"><p>x</p>`,
}

// TestAValueNeverBecomesMarkupOrAScriptsLink: whatever a row holds, the elements, the attributes and the kinds of links are
// those that the author wrote.
func TestAValueNeverBecomesMarkupOrAScriptsLink(t *testing.T) {
	t.Parallel()
	taken := 0
	for _, place := range places {
		n := notification()
		n.HTMLMessage = place
		if len(reader().Validate(n)) > 0 {
			continue
		}
		taken++
		c := compiled(t, func(n *Notification) { n.HTMLMessage = place })
		said := func(value string) string {
			doc := anOrderOfTheShop()
			doc["status"] = value
			scope, _ := loaded(t, c, aShop(), Scope{Doc: doc})
			content, err := c.Render(scope, "")
			if err != nil {
				t.Fatalf("%s with %q: %v", place, value, err)
			}
			return content.HTML
		}
		want, _ := markup(t, said("plain"))
		for _, value := range hostileValues {
			result := said(value)
			shape, links := markup(t, result)
			if !slices.Equal(shape, want) && !harmlessAttribute(want, shape, value) {
				t.Errorf("%s with %q became %s: %q in place of %q", place, value, result, shape, want)
			}
			for _, link := range links {
				if scheme := leads(link); slices.Contains(runs, scheme) {
					t.Errorf("%s with %q leads to %s: %q", place, value, scheme, link)
				}
			}
		}
	}
	if taken < len(places)/2 {
		t.Errorf("%d of %d places are taken: this says little", taken, len(places))
	}
}

// harmlessAttribute says that the one difference is an attribute that the author let the value name, and that does nothing.
func harmlessAttribute(want, got []string, value string) bool {
	return len(want) == len(got) && !strings.Contains(strings.Join(got, " "), " on") && slices.Equal(
		strings.Fields(strings.ReplaceAll(strings.Join(want, " "), "plain", "")),
		strings.Fields(strings.ReplaceAll(strings.ReplaceAll(strings.Join(got, " "), "zgotmplz", ""), value, "")))
}

// reachingOut are texts by which an author tries to leave the language: for Go's methods, for the engines beneath, for what
// the process knows.
var reachingOut = []string{
	"doc.String()", "doc.amount.String()", "doc.amount.Cmp(doc.amount)", "doc.due.Year()", "doc.due.Local().Zone()", "doc.MarshalJSON()", "doc.Load", "doc.status.Len",
	"notif.Recipients", "notif.Compiled", "env", "$env", "$env['doc']", "environment", "getenv('HOME')", "os.Getenv('HOME')", "print(1)", "printf('%p', doc)", "call doc.status", "html doc",
	"index doc 0", "len doc", "js doc.status", "define 'x'", "template 'x'", "block 'x' .", "range .", "with .", "$", ".", "$.body", "hole 0 .", "test 0 .", "turns 0 .", "doc.__proto__", "doc.constructor",
	"doc.__class__.__mro__", "self.__init__.__globals__", "''.join('a')", "import('os')", "let x = 1; x", "fn(x) { x }", "doc | get('status')", "filter(doc.items, {true})", "map(doc.items, {#})",
	"repeat('a', 1000000000)", "'a' * 1000000000", "1..1000000000", "[1] * 1000000000", "while(true)", "doc.status ?? 1", "doc?.status", "doc['status']", "(() => 1)()", "toJSON(doc)", "fromBase64('x')",
}

func TestNoConditionReachesBeyondItsLanguage(t *testing.T) {
	t.Parallel()
	for _, text := range reachingOut {
		for _, line := range []string{text, text + " == 1", "doc.id == 1 or " + text, text + " == doc.status", "any(" + text + " for i in doc.items)"} {
			n := notification()
			n.Conditions = line
			if reader().Validate(n)["conditions"] == "" {
				t.Errorf("%q is taken for a condition", line)
			}
			if got := judge(t, line, Scope{Doc: anOrderOfTheShop()}); got.Result {
				t.Errorf("%q holds", line)
			}
		}
	}
}

// TestNoTemplateReachesBeyondItsLanguage also looks at what the setting that keeps unknown placeholders makes of them: the
// text as it stands.
func TestNoTemplateReachesBeyondItsLanguage(t *testing.T) {
	t.Parallel()
	lenient := reader()
	lenient.Settings.KeepUnresolved = true
	for _, text := range reachingOut {
		for _, form := range []string{"{{ %s }}", "{{%s}}", "{{- %s -}}", "{{/* %s */}}", "{{{ %s }}}", "{{ doc.status | %s }}", "{{ %s | upper }}", "<p title=\"{{ %s }}\">x</p>", "{{ if %s }}x{{ end }}"} {
			written := fmt.Sprintf(form, text)
			n := notification()
			n.Title, n.Message, n.HTMLMessage = written, written, written
			if problems := reader().Validate(n); problems["title"] == "" || problems["message"] == "" || problems["html_message"] == "" {
				t.Errorf("%q is taken: %v", written, problems)
			}
			c, err := lenient.Compile(n)
			if err != nil {
				continue
			}
			content, err := c.Render(Scope{Doc: anOrderOfTheShop()}, "")
			if err != nil {
				continue // it is no template at all
			}
			if content.Text != written || html.UnescapeString(content.HTML) != written {
				t.Errorf("%q became %q and %q", written, content.Text, content.HTML)
			}
		}
		for _, form := range []string{"{%% if %s %%}x{%% endif %%}", "{%% for x in %s %%}x{%% endfor %%}", "{%% %s %%}", "{%% set x = %s %%}", "{%% include %s %%}"} {
			n := notification()
			n.Message = fmt.Sprintf(form, text)
			if problems := lenient.Validate(n); problems["message"] == "" {
				t.Errorf("%q is taken", n.Message)
			}
		}
	}
}
