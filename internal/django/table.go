package django

import (
	"fmt"
	"sort"
	"strings"
	"unicode"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// identifier names a Django model. Its label is for people and can change, so nothing is found by it.
type identifier struct{ app, model string }

// String gives app.Model.
func (i identifier) String() string { return i.app + "." + i.model }

// folded is the identifier as it is compared: Django's names of models do not differ by case alone.
func (i identifier) folded() string { return strings.ToLower(i.String()) }

// parseIdentifier reads "app ~ Model ~ label"; "app.Model" will do.
func parseIdentifier(text string) (identifier, error) {
	parts := strings.SplitN(text, "~", 3)
	if len(parts) == 1 {
		parts = strings.Split(text, ".")
	}
	if len(parts) >= 2 {
		id := identifier{strings.TrimSpace(parts[0]), strings.TrimSpace(parts[1])}
		if id.app != "" && id.model != "" {
			return id, nil
		}
	}
	return identifier{}, fmt.Errorf("%s is no model: it must be written app ~ Model ~ label", quoted(text))
}

// Mapping says which table a Django model is, by app.Model.
type Mapping struct{ Model, Table string }

// tables finds the table of a Django model in the catalog.
type tables struct {
	models rule.Models
	// mapped is what the person said, by the folded identifier.
	mapped map[string]string
	// claims are the models that a name alone leads to a table: two of them on one table are not told apart.
	claims map[string]map[string]identifier
}

// newTables prepares the tables for the models that an export names. An error says that a mapping leads nowhere.
func newTables(models rule.Models, mappings []Mapping, named []identifier) (*tables, error) {
	t := &tables{models: models, mapped: map[string]string{}, claims: map[string]map[string]identifier{}}
	for _, m := range mappings {
		if _, ok := models.Model(m.Table); !ok {
			return nil, fmt.Errorf("--map %s=%s: the catalog has no model %s: register it with the notify plugin, or choose another", m.Model, m.Table, m.Table)
		}
		t.mapped[strings.ToLower(m.Model)] = m.Table
	}
	for _, id := range named {
		if table, sure := t.guess(id); table != "" && !sure {
			if t.claims[table] == nil {
				t.claims[table] = map[string]identifier{}
			}
			t.claims[table][id.folded()] = id
		}
	}
	return t, nil
}

// find gives the table's model, or what to do.
func (t *tables) find(id identifier) (*rule.Model, error) {
	table, sure := t.guess(id)
	if table == "" {
		return nil, fmt.Errorf("no table is known for %s: register its model with the notify plugin, or name the table with --map %s=table", id, id)
	}
	if rivals := t.claims[table]; !sure && len(rivals) > 1 {
		var names []string
		for _, rival := range rivals {
			names = append(names, rival.String())
		}
		sort.Strings(names)
		return nil, fmt.Errorf("%s could all be the table %s: say which is with --map %s=table", strings.Join(names, " and "), table, id)
	}
	m, _ := t.models.Model(table)
	return m, nil
}

// guess tries the mapping, the name that Django gives a table, and then what the model's name alone suggests, which is
// not sure: another app can have a model of that name.
func (t *tables) guess(id identifier) (table string, sure bool) {
	if table := t.mapped[id.folded()]; table != "" {
		return table, true
	}
	lower := strings.ToLower(id.model)
	if name := strings.ToLower(id.app) + "_" + lower; t.has(name) {
		return name, true
	}
	for _, name := range []string{lower, plural(lower), snake(id.model), plural(snake(id.model))} {
		if t.has(name) {
			return name, false
		}
	}
	return "", false
}

func (t *tables) has(name string) bool {
	_, ok := t.models.Model(name)
	return ok
}

// plural is English's, as far as names of tables go: orders, categories, addresses.
func plural(name string) string {
	for _, ending := range []string{"s", "x", "z", "ch", "sh"} {
		if strings.HasSuffix(name, ending) {
			return name + "es"
		}
	}
	before, endsInY := strings.CutSuffix(name, "y")
	if endsInY && before != "" && !strings.ContainsRune("aeiou", rune(before[len(before)-1])) {
		return before + "ies"
	}
	return name + "s"
}

// snake gives purchase_order for PurchaseOrder, and html_page for HTMLPage.
func snake(name string) string {
	var out strings.Builder
	letters := []rune(name)
	for i, r := range letters {
		begins := i > 0 && unicode.IsUpper(r) &&
			(!unicode.IsUpper(letters[i-1]) || i+1 < len(letters) && unicode.IsLower(letters[i+1]))
		if begins && letters[i-1] != '_' {
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToLower(r))
	}
	return out.String()
}

// column gives the column of a Django field: a foreign key customer is the column customer_id here.
func column(field string, m *rule.Model) string {
	if field == "" || m == nil {
		return field
	}
	if _, ok := m.Field(field); ok {
		return field
	}
	if _, ok := m.Field(field + "_id"); ok {
		return field + "_id"
	}
	if r, ok := m.Relation(field); ok && r.Kind == rule.BelongsTo {
		return r.Field
	}
	if field == "pk" && len(m.PrimaryKey) == 1 {
		return m.PrimaryKey[0]
	}
	return field
}
