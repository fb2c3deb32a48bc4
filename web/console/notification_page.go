package console

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/silquetech/silque-notifications/internal/catalog"
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
