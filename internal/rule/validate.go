package rule

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// The limits of what a person can write.
const (
	TitleLimit       = 255       // characters, as in the Django app
	MessageLimit     = 64 << 10  // bytes
	HTMLMessageLimit = 256 << 10 // bytes
	ConditionsLimit  = 16 << 10  // bytes
	ConditionLimit   = 200       // lines that are not blank
)

// Addresses knows what an address looks like.
type Addresses interface {
	// Normalize gives an address in the channel's normal form, or an error that says what is wrong with it.
	Normalize(c Channel, raw string) (string, error)
}

// Validate checks a notification before it is saved, and gives everything that is wrong with it at once; nothing (nil
// or empty) when it is valid. The same check guards every way in: form, API and import.
func (r Reader) Validate(n *Notification) FieldErrors {
	errs, _ := r.Examine(n)
	return errs
}

// Examine is Validate, and says besides where in a text each mistake stands, for those that have a place.
func (r Reader) Examine(n *Notification) (FieldErrors, []Mark) {
	v := validation{n: n, errs: FieldErrors{}, reader: r}
	if v.model, _ = r.Models.Model(n.Model); v.model != nil {
		v.names = newNames(r.Models, v.model, newNeeds(), r.Settings.zone(n))
	}
	v.choices()
	v.sizes()
	v.triggerFields()
	v.alert()
	v.templates()
	v.conditions()
	v.recipients()
	v.replyTo()
	v.localeField()
	v.sending()
	return v.errs, v.marks
}

// validation collects what is wrong.
type validation struct {
	n *Notification
	// model is nil when it is unknown: then nothing is checked against it.
	model *Model
	// names is nil when the model is.
	names  *scopeNames
	reader Reader
	errs   FieldErrors
	marks  []Mark
}

func (v *validation) choices() {
	if !slices.Contains(Channels, v.n.Channel) {
		v.errs.add("channel", "choose one of %s", listed(Channels))
	}
	if !slices.Contains(Triggers, v.n.Trigger) {
		v.errs.add("trigger", "choose one of new, update, delete, value_change, days_before, days_after")
	}
	switch {
	case v.n.Model == "":
		v.errs.add("model", "choose a model")
	case v.model == nil:
		v.errs.add("model", "there is no model %s: register it with the notify plugin, or choose another", v.n.Model)
	}
}

func listed(channels []Channel) string {
	names := make([]string, 0, len(channels))
	for _, c := range channels {
		names = append(names, string(c))
	}
	return strings.Join(names, ", ")
}

func (v *validation) sizes() {
	n := v.n
	hasHTML := strings.TrimSpace(n.HTMLMessage) != ""
	if n.Channel == Email && strings.TrimSpace(n.Title) == "" {
		v.errs.add("title", "an email needs a title: it is the subject")
	}
	if strings.TrimSpace(n.Message) == "" && (n.Channel != Email || !hasHTML) && strings.TrimSpace(n.ContentSID) == "" {
		v.errs.add("message", "write a message")
	}
	v.size("conditions", n.Conditions, ConditionsLimit)
	if !utf8.ValidString(n.Conditions) || strings.ContainsRune(n.Conditions, 0) {
		v.errs.add("conditions", "the text is not valid UTF-8, or holds a NUL character")
	}
}

func (v *validation) size(field, text string, limit int) {
	if len(text) > limit {
		v.errs.add(field, "at most %d KiB", limit>>10)
	}
}

func (v *validation) triggerFields() {
	if v.n.Trigger != OnValueChange {
		return
	}
	v.valueChange()
}

// templates looks at those that are not too large. A title that its channel does not send is looked at too: the channel
// can be changed.
func (v *validation) templates() {
	v.texts(v.n.Title, v.n.Message, v.n.HTMLMessage, func(name string) string { return name })
	v.variants()
	v.extras()
}

// texts checks a title, a message and an HTML message; field gives the names of theirs.
func (v *validation) texts(title, message, html string, field func(name string) string) {
	v.size(field("message"), message, MessageLimit)
	v.size(field("html_message"), html, HTMLMessageLimit)
	if !utf8.ValidString(title) || strings.ContainsRune(title, 0) {
		v.errs.add(field("title"), "the text is not valid UTF-8, or holds a NUL character")
	}
	if utf8.RuneCountInString(title) > TitleLimit {
		v.errs.add(field("title"), "at most %d characters", TitleLimit)
	}
	if html != "" && v.n.Channel != Email && strings.TrimSpace(html) != "" {
		v.errs.add(field("html_message"), "only an email can have an HTML message")
	}
	v.template(field("title"), title)
	if t, ok := v.template(field("message"), message); ok && v.n.Channel != Email && t.fixed() > NumberTextLimit {
		v.errs.add(field("message"), "the text has %d characters besides its placeholders, and %s takes %d: shorten it", t.fixed(), v.n.Channel, NumberTextLimit)
	}
	if t, ok := v.template(field("html_message"), html); ok && html != "" {
		if _, err := newHTMLBody(t); err != nil {
			v.wrong(field("html_message"), html, err)
		}
	}
}

func (v *validation) template(field, text string) (t template, ok bool) {
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		v.errs.add(field, "the text is not valid UTF-8, or holds a NUL character")
	}
	if v.errs[field] != "" {
		return nil, false
	}
	t, err := parseTemplate(text)
	if err != nil {
		v.wrong(field, text, err)
		return nil, false
	}
	if v.names == nil {
		if !v.reader.Settings.KeepUnresolved {
			v.all(field, text, t.unreadable())
		}
		return t, v.errs[field] == ""
	}
	unresolved, errs := t.bind(v.names, v.reader.Settings.zone(v.n))
	if !v.reader.Settings.KeepUnresolved {
		errs = append(errs, unresolved...)
	}
	v.all(field, text, errs)
	return t, v.errs[field] == ""
}

// errorsShown bounds the errors of one field: a person mends the first ones and looks again.
const errorsShown = 20

// wrong adds one mistake in the text of a field.
func (v *validation) wrong(field, text string, err error) { v.all(field, text, []error{err}) }

// all joins what is wrong with the text of one field, a line each.
func (v *validation) all(field, text string, errs []error) {
	if len(errs) == 0 || v.errs[field] != "" {
		return
	}
	var messages []string
	for _, err := range errs[:min(len(errs), errorsShown)] {
		messages = append(messages, err.Error())
		v.mark(field, text, err)
	}
	if more := len(errs) - len(messages); more > 0 {
		messages = append(messages, fmt.Sprintf("and %d more", more))
	}
	v.errs.add(field, "%s", strings.Join(messages, "\n"))
}

func (v *validation) conditions() {
	if v.model == nil || v.errs["conditions"] != "" {
		return
	}
	lines := compileConditions(v.n.Conditions, v.names)
	if len(lines) > ConditionLimit {
		v.errs.add("conditions", "at most %d lines", ConditionLimit)
		return
	}
	var errs []error
	for _, c := range lines {
		if c.broken != nil {
			errs = append(errs, c.misplaced())
		}
	}
	v.all("conditions", v.n.Conditions, errs)
}
