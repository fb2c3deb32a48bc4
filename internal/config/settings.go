package config

import (
	"reflect"
	"strings"
)

// Setting describes one environment variable.
type Setting struct {
	Name        string
	Default     string
	Description string
	// Secret settings are better given as NAME_FILE, and are never shown.
	Secret bool
	field  string
}

// Settings lists every setting, in the order of Config.
func Settings() []Setting { return settingsOf(reflect.TypeFor[Config]()) }

func settingsOf(t reflect.Type) []Setting {
	var settings []Setting
	for i := range t.NumField() {
		field := t.Field(i)
		name, ok := field.Tag.Lookup("env")
		if !ok {
			settings = append(settings, settingsOf(field.Type)...)
			continue
		}
		settings = append(settings, Setting{
			Name:        name,
			Default:     field.Tag.Get("envDefault"),
			Description: field.Tag.Get("desc"),
			Secret:      field.Tag.Get("secret") == "true",
			field:       field.Name,
		})
	}
	return settings
}

// nameOf gives the variable of a field of one of the groups.
func nameOf(group reflect.Type, field string) string {
	for _, s := range settingsOf(group) {
		if s.field == field {
			return s.Name
		}
	}
	return field
}

// Table renders the settings as the README's Markdown table.
func Table() string {
	var b strings.Builder
	b.WriteString("| setting | default | meaning |\n|---|---|---|\n")
	for _, s := range Settings() {
		value := ""
		if s.Default != "" {
			value = "`" + s.Default + "`"
		}
		description := s.Description
		if s.Secret {
			description += " (secret)"
		}
		b.WriteString("| `" + s.Name + "` | " + value + " | " + description + " |\n")
	}
	return b.String()
}
