package saying

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// Difference is a part of a notification that is not the same in two states of it.
type Difference struct {
	// Field is a name of the API; Label is the form's word for it.
	Field, Label string
	// Before and After are one line each; empty stands for nothing.
	Before, After string
	// Lines compares texts of several lines instead; nil for the others.
	Lines []Line
}

// part is something about a notification that a person can change, as text.
type part struct {
	field, label string
	long         bool
	text         func(n *rule.Notification, names Names) string
}

// plain gives a part that is a text of the notification itself.
func plain(field, label string, long bool, text func(n *rule.Notification) string) part {
	return part{field, label, long, func(n *rule.Notification, _ Names) string { return text(n) }}
}

// parts are in the order of the form.
var parts = []part{
	plain("active", "Active", false, func(n *rule.Notification) string { return map[bool]string{true: "yes", false: "no"}[n.Active] }),
	plain("channel", "Channel", false, func(n *rule.Notification) string { return ChannelName(n.Channel) }),
	plain("model", "Model", false, func(n *rule.Notification) string { return n.Model }),
	plain("trigger", "Trigger", false, func(n *rule.Notification) string { return spaced(string(n.Trigger)) }),
	plain("value_change_field", "Watched fields", false, func(n *rule.Notification) string { return strings.Join(watched(n), ", ") }),
	plain("value_change_from", "Changes from", false, func(n *rule.Notification) string { return asked(n.ValueChangeFrom) }),
	plain("value_change_to", "Changes to", false, func(n *rule.Notification) string { return asked(n.ValueChangeTo) }),
	plain("date_field", "Date field", false, func(n *rule.Notification) string { return n.DateField }),
	plain("alert_days", "How far before or after", false, alertLength),
	plain("alert_time", "Time of day", false, func(n *rule.Notification) string { return n.AlertTime }),
	plain("time_zone", "Time zone", false, func(n *rule.Notification) string { return n.TimeZone }),
	plain("conditions", "Conditions", true, func(n *rule.Notification) string { return n.Conditions }),
	{"recipients", "Recipients", true, recipients},
	plain("reply_to", "Reply to", false, func(n *rule.Notification) string { return n.ReplyTo }),
	plain("title", "Title", false, func(n *rule.Notification) string { return n.Title }),
	plain("message", "Message", true, func(n *rule.Notification) string { return n.Message }),
	plain("html_message", "HTML message", true, func(n *rule.Notification) string { return n.HTMLMessage }),
	plain("locale_field", "Language field", false, func(n *rule.Notification) string { return n.LocaleField }),
	plain("variants", "Texts in other languages", true, variants),
	plain("content_sid", "WhatsApp template", false, func(n *rule.Notification) string { return n.ContentSID }),
	plain("content_variables", "Variables of the template", true, variables),
	plain("attachments", "Attachments", true, attachments),
	plain("retry_attempts", "Attempts", false, func(n *rule.Notification) string { return unlessZero(n.RetryAttempts, "") }),
	plain("retry_interval", "Seconds between attempts", false, func(n *rule.Notification) string { return unlessZero(n.RetryInterval, "") }),
	plain("priority", "Priority", false, func(n *rule.Notification) string { return unlessZero(n.Priority, "") }),
	plain("valid_for", "Valid for", false, func(n *rule.Notification) string { return unlessZero(n.ValidFor, " minutes") }),
}

// Differences lists what is not the same, in the order of the form. What the system itself decides (ID, version, times) is
// not compared.
func Differences(before, after *rule.Notification, names Names) []Difference {
	var differences []Difference
	for _, p := range parts {
		was, is := p.text(before, names), p.text(after, names)
		if was == is {
			continue
		}
		d := Difference{Field: p.field, Label: p.label}
		if p.field == "title" && after.Channel == rule.Email {
			d.Label = "Subject" // as the form calls it
		}
		if p.long {
			d.Lines = Lines(was, is)
		} else {
			d.Before, d.After = was, is
		}
		differences = append(differences, d)
	}
	return differences
}

// asked is a value that a change is from or to.
func asked(value *string) string {
	switch {
	case value == nil:
		return "any value"
	case *value == "":
		return "nothing"
	default:
		return "“" + *value + "”"
	}
}

func alertLength(n *rule.Notification) string {
	if n.AlertDays == nil {
		return ""
	}
	unit := n.AlertUnit
	if unit == "" {
		unit = rule.Days
	}
	return fmt.Sprintf("%d %s", *n.AlertDays, unit)
}

func recipients(n *rule.Notification, names Names) string {
	lines := make([]string, len(n.Recipients))
	for i, r := range n.Recipients {
		text := r.Address
		if r.DocumentField != "" {
			text = joined(text, r.DocumentField)
		}
		if r.ListID != "" {
			text = joined(text, names.list(r.ListID))
		}
		if r.Query != nil {
			text = joined(text, Recipient(rule.Recipient{Query: r.Query}, names))
		}
		if r.Copy {
			text += " (copy)"
		}
		lines[i] = text
	}
	return strings.Join(lines, "\n")
}

func joined(text, more string) string {
	if text == "" {
		return more
	}
	return text + ", " + more
}

func variants(n *rule.Notification) string {
	var lines []string
	for _, v := range n.Variants {
		lines = append(lines, "["+v.Locale+"] "+v.Title, v.Message)
		if v.HTMLMessage != "" {
			lines = append(lines, "["+v.Locale+", HTML]", v.HTMLMessage)
		}
	}
	return strings.Join(lines, "\n")
}

func variables(n *rule.Notification) string {
	lines := make([]string, 0, len(n.ContentVariables))
	for _, name := range slices.Sorted(maps.Keys(n.ContentVariables)) {
		lines = append(lines, name+" = "+n.ContentVariables[name])
	}
	return strings.Join(lines, "\n")
}

func attachments(n *rule.Notification) string {
	var lines []string
	for _, a := range n.Attachments {
		line := a.Name
		if a.DocumentField != "" {
			line = joined(line, "the file of "+a.DocumentField)
		}
		lines = append(lines, line)
		if a.Text != "" {
			lines = append(lines, a.Text)
		}
	}
	return strings.Join(lines, "\n")
}

func unlessZero(n int, unit string) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n) + unit
}

// Label is the form's word for a field of the API, such as recipients[2].address.
func Label(field string) string {
	name, _, _ := strings.Cut(field, "[")
	name, _, _ = strings.Cut(name, ".")
	for _, p := range parts {
		if p.field == name {
			return p.label
		}
	}
	return strings.ToUpper(name[:min(1, len(name))]) + spaced(name[min(1, len(name)):])
}
