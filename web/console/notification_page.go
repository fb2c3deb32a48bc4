package console

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/preview"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// notificationPage is what the form's templates see.
type notificationPage struct {
	Values formValues
	// ID and Saved are those of the notification that is changed; both are empty for a new one.
	ID    string
	Saved *rule.Notification
	// Version is the one on top of which the person writes; zero for a new one.
	Version int64
	// Model is nil when none is chosen, or it is not registered any more.
	Model  *rule.Model
	Models []modelChoice
	Lists  []*store.List
	// Errors are by the form's own names.
	Errors map[string]string
	Marks  map[string][]markedPlace
	// Summary lists what is wrong, for the top of the page.
	Summary []formProblem
	// Conflict is set when somebody else has changed the notification meanwhile.
	Conflict *conflict
	// Merged says that the form holds what two people have changed.
	Merged bool
	// Unsaved says that the form holds more than what is saved.
	Unsaved bool
	// Preview, Test and Comparison are nil until someone asks.
	Preview    *previewView
	Test       *testView
	Comparison *comparisonView
	TestTo     string
	DefaultKey string

	models catalog.Set
	reader rule.Reader
}

// modelChoice is a model to write about.
type modelChoice struct {
	Name, Label string
	// LastChange is when a row of it last changed, as far as events tell.
	LastChange time.Time
}

// formProblem is a mistake with the field that it is in.
type formProblem struct{ Field, Label, Message string }

// markedPlace shows the line in which a mistake is, in three parts, the middle one being the mistake.
type markedPlace struct {
	rule.Mark
	Before, Wrong, After string
}

// Is says that a field has a value: {{if .Data.Is "channel" "email"}}.
func (p *notificationPage) Is(name string, values ...string) bool {
	return slices.Contains(values, p.Values.Get(name))
}

// Value is what a field holds.
func (p *notificationPage) Value(name string) string { return p.Values.Get(name) }

// Holds says that one of a field's values is this one.
func (p *notificationPage) Holds(name, value string) bool {
	return slices.Contains(p.Values.Values[name], value)
}

// Rows lists the prefixes of a group's rows, such as recipients[0].
func (p *notificationPage) Rows(group string) []string {
	var prefixes []string
	for _, i := range p.Values.rows(group) {
		prefixes = append(prefixes, fmt.Sprintf("%s[%d]", group, i))
	}
	return prefixes
}

// Error is what is wrong with a field.
func (p *notificationPage) Error(name string) string { return p.Errors[name] }

// AnyError says that something is wrong with one of the fields, or in one of the groups, so that a folded part opens.
func (p *notificationPage) AnyError(names ...string) bool {
	for field := range p.Errors {
		if slices.ContainsFunc(names, func(name string) bool { return field == name || strings.HasPrefix(field, name+"[") }) {
			return true
		}
	}
	return false
}

// Any says that one of the fields holds something.
func (p *notificationPage) Any(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return strings.TrimSpace(p.Values.Get(name)) != "" })
}

var notInID = regexp.MustCompile(`[^a-zA-Z0-9_]+`)

// FieldID is a field's id in the page.
func (p *notificationPage) FieldID(name string) string {
	return "f-" + strings.Trim(notInID.ReplaceAllString(name, "-"), "-")
}

// One is what a row of the model is called, such as order.
func (p *notificationPage) One() string {
	if p.Model == nil {
		return "row"
	}
	return singular(p.Model)
}

// AnOne is that with its article.
func (p *notificationPage) AnOne() string { return withArticle(p.One()) }

func singular(m *rule.Model) string {
	label := strings.ToLower(m.Label)
	if label == "" {
		label = strings.ReplaceAll(m.Name, "_", " ")
	}
	switch {
	case strings.HasSuffix(label, "ies") && len(label) > 4:
		return label[:len(label)-3] + "y"
	case strings.HasSuffix(label, "sses") || strings.HasSuffix(label, "xes") || strings.HasSuffix(label, "ches") || strings.HasSuffix(label, "shes"):
		return label[:len(label)-2]
	case strings.HasSuffix(label, "s") && !strings.HasSuffix(label, "ss") && !strings.HasSuffix(label, "us"):
		return label[:len(label)-1]
	default:
		return label
	}
}

func withArticle(noun string) string {
	if noun == "SMS" || noun != "" && strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an " + noun
	}
	return "a " + noun
}

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

// ChannelName is the channel's name for people.
func (p *notificationPage) ChannelName() string { return channelName(rule.Channel(p.Value("channel"))) }

func channelName(c rule.Channel) string {
	switch c {
	case rule.SMS:
		return "SMS"
	case rule.WhatsApp:
		return "WhatsApp message"
	default:
		return "email"
	}
}

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

// removed takes the rows of a prefix out, such as recipients[1].
func (v formValues) removed(prefix string) {
	for name := range v.Values {
		if strings.HasPrefix(name, prefix+".") {
			delete(v.Values, name)
		}
	}
}

// next is the number after the last row's.
func (v formValues) next(group string) int {
	rows := v.rows(group)
	if len(rows) == 0 {
		return 0
	}
	return rows[len(rows)-1] + 1
}

// edit does what a button of the form asks for besides saving: it adds or removes a row. It says whether it was that.
func (v formValues) edit(do string) bool {
	verb, what, _ := strings.Cut(do, ":")
	switch verb {
	case "remove":
		v.removed(what)
		return true
	case "add":
	default:
		return false
	}
	switch what {
	case toRow, listRow, queryRow:
		v.setRow("recipients", v.next("recipients"), "kind", what, firstField(what), "")
	case "variants":
		v.setRow(what, v.next(what), "locale", "", "title", "", "message", "", "html_message", "")
	case "attachments":
		v.setRow(what, v.next(what), "name", "", "document_field", "", "text", "")
	case "content_variables":
		next := v.next(what)
		v.setRow(what, next, "name", fmt.Sprint(next+1), "text", "")
	default: // a match of a query, such as recipients[0].query.where
		if rowName.MatchString(strings.TrimSuffix(what, ".where")) {
			v.setRow(what, v.next(what), "field", "", "value", "")
		}
	}
	return true
}

// newNotification are the values of a form that nobody has written in yet.
func newNotification(query url.Values, model string) formValues {
	n := &rule.Notification{Channel: rule.Email, Trigger: rule.OnNew, Model: model, Recipients: []rule.Recipient{{}}}
	if chosen := rule.Channel(query.Get("channel")); slices.Contains(rule.Channels, chosen) {
		n.Channel = chosen
	}
	if chosen := rule.Trigger(query.Get("trigger")); slices.Contains(rule.Triggers, chosen) {
		n.Trigger = chosen
	}
	v := valuesOf(n)
	v.Set("alert_days", "3")
	return v
}

// chooseFields takes the field that a trigger most likely means, where none is chosen yet.
func (p *notificationPage) chooseFields() {
	if p.Model == nil {
		return
	}
	if p.Is("trigger", "value_change") && !p.Any("value_change_field") {
		for _, f := range p.Model.Fields {
			if f.Name == "status" || f.Name == "state" {
				p.Values.Set("value_change_field", f.Name)
			}
		}
	}
	if p.Is("trigger", "days_before", "days_after") && !p.Any("date_field") {
		for _, f := range p.DateFields() {
			if !strings.HasSuffix(f.Name, "_at") { // created_at and the like are seldom meant
				p.Values.Set("date_field", f.Name)
				return
			}
		}
	}
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
