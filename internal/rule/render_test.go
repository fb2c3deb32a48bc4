package rule

import (
	"errors"
	"strings"
	"testing"
)

func TestTemplatesPrintValuesAsTheDjangoAppDid(t *testing.T) {
	t.Parallel()
	scope := Scope{Doc: document(t, anOrder), OldDoc: document(t, `{"paid":false,"weight":1e21,"quantity":-3,"tags":"a<b"}`)}
	for text, want := range map[string]string{
		"plain, with } and }} and { braces":      "plain, with } and }} and { braces",
		"{{doc.id}}{{  doc.status\t}}":           "7APPROVED",
		"{{\n doc.id\n}}":                        "7",
		"{{ doc.amount }} of {{ doc.quantity }}": "12.50 of 9",
		"{{ doc.weight }} {{ old_doc.weight }}":  "0.1 1e+21",
		"{{ doc.paid }} {{ old_doc.paid }}":      "True False",
		"{{ doc.due }}, {{ doc.opens }}":         "2026-01-31, 08:30:00",
		"{{ doc.shipped_at }}":                   "2026-01-31 15:04:05+00:00",
		"{{ doc.tags }} {{ old_doc.tags }}":      `["new",{"a":1.0}] "a<b"`,
		"{{ doc.seal }}":                         "AAEC",
		"[{{ old_doc.email }}]":                  "[]",
		"{{ notif.channel }} {{ notif.model }} {{ notif.active }} {{ notif.title }}": "E orders True Order {{ doc.id }}",
		"{{ doc.gone }} {{ doc.customer.gone }} {{x}}":                               "{{ doc.gone }} {{ doc.customer.gone }} {{x}}",
		"é{{ doc.id }}é": "é7é",
		"{{ doc.id }}}":  "7}",
	} {
		content, err := compiled(t, func(n *Notification) { n.Message = text }).Render(scope, "")
		if err != nil || content.Text != want {
			t.Errorf("%q gave %q (%v), want %q", text, content.Text, err, want)
		}
	}
}

func TestAPlaceholderOfARowThatDoesNotExistStaysAsWritten(t *testing.T) {
	t.Parallel()
	c := compiled(t, func(n *Notification) {
		n.Title, n.Message = "{{ old_doc.id }}", "was {{  old_doc.status }}, is {{doc.status}}"
		n.HTMLMessage = "<p>{{ old_doc.status }}</p>"
	})
	content, err := c.Render(Scope{Doc: document(t, anOrder)}, "")
	want := Content{Subject: "{{ old_doc.id }}", Text: "was {{  old_doc.status }}, is APPROVED", HTML: "<p>{{ old_doc.status }}</p>"}
	if err != nil || content != want {
		t.Errorf("got %+v (%v), want %+v", content, err, want)
	}
}

func TestAValueIsNeverExpandedAgain(t *testing.T) {
	t.Parallel()
	c := compiled(t, func(n *Notification) {
		n.Title, n.Message, n.HTMLMessage = "{{ doc.status }}", "{{ doc.status }}", "<p>{{ doc.status }}{{ doc.id }}</p>"
	})
	content, err := c.Render(Scope{Doc: document(t, `{"id":7,"status":"{{ doc.email }}{{index . 1}}","email":"secret"}`)}, "")
	want := Content{
		Subject: "{{ doc.email }}{{index . 1}}", Text: "{{ doc.email }}{{index . 1}}",
		HTML: "<p>{{ doc.email }}{{index . 1}}7</p>",
	}
	if err != nil || content != want {
		t.Errorf("got %+v (%v), want %+v", content, err, want)
	}
}

func TestASubjectIsOneLine(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]string{
		`a\r\nBcc: b@example.com`:            "a Bcc: b@example.com",
		`\n\t a\u0000\u0007 b\u0085\u2028c `: "a b c",
		`plain  text`:                        "plain  text",
	} {
		c := compiled(t, func(n *Notification) { n.Title = "{{ doc.status }}" })
		content, err := c.Render(Scope{Doc: document(t, `{"status":"`+status+`"}`)}, "")
		if err != nil || content.Subject != want {
			t.Errorf("%s gave %q (%v), want %q", status, content.Subject, err, want)
		}
	}
}

func TestWhatIsSentIsBounded(t *testing.T) {
	t.Parallel()
	long := document(t, `{"status":"`+strings.Repeat("é", 20<<10)+`"}`)
	subject := compiled(t, func(n *Notification) { n.Title = "{{ doc.status }}" })
	if content, err := subject.Render(Scope{Doc: long}, ""); err != nil || len([]rune(content.Subject)) != SubjectLimit {
		t.Errorf("the subject has %d characters (%v), want %d", len([]rune(content.Subject)), err, SubjectLimit)
	}
	for name, change := range map[string]func(*Notification){
		"a text over 64 KiB":    func(n *Notification) { n.Message = strings.Repeat("{{ doc.status }}", 2) },
		"HTML over 512 KiB":     func(n *Notification) { n.HTMLMessage = strings.Repeat("{{ doc.status }}", 14) },
		"an SMS over 1,600":     func(n *Notification) { n.Channel, n.Message = SMS, "{{ doc.status }}" },
		"a WhatsApp over 1,600": func(n *Notification) { n.Channel, n.Message = WhatsApp, strings.Repeat("a", 1601) },
	} {
		content, err := compiled(t, change).Render(Scope{Doc: long}, "")
		var own *Error
		if !errors.As(err, &own) || own.Code != TemplateParseFail || content != (Content{}) {
			t.Errorf("%s: got %v, want an error with the code %s", name, err, TemplateParseFail)
		}
	}
	fits := compiled(t, func(n *Notification) { n.Channel, n.Message = SMS, strings.Repeat("é", 1600) })
	if content, err := fits.Render(Scope{}, ""); err != nil || content.Subject != "" || len(content.Text) != 3200 {
		t.Errorf("an SMS of 1,600 characters: %v, subject %q", err, content.Subject)
	}
}

