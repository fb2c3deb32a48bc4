package catalog

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// nameLimit is the length in bytes of a name that Postgres keeps: it cuts off the rest, and what is left can be the name of
// another table.
const nameLimit = 63

// CheckNames says which of a model's names cannot be written into a statement, and why. Table and columns cannot be
// parameters: gorm quotes them, and takes a quote in a name for the end of one, or of a part. A catalog entry outlives the
// program that wrote it, so names are looked at when they are written down and when they are read.
func CheckNames(m *Model) error {
	parts := strings.Split(m.Name, ".") // a table may stand behind its schema's name
	if len(parts) > 2 {
		return fmt.Errorf("catalog: the table %q has more dots than one: name it as schema.table", m.Name)
	}
	names := []named{}
	for _, part := range parts {
		names = append(names, named{"table", part})
	}
	for _, column := range m.PrimaryKey {
		names = append(names, named{"key column", column})
	}
	for _, f := range m.Fields {
		names = append(names, named{"column", f.Name})
	}
	if m.SoftDelete != "" {
		names = append(names, named{"column of deleted rows", m.SoftDelete})
	}
	for _, r := range m.Relations {
		names = append(names, named{"relation", r.Name}, named{"column of the relation " + r.Name, r.Field},
			named{"column behind the relation " + r.Name, r.RemoteField})
		for _, part := range strings.Split(r.Model, ".") {
			names = append(names, named{"table of the relation " + r.Name, part})
		}
	}
	for _, n := range names {
		if wrong := n.wrong(); wrong != "" {
			return fmt.Errorf("catalog: model %q: the %s %q %s: rename it, and register the model again", shortened(m.Name), n.what, shortened(n.name), wrong)
		}
	}
	return nil
}

// named is a name, and what it is the name of.
type named struct{ what, name string }

// wrong completes the sentence "the column x …"; it is empty when the name is fine.
func (n named) wrong() string {
	switch {
	case n.name == "":
		return "has no name"
	case len(n.name) > nameLimit:
		return fmt.Sprintf("is longer than %d bytes", nameLimit)
	case !utf8.ValidString(n.name):
		return "is not UTF-8"
	case strings.ContainsFunc(n.name, unicode.IsControl):
		return "holds a control character"
	case strings.ContainsAny(n.name, "\"`"):
		return "holds a quote"
	case strings.Contains(n.name, "."):
		return "holds a dot"
	case strings.HasPrefix(n.name, "~~~"):
		return "begins like gorm's own marks"
	default:
		return ""
	}
}

// shortened keeps a message of a bounded length.
func shortened(name string) string {
	if len(name) > nameLimit {
		return strings.ToValidUTF8(name[:nameLimit], "") + "…"
	}
	return name
}
