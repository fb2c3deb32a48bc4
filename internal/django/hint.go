package django

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// counterparts are the Django notification's own fields that have another name, or other values, here.
var counterparts = map[string]string{
	"is_active":     "notif.is_active is notif.active here",
	"send_alert_on": `notif.send_alert_on is notif.trigger here, with values such as "value_change" instead of "V"`,
	"pk":            "notif.pk is notif.id here, which is a text",
	"id":            "notif.id is a text here, and another one than in the Django app",
	"model":         "notif.model is the table's name here",
}

// hintLimit bounds what is said about one notification's texts.
const hintLimit = 10

// hints says what Django's names in these texts are called here. The texts themselves are carried as they are.
func hints(m *rule.Model, texts ...string) []string {
	var found []string
	said := map[string]bool{}
	for _, text := range texts {
		for path := range strings.FieldsFuncSeq(text, endsPath) {
			hint := pathHint(m, strings.TrimSuffix(path, "."))
			if hint == "" || said[hint] {
				continue
			}
			said[hint] = true
			if found = append(found, hint); len(found) == hintLimit {
				return found
			}
		}
	}
	return found
}

// endsPath is true for what cannot stand in a path.
func endsPath(r rune) bool {
	return r != '.' && r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
}

// pathHint looks at a path such as doc.customer.email; any other word gets no hint.
func pathHint(m *rule.Model, path string) string {
	root, rest, _ := strings.Cut(path, ".")
	field, _, deeper := strings.Cut(rest, ".")
	switch {
	case field == "":
		return ""
	case root == "notif":
		return counterparts[field]
	case root == "doc" || root == "old_doc":
		return rowHint(m, root, field, deeper)
	default:
		return ""
	}
}

// rowHint looks at a name of the row, and where the path goes on behind it.
func rowHint(m *rule.Model, root, field string, deeper bool) string {
	if m == nil {
		return ""
	}
	if _, ok := m.Field(field); ok {
		return ""
	}
	name := root + "." + field
	_, isRelation := m.Relation(field)
	switch c := column(field, m); {
	case isRelation && deeper:
		return ""
	case deeper:
		return fmt.Sprintf("%s has no relation %s here: give its gorm model one, and register it again", m.Name, field)
	case isRelation && c != field:
		return fmt.Sprintf("%s is a row and has no text of its own here: name one of its fields, or the column %s.%s", name, root, c)
	case isRelation:
		return fmt.Sprintf("%s is a row and has no text of its own here: name one of its fields", name)
	case c != field:
		return fmt.Sprintf("%s is %s.%s here", name, root, c)
	case strings.HasPrefix(field, "get_") && strings.HasSuffix(field, "_display"):
		return fmt.Sprintf("%s is one of Django's methods: a choice's text is not in the row; use %s.%s", name, root,
			strings.TrimSuffix(strings.TrimPrefix(field, "get_"), "_display"))
	default:
		return ""
	}
}
