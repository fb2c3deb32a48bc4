package rule

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The limits of what is sent, once the values are filled in.
const (
	// SubjectLimit is in characters: a line of a mail has at most 998 (RFC 5322, section 2.1.1).
	SubjectLimit = 998
	// NumberTextLimit is in characters: Twilio refuses a longer body with its error 21617.
	NumberTextLimit = 1600

	textOutputLimit = 64 << 10
	htmlOutputLimit = 512 << 10
)

// Content is what a notification says about one change. An email has a subject, and a text, HTML or both; SMS and
// WhatsApp have the text only.
type Content struct {
	Subject, Text, HTML string
}

// content is a notification's templates, or why they cannot be used.
type content struct {
	channel Channel
	subject template
	text    template
	html    *htmlBody
	broken  error
}

// compileContent leaves placeholders of unknown fields unbound: the model may have lost them since the rule was saved,
// and the message still goes out.
func (r Reader) compileContent(n *Notification, names *scopeNames) content {
	c := content{channel: n.Channel}
	if n.Channel == Email {
		c.subject, c.broken = r.compileTemplate("title", n.Title, n, names)
		if c.broken == nil && n.HTMLMessage != "" {
			c.html, c.broken = r.compileHTML(n, names)
		}
	}
	if c.broken == nil {
		c.text, c.broken = r.compileTemplate("message", n.Message, n, names)
	}
	return c
}

func (r Reader) compileTemplate(name, text string, n *Notification, names *scopeNames) (template, error) {
	t, err := parseTemplate(text)
	if err != nil {
		return nil, inTemplate(name, err)
	}
	if _, errs := t.bind(names, r.Settings.zone(n)); len(errs) > 0 {
		return nil, inTemplate(name, errs[0])
	}
	return t, nil
}

func (r Reader) compileHTML(n *Notification, names *scopeNames) (*htmlBody, error) {
	t, err := r.compileTemplate("html_message", n.HTMLMessage, n, names)
	if err != nil {
		return nil, err
	}
	body, err := newHTMLBody(t)
	if err != nil {
		return nil, inTemplate("html_message", err)
	}
	return body, nil
}

// inTemplate says which of the templates an error is in.
func inTemplate(name string, err error) error {
	return &Error{Code: TemplateParseFail, Message: name + ": " + err.Error(), cause: err}
}

// Render fills the templates in. What cannot be resolved, such as old_doc when a row was created, stays as written; a
// value is never expanded again. The locale chooses the variant, see Variant. A subject is cut at SubjectLimit; a body that is too large, or an SMS or WhatsApp text
// of more than NumberTextLimit, is an error. Every error is an *Error with the code TemplateParseFail.
func (c *Compiled) Render(s Scope, locale string) (out Content, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			out, err = Content{}, &Error{Code: TemplateParseFail, Message: "the message cannot be rendered"}
		}
	}()
	texts := c.content
	if tag := c.Variant(locale); tag != "" {
		texts = c.variants[tag]
	}
	if texts.broken != nil {
		return Content{}, texts.broken
	}
	return texts.render(c.view(s))
}

func (c *content) render(v view) (out Content, err error) {
	if out.Text, err = c.text.render(v); err != nil {
		return Content{}, inTemplate("message", err)
	}
	if c.channel != Email {
		if count := utf8.RuneCountInString(out.Text); count > NumberTextLimit {
			return Content{}, &Error{Code: TemplateParseFail, Message: fmt.Sprintf(
				"message: the text has %d characters once its values are filled in, and %s takes %d: shorten it",
				count, c.channel, NumberTextLimit)}
		}
		return out, nil
	}
	subject, err := c.subject.render(v)
	if err != nil {
		return Content{}, inTemplate("title", err)
	}
	out.Subject = oneLine(subject)
	if c.html != nil {
		if out.HTML, err = c.html.render(v); err != nil {
			return Content{}, inTemplate("html_message", err)
		}
	}
	return out, nil
}

// oneLine makes a subject: line breaks and other control characters, which could begin a header of their own, become
// one space each run.
func oneLine(text string) string {
	var out strings.Builder
	count, space := 0, false
	for _, c := range text {
		if unicode.IsControl(c) || c == '\u2028' || c == '\u2029' {
			space = true
			continue
		}
		if space && count > 0 && c != ' ' && count < SubjectLimit {
			out.WriteByte(' ')
			count++
		}
		space = false
		if count >= SubjectLimit {
			break
		}
		out.WriteRune(c)
		count++
	}
	return strings.TrimSpace(out.String())
}
