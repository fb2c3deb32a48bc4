package rule

import (
	"maps"
	"slices"
	"strings"
	"unicode"
)

// The kinds of address that a field can be marked to hold.
const (
	HoldsEmail  = "email"
	HoldsNumber = "number"
)

// The names under which models usually keep an address, in the order in which the Django app tried them.
var (
	emailNames  = []string{"email", "email_address"}
	numberNames = []string{"mobile_number", "phone", "phone_number", "mobile", "contact_number"}
)

// addressKind is the kind of address that a channel needs.
func addressKind(c Channel) string {
	if c == Email {
		return HoldsEmail
	}
	return HoldsNumber
}

// AddressFields names the fields of a model that hold an address for a channel, in the order of priority: those of the
// operator's mapping, else those that the application has marked, else those with a common name. A field may be a path
// over relations. None: the model is no recipient. key is how else the mapping may call the model, such as the Django
// app's app.Model; it may be empty.
func (s Settings) AddressFields(m *Model, key string, c Channel) []string {
	mapping, names := s.NumberFields, numberNames
	if c == Email {
		mapping, names = s.EmailFields, emailNames
	}
	if fields, ok := mapping.of(m.Name, key); ok {
		return fields
	}
	var hinted, common []string
	for _, f := range m.Fields {
		if f.Address == addressKind(c) {
			hinted = append(hinted, f.Name)
		}
	}
	if len(hinted) > 0 {
		return hinted
	}
	for _, name := range names {
		if f, ok := m.Field(name); ok && holdsAddress(f.Type, c) {
			common = append(common, name)
		}
	}
	return common
}

// of finds a model by its table, or by what a relation token calls it.
func (m Mapping) of(table, key string) ([]string, bool) {
	for _, wanted := range []string{table, key} {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if wanted != "" && strings.EqualFold(name, wanted) {
				return m[name], true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if slices.Contains(tablesOf(name), strings.ToLower(table)) {
			return m[name], true
		}
		if _, model, qualified := strings.Cut(key, "."); qualified && strings.EqualFold(name, model) {
			return m[name], true
		}
	}
	return nil, false
}

// tablesOf lists the tables that app.Model, or Model, can stand for: Django's app_model, the model's name, its plural.
func tablesOf(name string) []string {
	app, model, qualified := strings.Cut(name, ".")
	if !qualified {
		app, model = "", name
	}
	lower, snake := strings.ToLower(model), snakeCase(model)
	tables := []string{lower, snake, pluralOf(lower), pluralOf(snake)}
	if qualified {
		tables = append(tables, strings.ToLower(app)+"_"+lower)
	}
	return tables
}

// snakeCase makes purchase_order of PurchaseOrder.
func snakeCase(name string) string {
	var out strings.Builder
	for i, c := range name {
		if unicode.IsUpper(c) && i > 0 {
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToLower(c))
	}
	return out.String()
}

// pluralOf gives an English noun's usual plural, as tables are named.
func pluralOf(noun string) string {
	switch {
	case strings.HasSuffix(noun, "y"):
		return strings.TrimSuffix(noun, "y") + "ies"
	case strings.HasSuffix(noun, "s"), strings.HasSuffix(noun, "x"), strings.HasSuffix(noun, "ch"), strings.HasSuffix(noun, "sh"):
		return noun + "es"
	default:
		return noun + "s"
	}
}
