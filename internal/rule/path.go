package rule

import (
	"fmt"
	"sort"
	"strings"
)

// The names that a rule may use.
const (
	docName    = "doc"
	oldDocName = "old_doc"
	notifName  = "notif"
)

// notifFields are what a rule may ask about its own notification.
var notifFields = []Field{
	{Name: "id", Type: String}, {Name: "title", Type: String}, {Name: "channel", Type: String},
	{Name: "trigger", Type: String}, {Name: "model", Type: String}, {Name: "active", Type: Boolean},
}

// channelLetters are the Django app's codes for the channels: its conditions ask for notif.channel == "E".
var channelLetters = map[Channel]string{Email: "E", SMS: "S", WhatsApp: "W"}

// path is a name that leads to a value: doc.status.
type path struct {
	root  string
	field Field
}

func (p path) String() string { return p.root + "." + p.field.Name }

// resolvePath finds what the names lead to in a model. The error is a message for the person who wrote them.
func resolvePath(names []string, m *Model) (path, error) {
	root := names[0]
	if root != docName && root != oldDocName && root != notifName {
		return path{}, fmt.Errorf("unknown name %s: use doc, old_doc or notif, such as doc.%s",
			root, names[len(names)-1])
	}
	if len(names) == 1 {
		return path{}, fmt.Errorf("%s alone is no value: name a field, such as %s.%s", root, root, exampleField(root, m))
	}
	owner, fields := "notif", notifFields
	if root != notifName {
		owner, fields = m.Name, m.Fields
	}
	if root != notifName && isRelation(m, names[1]) || len(names) > 2 {
		return path{}, fmt.Errorf("%s: paths through a relation are not available yet: use a field of %s itself",
			strings.Join(names, "."), owner)
	}
	for _, f := range fields {
		if f.Name == names[1] {
			return path{root: root, field: f}, nil
		}
	}
	return path{}, unknownField(owner, names[1], fields)
}

// isRelation prefers a field where both have the name.
func isRelation(m *Model, name string) bool {
	if _, ok := m.Field(name); ok {
		return false
	}
	_, ok := m.Relation(name)
	return ok
}

func exampleField(root string, m *Model) string {
	if root == notifName || len(m.Fields) == 0 {
		return "id"
	}
	return m.Fields[0].Name
}

// unknownField names the field and the nearest that exists.
func unknownField(owner, name string, fields []Field) error {
	message := fmt.Sprintf("%s has no field %s", owner, name)
	if near := nearest(name, fields); near != "" {
		message += ": did you mean " + near + "?"
	}
	return fmt.Errorf("%s", message)
}

// nearest gives the known name that differs in the fewest letters, or "" when none is alike.
func nearest(name string, fields []Field) string {
	type scored struct {
		name     string
		distance int
	}
	// Two swapped letters count twice: a name of five or more may differ so much, a short one by a letter.
	limit := min(max(1, (len(name)+1)/3), len(name)-1)
	var alike []scored
	for _, f := range fields {
		if d := editDistance(strings.ToLower(name), strings.ToLower(f.Name)); d <= limit {
			alike = append(alike, scored{f.Name, d})
		}
	}
	if len(alike) == 0 {
		return ""
	}
	sort.SliceStable(alike, func(i, j int) bool { return alike[i].distance < alike[j].distance })
	return alike[0].name
}

// editDistance counts the letters to insert, delete or replace (Levenshtein).
func editDistance(a, b string) int {
	from, to := []rune(a), []rune(b)
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i, x := range from {
		diagonal := row[0]
		row[0] = i + 1
		for j, y := range to {
			replace := diagonal
			if x != y {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(row[j]+1, row[j+1]+1, replace)
		}
	}
	return row[len(to)]
}

// Scope is the change that a rule looks at: the row after it, and before it. Doc is nil for a delete, OldDoc for a
// create.
type Scope struct {
	Doc, OldDoc Document
}

// view is a scope as a rule's names see it.
type view map[string]any

// row gives the document or notification of a name; nil when it does not exist.
func (v view) row(root string) map[string]any {
	row, _ := v[root].(map[string]any)
	return row
}

// value looks a path up. ok is false when there is no such row.
func (v view) value(p path) (value any, ok bool) {
	row := v.row(p.root)
	return row[p.field.Name], row != nil
}
