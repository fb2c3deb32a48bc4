package django

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// item is one notification of the export, and what becomes of it.
type item struct {
	key string
	// n is the notification as it is here. Where there are problems, parts of it are missing.
	n *rule.Notification
	// problems are what keeps it from being carried over, by field.
	problems rule.FieldErrors
	// notes are what is different here without being wrong.
	notes []string
	// hints are what Django's names in its texts are called here.
	hints []string
}

// source names the notification for notify_imports.
func (i *item) source() string { return App + ".notification:" + i.key }

func (i *item) problem(field, format string, arguments ...any) {
	if _, known := i.problems[field]; !known {
		i.problems[field] = fmt.Sprintf(format, arguments...)
	}
}

// noteLimit bounds what is said about one notification.
const noteLimit = 20

func (i *item) note(format string, arguments ...any) {
	if len(i.notes) < noteLimit {
		i.notes = append(i.notes, fmt.Sprintf(format, arguments...))
	}
}

// digest stands for what the notification says. The times do not count: Django's change with every save.
func (i *item) digest() string {
	n := i.n
	recipients := make([]string, 0, len(n.Recipients)) // the export gives them in any order
	for _, r := range n.Recipients {
		recipients = append(recipients, r.Address+"\x00"+r.DocumentField)
	}
	sort.Strings(recipients)
	content, _ := json.Marshal([]any{ // these types always encode
		n.Title, n.Message, n.Active, n.Channel, n.Model, n.Trigger, n.ValueChangeField, n.DateField, n.AlertDays, n.Conditions, recipients,
	})
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// translation is a whole export in our words.
type translation struct {
	items []*item
	// tables says which table each Django model is, by app.Model.
	tables map[string]string
	// unusedMaps are mappings of models that the export does not name.
	unusedMaps []string
	// relations counts the notifications that reach a related model by a token: by setting, then by app.Model.
	relations map[string]map[string]int
	// unknownFields counts the objects that have a field which nothing here knows, by model and field.
	unknownFields map[string]int
	// unused counts recipients that no notification has.
	unused int
}

// translate puts an export in our words. The error says that a mapping leads nowhere.
func translate(d *Dump, models rule.Models, mappings []Mapping) (*translation, error) {
	t := &translation{tables: map[string]string{}, relations: map[string]map[string]int{}, unknownFields: map[string]int{}}
	var named []identifier
	for _, row := range d.notifications {
		text, _ := row.fields.text(modelNames) // what is no text is said when the notification is translated
		if id, err := parseIdentifier(text); err == nil {
			named = append(named, id)
		}
	}
	found, err := newTables(models, mappings, named)
	if err != nil {
		return nil, err
	}
	roster := newRoster(d.recipients)
	for _, row := range d.notifications {
		t.items = append(t.items, t.notification(row, found, roster))
	}
	t.unused = roster.unused()
	t.unusedMaps = unusedMaps(mappings, named)
	for name, count := range roster.unknown {
		t.unknownFields[App+"."+name] = count
	}
	for _, rows := range [][]*record{d.notifications, d.recipients} {
		for _, row := range rows {
			for _, name := range row.fields.unknown() {
				t.unknownFields[App+"."+row.model+"."+name]++
			}
		}
	}
	return t, nil
}

func unusedMaps(mappings []Mapping, named []identifier) []string {
	used := map[string]bool{}
	for _, id := range named {
		used[id.folded()] = true
	}
	var unused []string
	for _, m := range mappings {
		if !used[strings.ToLower(m.Model)] {
			unused = append(unused, m.Model)
		}
	}
	return unused
}

// notification translates one, as far as it can be.
func (t *translation) notification(row *record, found *tables, roster *roster) *item {
	f := row.fields
	i := &item{key: row.key, n: &rule.Notification{}, problems: rule.FieldErrors{}}
	if row.key == "" {
		i.problem("pk", "it has none, so a repeated import could not find it again: export without --natural-primary")
	}
	f.take([]string{"id"})
	i.n.Title = i.text("title", f, titleNames)
	i.n.Message = i.text("message", f, messageNames)
	i.n.Conditions = i.text("conditions", f, conditionNames)
	i.n.CreatedAt, i.n.UpdatedAt = f.moment(createdNames), f.moment(updatedNames)
	i.active(f)
	i.choices(f)
	m := t.model(i, f, found)
	i.watched(f, m)
	t.recipients(i, row, roster)
	if i.n.Conditions != "" && strings.TrimSpace(i.n.Conditions) == "" {
		i.note("its conditions are blank: the Django app never sends such a notification, and here it sends always")
	}
	i.hints = hints(m, i.n.Title, i.n.Message, i.n.Conditions)
	return i
}

func (i *item) text(field string, f *fields, names []string) string {
	text, err := f.text(names)
	if err != nil {
		i.problem(field, "%s", err)
	}
	return text
}

// active: what does not say that it is active stays silent.
func (i *item) active(f *fields) {
	active, there, err := f.boolean(activeNames)
	if err != nil {
		i.problem("active", "%s", err)
	}
	if !there {
		i.note("the export does not say whether it is active, so it is inactive here: activate it when it is right")
	}
	i.n.Active = active
}

func (i *item) choices(f *fields) {
	var ok bool
	if text := i.text("channel", f, channelNames); text != "" {
		if i.n.Channel, ok = choice(channels, text); !ok {
			i.problem("channel", "%s is none of email, sms, whatsapp", quoted(text))
		}
	}
	if text := i.text("trigger", f, triggerNames); text != "" {
		if i.n.Trigger, ok = choice(triggers, text); !ok {
			i.problem("trigger", "%s is none of new, update, delete, value change, days before, days after", quoted(text))
		}
	}
}

// model finds the table; nil when there is none.
func (t *translation) model(i *item, f *fields, found *tables) *rule.Model {
	id, err := parseIdentifier(i.text("model", f, modelNames))
	if err != nil {
		i.problem("model", "%s", err)
		return nil
	}
	m, err := found.find(id)
	if err != nil {
		i.problem("model", "%s", err)
		return nil
	}
	i.n.Model = m.Name
	t.tables[id.String()] = m.Name
	return m
}

// watched reads what the trigger needs. The app keeps these fields when a notification gets another trigger, and so do
// we.
func (i *item) watched(f *fields, m *rule.Model) {
	i.n.ValueChangeField = i.field("value_change_field", f, valueChangeNames, m)
	i.n.DateField = i.field("date_field", f, dateFieldNames, m)
	days, err := f.days(alertDaysNames)
	if err != nil {
		i.problem("alert_days", "%s", err)
	}
	i.n.AlertDays = days
}

func (i *item) field(name string, f *fields, names []string, m *rule.Model) string {
	key := withoutLabel(i.text(name, f, names))
	ours := column(key, m)
	if ours != key {
		i.note("%s: %s is the column %s here", name, key, ours)
	}
	return ours
}
