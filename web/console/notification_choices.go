package console

import (
	"fmt"
	"slices"
	"strings"

	"github.com/silquetech/silque-notifications/internal/preview"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// triggerChoice is a trigger in plain words.
type triggerChoice struct{ Value, Text, Hint string }

// Triggers are the choices in plain words.
func (p *notificationPage) Triggers() []triggerChoice {
	one := p.AnOne()
	return []triggerChoice{
		{string(rule.OnNew), one + " is created", ""},
		{string(rule.OnUpdate), one + " is updated", "on every save, whether or not a value differs"},
		{string(rule.OnDelete), one + " is deleted", ""},
		{string(rule.OnValueChange), "a value changes", "such as a status, perhaps from and to a certain value"},
		{string(rule.DaysBefore), "before a date", "such as 3 days before a due date"},
		{string(rule.DaysAfter), "after a date", "such as 1 day after a due date"},
	}
}

// fieldChoice is an entry of a list of fields.
type fieldChoice struct{ Name, Label string }

// Fields lists the model's fields to watch; the one that is chosen stays, even when the model has lost it.
func (p *notificationPage) Fields() []fieldChoice {
	return p.choices("value_change_field", func(rule.Field) bool { return true })
}

// DateFields lists those that hold a date.
func (p *notificationPage) DateFields() []fieldChoice {
	return p.choices("date_field", func(f rule.Field) bool { return f.Type == rule.Date || f.Type == rule.DateTime })
}

func (p *notificationPage) choices(chosen string, fits func(rule.Field) bool) (choices []fieldChoice) {
	current := p.Values.Get(chosen)
	known := current == ""
	if p.Model != nil {
		for _, f := range p.Model.Fields {
			if fits(f) {
				choices = append(choices, fieldChoice{f.Name, labelOf(f)})
				known = known || f.Name == current
			}
		}
	}
	if !known {
		choices = append(choices, fieldChoice{current, current + " (" + p.AnOne() + " has no such field)"})
	}
	return choices
}

func labelOf(f rule.Field) string {
	if f.Label == "" || strings.EqualFold(f.Label, f.Name) {
		return f.Name
	}
	return f.Label + " (" + f.Name + ")"
}

// Examples are conditions about the chosen model that a person can take and change.
func (p *notificationPage) Examples() (examples []string) {
	if p.Model == nil {
		return nil
	}
	seen := map[string]bool{}
	add := func(kind, text string) {
		if !seen[kind] && len(examples) < 5 {
			seen[kind] = true
			examples = append(examples, text)
		}
	}
	for _, f := range p.Model.Fields {
		if slices.Contains(p.Model.PrimaryKey, f.Name) || strings.HasSuffix(f.Name, "_id") || strings.HasSuffix(f.Name, "_at") {
			continue
		}
		switch f.Type {
		case rule.String:
			if f.Address == "" && !strings.Contains(f.Name, "email") {
				if strings.Contains(f.Name, "status") || strings.Contains(f.Name, "state") {
					add("status", fmt.Sprintf(`doc.%s == "APPROVED"`, f.Name))
				} else {
					add("text", fmt.Sprintf(`doc.%s startswith "A"`, f.Name))
				}
			}
		case rule.Integer, rule.Float, rule.Decimal:
			add("number", fmt.Sprintf("doc.%s > 100", f.Name))
		case rule.Boolean:
			add("truth", "not doc."+f.Name)
		case rule.Date, rule.DateTime:
			add("date", fmt.Sprintf("doc.%s < today() + days(7)", f.Name))
		}
	}
	return examples
}

// Zones are some time zones to choose from; any other can be written.
func (p *notificationPage) Zones() []string {
	return []string{"UTC", "Europe/Berlin", "Europe/London", "Europe/Istanbul", "America/New_York", "America/Chicago", "America/Los_Angeles",
		"America/Sao_Paulo", "Africa/Lagos", "Africa/Johannesburg", "Asia/Dubai", "Asia/Kolkata", "Asia/Singapore", "Asia/Tokyo", "Australia/Sydney"}
}

// LostFields are further watched fields that the model does not have any more.
func (p *notificationPage) LostFields() (lost []string) {
	for _, name := range p.Values.Values["value_change_fields"] {
		if p.Model == nil {
			lost = append(lost, name)
		} else if _, ok := p.Model.Field(name); !ok {
			lost = append(lost, name)
		}
	}
	return lost
}

// LostList is the ID of a list that a row names and that is not there any more.
func (p *notificationPage) LostList(name string) string {
	id := p.Values.Get(name)
	if id == "" || slices.ContainsFunc(p.Lists, func(l *store.List) bool { return l.ID == id }) {
		return ""
	}
	return id
}

// ModelChoices are the models in which people can be found.
func (p *notificationPage) ModelChoices() (choices []fieldChoice) {
	for _, m := range p.Models {
		choices = append(choices, fieldChoice{m.Name, m.Label})
	}
	return choices
}

// Units are what an alert can count; days are the usual ones.
func (p *notificationPage) Units() []fieldChoice {
	units := []fieldChoice{{string(rule.Hours), "hours"}, {string(rule.Minutes), "minutes"}}
	if p.Is("alert_unit", string(rule.Days)) {
		units = append([]fieldChoice{{string(rule.Days), "days"}}, units...)
	}
	return units
}

// Priorities are the choices besides the usual one.
func (p *notificationPage) Priorities() []fieldChoice {
	return []fieldChoice{{"1", "1, first"}, {"2", "2"}, {"3", "3"}, {"4", "4"}, {"5", "5, last"}}
}

// ToExample says what a recipient can be, by an address of the channel and a field that the model has.
func (p *notificationPage) ToExample() string {
	example := "+12025550123"
	channel := rule.Channel(p.Value("channel"))
	if channel == rule.Email {
		example = "ann@example.com"
	}
	if p.Model == nil || !slices.Contains(rule.Channels, channel) {
		return example
	}
	if found := preview.Suggest(p.reader, p.Model, channel); len(found) > 0 {
		return example + ", or a field such as " + found[0].DocumentField
	}
	return example
}

// The bounds of the placeholders that are offered.
const (
	ownTokens        = 5
	relatedTokens    = 2 // of each relation
	tokensAltogether = 11
)

// Tokens are placeholders for some fields of the chosen model, and of the single rows that it leads to.
func (p *notificationPage) Tokens() (tokens []string) {
	if p.Model == nil {
		return nil
	}
	tokens = tokensOf(p.Model, "doc.", ownTokens)
	for _, r := range p.Model.Relations {
		if other, ok := p.models.Model(r.Model); ok && r.Kind != rule.HasMany {
			tokens = append(tokens, tokensOf(other, "doc."+r.Name+".", relatedTokens)...)
		}
	}
	return tokens[:min(len(tokens), tokensAltogether)]
}

// tokensOf leaves out what people seldom want to read: other rows' keys, moments of writing, and data.
func tokensOf(m *rule.Model, path string, limit int) (tokens []string) {
	for _, f := range m.Fields {
		key := strings.HasSuffix(f.Name, "_id") || path != "doc." && slices.Contains(m.PrimaryKey, f.Name)
		if len(tokens) < limit && !key && !strings.HasSuffix(f.Name, "_at") && f.Type != rule.Bytes && f.Type != rule.JSON {
			tokens = append(tokens, "{{ "+path+f.Name+" }}")
		}
	}
	return tokens
}
