package rule

import (
	"fmt"
	"strings"
)

// compileTelling compiles what the notification says about answers and languages. What names nothing any more is left
// out.
func (r Reader) compileTelling(c *Compiled, n *Notification, names *scopeNames) {
	if text := strings.TrimSpace(n.ReplyTo); text != "" && n.Channel == Email {
		source := recipientSource{address: text, from: Direct}
		if !strings.Contains(text, "@") {
			source, _ = r.documentSource(text, Email, names) // one that finds nothing is reported when it is used
		}
		c.replyTo = &source
	}
	name := strings.TrimSpace(n.LocaleField)
	if !strings.Contains(name, ".") {
		c.localeField = name
		return
	}
	if found, err := names.value(recipientNames(name)); err == nil {
		c.localePath = &found
	}
}

// localeOf is the variant that a candidate is told in; "" for the notification's own texts.
func (c *Compiled) localeOf(candidate Candidate, v view) string {
	switch {
	case len(c.variants) == 0:
		return ""
	case candidate.Locale != "":
		return c.Variant(candidate.Locale)
	case c.localePath != nil:
		return c.Variant(format(c.localePath.field.Type, v.value(*c.localePath)))
	case c.localeField != "" && candidate.Row != nil:
		language, _ := candidate.Row[c.localeField].(string)
		return c.Variant(language)
	default:
		return ""
	}
}

// details gives what all messages of the change need besides their texts.
func (c *Compiled) details(s Scope, addresses Addresses) (d Details, problems []Problem, err error) {
	v := c.view(s)
	if c.replyTo != nil {
		if d.ReplyTo = c.usable(c.replyTo.candidates(Email, s, v), addresses); d.ReplyTo == "" {
			problems = append(problems, Problem{Code: recipientCode(Email, c.replyTo.from), Key: "reply_to", Message: fmt.Sprintf(
				"reply_to %s gives no valid address: answers go where the settings say", c.replyTo.from)})
		}
	}
	d.ContentSID = c.extras.contentSID
	if d.ContentVariables, err = c.extras.renderVariables(v); err != nil {
		return d, problems, err
	}
	var missing []string
	if d.Files, missing, err = c.extras.renderFiles(v); err != nil {
		return d, problems, err
	}
	for _, from := range missing {
		problems = append(problems, Problem{Code: TemplateParseFail, Key: "attachment " + from, Message: fmt.Sprintf(
			"the attachment %s is left out: it names no file", from)})
	}
	return d, problems, nil
}

// usable gives the first address that is valid; empty when none is.
func (c *Compiled) usable(candidates []Candidate, addresses Addresses) string {
	for _, candidate := range candidates {
		if a := c.addressee(candidate, addresses); a.Problem == "" {
			return a.Address
		}
	}
	return ""
}

// headers says whom each message names. Recipients do not see each other: one alone is named to the copies, and several
// are each named in their own message.
func (d Details) headers(to Addressee, told []Addressee) Details {
	var recipients, copies []string
	for _, a := range told {
		if a.Copy {
			copies = append(copies, a.Address)
		} else {
			recipients = append(recipients, a.Address)
		}
	}
	if len(copies) == 0 {
		return d
	}
	d.Cc = copies
	switch {
	case !to.Copy:
		d.To = []string{to.Address}
	case len(recipients) == 1:
		d.To = recipients
	}
	return d
}
