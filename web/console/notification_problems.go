package console

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// refuse takes over what is wrong, by the form's own names.
func (p *notificationPage) refuse(n *rule.Notification, errs rule.FieldErrors, marks []rule.Mark) {
	p.Errors, p.Marks = make(map[string]string, len(errs)), make(map[string][]markedPlace)
	for _, name := range slices.Sorted(maps.Keys(errs)) {
		field := p.formName(n, name)
		if p.Errors[field] != "" {
			p.Errors[field] += "\n"
		}
		p.Errors[field] += errs[name]
	}
	for _, m := range marks {
		field := p.formName(n, m.Field)
		p.Marks[field] = append(p.Marks[field], placed(m, p.Values.Get(field)))
	}
	for _, field := range slices.Sorted(maps.Keys(p.Errors)) {
		first, _, _ := strings.Cut(p.Errors[field], "\n")
		p.Summary = append(p.Summary, formProblem{Field: field, Label: p.LabelOf(field), Message: first})
	}
	slices.SortStableFunc(p.Summary, func(a, b formProblem) int { return inForm(a.Field) - inForm(b.Field) })
}

// formOrder is the order in which the fields stand.
var formOrder = []string{"model", "trigger", "channel", "value_change", "date_field", "alert", "time_zone", "conditions", "recipients", "title", "message",
	"html_message", "attachments", "content", "locale_field", "variants"}

func inForm(field string) int {
	at := slices.IndexFunc(formOrder, func(prefix string) bool { return strings.HasPrefix(field, prefix) })
	if at < 0 {
		return len(formOrder)
	}
	return at
}

// placed shows the line of a mark.
func placed(m rule.Mark, text string) markedPlace {
	lines := strings.Split(text, "\n")
	place := markedPlace{Mark: m}
	if m.Line > len(lines) {
		return place
	}
	line := []rune(lines[m.Line-1])
	start := min(m.Column-1, len(line))
	end := min(start+m.Length, len(line))
	place.Before, place.Wrong, place.After = string(line[:start]), string(line[start:end]), string(line[end:])
	return place
}

var (
	rowName      = regexp.MustCompile(`^recipients\[(\d+)\](\.(address|document_field|list_id|copy|query\.model|query\.field|query))?$`)
	variableName = regexp.MustCompile(`^content_variables\.(.+)$`)
	fileRow      = regexp.MustCompile(`^attachments\[\d+\]$`)
	watchedRow   = regexp.MustCompile(`^value_change_fields\[\d+\]$`)
)

// formName gives the form's field for a field of the API.
func (p *notificationPage) formName(n *rule.Notification, name string) string {
	if m := rowName.FindStringSubmatch(name); m != nil {
		prefix := "recipients[" + m[1] + "]"
		switch m[3] {
		case "address", "document_field":
			return prefix + ".to"
		case "", "query":
			return prefix + "." + firstField(p.Values.Get(prefix+".kind"))
		}
	}
	if m := variableName.FindStringSubmatch(name); m != nil {
		at := slices.Index(slices.Sorted(maps.Keys(n.ContentVariables)), m[1])
		return fmt.Sprintf("content_variables[%d].text", at)
	}
	switch {
	case fileRow.MatchString(name):
		return name + ".name"
	case watchedRow.MatchString(name):
		return "value_change_fields"
	}
	return name
}

func firstField(kind string) string {
	switch kind {
	case listRow:
		return "list_id"
	case queryRow:
		return "query.model"
	default:
		return "to"
	}
}

// fieldLabels are how fields are called in the summary of what is wrong.
var fieldLabels = map[string]string{
	"title": "Subject", "message": "Message", "html_message": "HTML", "model": "About", "trigger": "When", "channel": "How",
	"value_change_field": "Field", "value_change_fields": "Further fields", "value_change_from": "Changes from", "value_change_to": "Changes to",
	"date_field": "Date", "alert_days": "How long", "alert_unit": "Unit", "alert_time": "Time of day", "time_zone": "Time zone",
	"conditions": "Conditions", "recipients": "Recipients", "to": "Recipient", "list_id": "Saved list", "reply_to": "Reply-to",
	"locale_field": "Language field", "locale": "Language", "variants": "Languages", "content_sid": "WhatsApp template", "content_variables": "Variables",
	"text": "Text", "name": "Name", "attachments": "Attachments", "document_field": "Field with the file", "copy": "Copy",
	"retry_attempts": "Attempts", "retry_interval": "Seconds between them", "priority": "Priority", "valid_for": "Minutes of use", "field": "Field", "value": "Value",
}

// LabelOf names a field for people, with the number of its row.
func (p *notificationPage) LabelOf(field string) string {
	if field == "title" && p.Value("channel") != "email" {
		return "Title"
	}
	last := field[strings.LastIndexByte(field, '.')+1:]
	label, ok := fieldLabels[last]
	if !ok {
		label = strings.ReplaceAll(last, "_", " ")
	}
	if open := strings.IndexByte(field, '['); open > 0 {
		if m := rowNumber.FindStringSubmatch(field[open:]); m != nil {
			var number int
			_, _ = fmt.Sscan(m[1], &number) // digits
			label = fmt.Sprintf("%s %d", label, number+1)
		}
	}
	return label
}
