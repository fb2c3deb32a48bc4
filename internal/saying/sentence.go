// Package saying tells people in plain words what a notification does, and how two states of one differ. It is pure, like
// the rules that it speaks of.
package saying

import (
	"fmt"
	"strings"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// Names gives what other things are called; each function may be nil, or answer with an empty text.
type Names struct {
	// List gives a saved list's name by its ID.
	List func(id string) string
}

func (n Names) list(id string) string {
	if n.List != nil {
		if name := n.List(id); name != "" {
			return "saved list “" + name + "”"
		}
	}
	return "a saved list that is not there"
}

// When says in a few words when a notification fires: "when an order is created".
func When(n *rule.Notification) string {
	row := article(one(n.Model))
	switch n.Trigger {
	case rule.OnNew:
		return "when " + row + " is created"
	case rule.OnUpdate:
		return "when " + row + " is updated"
	case rule.OnDelete:
		return "when " + row + " is deleted"
	case rule.OnValueChange:
		return "when " + row + "’s " + fields(watched(n)) + " changes" + fromTo(n)
	case rule.DaysBefore, rule.DaysAfter:
		return alert(n, row)
	default:
		return "when something happens to " + row
	}
}

// If says under which conditions it fires; empty when it always does.
func If(n *rule.Notification) string {
	var lines []string
	for line := range strings.Lines(n.Conditions) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	switch {
	case len(lines) == 0:
		return ""
	case len(lines) == 1 && len([]rune(lines[0])) <= shortLimit:
		return "if " + lines[0]
	case len(lines) == 1:
		return "if a condition holds"
	default:
		return fmt.Sprintf("if any of %d conditions holds", len(lines))
	}
}

// shortLimit is in characters.
const shortLimit = 48

// Whom says who is told: "the customer’s email and 2 more".
func Whom(n *rule.Notification, names Names) string {
	var told []string
	for _, r := range n.Recipients {
		if !r.Copy {
			told = append(told, Recipient(r, names))
		}
	}
	const shown = 2
	switch {
	case len(told) == 0:
		return "nobody"
	case len(told) > shown:
		return strings.Join(told[:shown], ", ") + fmt.Sprintf(" and %d more", len(told)-shown)
	default:
		return strings.Join(told, " and ")
	}
}

// Recipient says whom one row finds.
func Recipient(r rule.Recipient, names Names) string {
	var parts []string
	if r.Address != "" {
		parts = append(parts, r.Address)
	}
	if r.DocumentField != "" {
		parts = append(parts, path(r.DocumentField))
	}
	if r.ListID != "" {
		parts = append(parts, names.list(r.ListID))
	}
	if q := r.Query; q != nil {
		text := "every one of " + spaced(q.Model)
		for i, match := range q.Where {
			text += map[bool]string{true: " where ", false: " and "}[i == 0] + spaced(match.Field) + " is " + match.Value
		}
		if q.Field != "" {
			text += " (" + q.Field + ")"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, " and ")
}

// ChannelName is how a channel is written.
func ChannelName(c rule.Channel) string {
	switch c {
	case rule.Email:
		return "email"
	case rule.SMS:
		return "SMS"
	case rule.WhatsApp:
		return "WhatsApp"
	default:
		return string(c)
	}
}

func alert(n *rule.Notification, row string) string {
	unit, count := string(n.AlertUnit), 0
	if unit == "" {
		unit = string(rule.Days)
	}
	if n.AlertDays != nil {
		count = *n.AlertDays
	}
	date := row + "’s " + spaced(n.DateField)
	if count == 0 {
		if unit == string(rule.Days) {
			return "on the day of " + date
		}
		return "at " + date
	}
	if count == 1 {
		unit = strings.TrimSuffix(unit, "s")
	}
	side := "before"
	if n.Trigger == rule.DaysAfter {
		side = "after"
	}
	return fmt.Sprintf("%d %s %s %s", count, unit, side, date)
}

func watched(n *rule.Notification) []string {
	var names []string
	for _, name := range append([]string{n.ValueChangeField}, n.ValueChangeFields...) {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}

func fields(names []string) string {
	said := make([]string, len(names))
	for i, name := range names {
		said[i] = spaced(name)
	}
	if len(said) == 0 {
		return "value"
	}
	return strings.Join(said, " or ")
}

func fromTo(n *rule.Notification) string {
	text := ""
	for _, part := range []struct {
		word  string
		value *string
	}{{" from ", n.ValueChangeFrom}, {" to ", n.ValueChangeTo}} {
		switch {
		case part.value == nil:
		case *part.value == "":
			text += part.word + "nothing"
		default:
			text += part.word + *part.value
		}
	}
	return text
}

// path reads a document field aloud: doc.customer.email is "the customer’s email", old_doc.email "the email before the
// change".
func path(field string) string {
	field, before := strings.CutPrefix(strings.TrimSpace(field), "old_doc.")
	parts := strings.Split(strings.TrimPrefix(field, "doc."), ".")
	for i, part := range parts {
		parts[i] = spaced(part)
	}
	text := "the " + strings.Join(parts, "’s ")
	if before {
		text += " before the change"
	}
	return text
}

// one makes "an order" possible out of a table's name, which is mostly a plural: sales.order_lines is "order line".
func one(table string) string {
	name := table[strings.LastIndexByte(table, '.')+1:]
	switch {
	case name == "":
		return "row"
	case strings.HasSuffix(name, "ies"):
		name = strings.TrimSuffix(name, "ies") + "y"
	case strings.HasSuffix(name, "ses") || strings.HasSuffix(name, "xes") || strings.HasSuffix(name, "ches"):
		name = strings.TrimSuffix(name, "es")
	case strings.HasSuffix(name, "s") && !strings.HasSuffix(name, "ss") && !strings.HasSuffix(name, "us"):
		name = strings.TrimSuffix(name, "s")
	}
	return spaced(name)
}

func article(noun string) string {
	if noun != "" && strings.ContainsAny(strings.ToLower(noun[:1]), "aeio") {
		return "an " + noun
	}
	return "a " + noun
}

func spaced(name string) string { return strings.TrimSpace(strings.ReplaceAll(name, "_", " ")) }