func TestHTMLIsEscapedForThePlaceWhereTheValueStands(t *testing.T) {
	t.Parallel()
	scope := Scope{Doc: document(t, `{"id":7,"status":"<script>\"'&","email":"javascript:alert(1)"}`)}
	for text, want := range map[string]string{
		`<p>{{ doc.status }}</p>`:                     `<p>&lt;script&gt;&#34;&#39;&amp;</p>`,
		`<p title="{{ doc.status }}">`:                `<p title="&lt;script&gt;&#34;&#39;&amp;">`,
		`<a href="{{ doc.email }}">x</a>`:             `<a href="#ZgotmplZ">x</a>`,
		`<a href="/o?q={{ doc.status }}">x</a>`:       `<a href="/o?q=%3cscript%3e%22%27%26">x</a>`,
		`<b onclick="f({{ doc.status }})">`:           `<b onclick="f(&#34;\u003cscript\u003e\&#34;&#39;\u0026&#34;)">`,
		`<style>p{ color: {{ doc.status }} }</style>`: `<style>p{ color: ZgotmplZ }</style>`,
		`}} {{ doc.id }}}} {`:                         `}} 7}} {`,
		` `:                                           ` `,
	} {
		content, err := compiled(t, func(n *Notification) { n.HTMLMessage = text }).Render(scope, "")
		if err != nil || content.HTML != want {
			t.Errorf("%s gave %s (%v), want %s", text, content.HTML, err, want)
		}
	}
}

func TestBrokenTemplatesMakeRenderFailWithTheirPlace(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*Notification)
		want   string
	}{
		"an unclosed block":    {func(n *Notification) { n.Message = "a\né {% if doc.id %} x" }, "message: line 2, column 3: {% if … %} is never closed"},
		"an unknown block":     {func(n *Notification) { n.Title = "{% while doc.id %}" }, `title: line 1, column 1: unknown block "while"`},
		"a block's gone field": {func(n *Notification) { n.Message = "{% if doc.gone == 1 %}x{% endif %}" }, "line 1, column 7: orders has no field gone"},
		"unsafe HTML":          {func(n *Notification) { n.HTMLMessage = "<p>\n<a href={{ doc.email }}`>" }, "html_message: a value cannot be made safe"},
		"a script":             {func(n *Notification) { n.HTMLMessage = "<p><SCRIPT>x = {{ doc.id }}</script>" }, "html_message: mail programs run no scripts"},
		"HTML ends in a tag":   {func(n *Notification) { n.HTMLMessage = `<p><a href="` }, "html_message: "},
	} {
		c := compiled(t, test.change)
		_, err := c.Render(Scope{Doc: document(t, anOrder)}, "")
		var own *Error
		if !errors.As(err, &own) || own.Code != TemplateParseFail || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, test.want)
		}
		if !c.Judge(Scope{}).Sends {
			t.Errorf("%s: the conditions were not judged", name)
		}
	}
}

func TestAPanicInRenderIsAnError(t *testing.T) {
	t.Parallel()
	c := compiled(t, func(*Notification) {})
	c.content.text = template{{loop: &loop{path: &path{root: docName}, body: template{{choice: nil, hole: &placeholder{path: &path{}, filters: []appliedFilter{{}}}}}}}}
	c.content.html = &htmlBody{} // has no template: rendering panics
	_, err := c.Render(Scope{Doc: document(t, anOrder)}, "")
	var own *Error
	if !errors.As(err, &own) || own.Code != TemplateParseFail {
		t.Errorf("got %v, want an error with the code %s", err, TemplateParseFail)
	}
}

func TestHTMLThatIsTooMuchWorkIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	fill := func(piece string) string { return strings.Repeat(piece, (HTMLMessageLimit-100)/len(piece)) }
	for _, text := range []string{
		fill("<"), fill("</"), fill("< "), fill("</1"), fill("<!"), fill("<!-"), fill("<title>"), fill("<textarea>"), "<style>" + fill(`"`),
		`<a x="<style>"><title></style ><b>` + fill("<b>"), fill("<title><</title>"),
		"<textarea>" + strings.Repeat("<b>", 300) + "</textarea>",
	} {
		if _, err := newHTMLBody(template{{literal: text}}); err == nil {
			t.Errorf("%.60s… was taken", text)
		}
	}
	ordinary := "<!doctype html><head><title>x</title><style>p > a{color:red}</style></head>" + fill("<p>x</p>\n")
	if _, err := newHTMLBody(template{{literal: ordinary}}); err != nil {
		t.Errorf("an ordinary text of 256 KiB was refused: %v", err)
	}
}
