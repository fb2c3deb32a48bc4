package preview

import (
	"slices"
	"strings"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// Suggestion is a document field that a recipient can name.
type Suggestion struct {
	DocumentField string `json:"document_field"`
	Label         string `json:"label"`
}

// Suggest lists what a recipient of a notification about a model can name for a channel: fields that hold an address, the
// row's own first, then whole rows that have one, then all of them as they were before the change. It is never null.
func Suggest(reader rule.Reader, m *rule.Model, channel rule.Channel) []Suggestion {
	f := finder{reader: reader, model: m, channel: channel, found: []Suggestion{}}
	f.from(m, "", "", suggestedHops)
	for _, paths := range [][]Suggestion{f.fields, f.rows} {
		for _, one := range paths {
			f.add(Suggestion{DocumentField: "doc." + one.DocumentField, Label: one.Label})
		}
	}
	for _, paths := range [][]Suggestion{f.fields, f.rows} {
		for _, one := range paths {
			f.add(Suggestion{DocumentField: "old_doc." + one.DocumentField, Label: one.Label + " (before the change)"})
		}
	}
	return f.found
}

// The bounds of what is suggested: free text is always possible.
const (
	suggestedHops  = 2
	suggestedLimit = 200
)

// finder collects what a notification about a model can name for a channel.
type finder struct {
	reader  rule.Reader
	model   *rule.Model
	channel rule.Channel
	// fields and rows are the paths, without what they begin with.
	fields, rows []Suggestion
	found        []Suggestion
}

// from collects what is found at a path from the row: fields that look like an address, then relations that lead to one,
// and what those have.
func (s *finder) from(m *rule.Model, path, label string, hops int) {
	for _, f := range m.Fields {
		if s.looksLikeAddress(m, f) {
			s.fields = append(s.fields, Suggestion{path + f.Name, label + f.Label})
		}
	}
	if hops == 0 {
		return
	}
	for _, r := range m.Relations {
		other, ok := s.reader.Models.Model(r.Model)
		if !ok || r.Model == s.model.Name && path != "" {
			continue
		}
		if len(s.reader.Settings.AddressFields(other, "", s.channel)) > 0 {
			s.rows = append(s.rows, Suggestion{path + r.Name, label + r.Label})
		}
		s.from(other, path+r.Name+".", label+r.Label+": ", hops-1)
	}
}

// add suggests something, unless the validation would refuse it.
func (s *finder) add(one Suggestion) {
	if len(s.found) < suggestedLimit && s.acceptable(one.DocumentField) {
		s.found = append(s.found, one)
	}
}

// acceptable asks the validation itself, so that no suggestion is refused when the notification is saved.
func (s *finder) acceptable(documentField string) bool {
	n := &rule.Notification{Channel: s.channel, Model: s.model.Name, Recipients: []rule.Recipient{{DocumentField: documentField}}}
	_, refused := s.reader.Validate(n)["recipients[0].document_field"]
	return !refused
}

// numberEndings are how fields are called that hold a number.
var numberEndings = []string{"mobile_number", "phone", "phone_number", "mobile", "contact_number"}

// looksLikeAddress judges by the mapping, the application's marks and common names, then by how a name ends: some keep
// numbers as integers.
func (s *finder) looksLikeAddress(m *rule.Model, f rule.Field) bool {
	if slices.Contains(s.reader.Settings.AddressFields(m, "", s.channel), f.Name) {
		return true
	}
	name := strings.ToLower(f.Name)
	if s.channel == rule.Email {
		return f.Type == rule.String && (strings.HasSuffix(name, "_email") || strings.HasSuffix(name, "_email_address"))
	}
	if f.Type != rule.String && f.Type != rule.Integer {
		return false
	}
	return slices.ContainsFunc(numberEndings, func(known string) bool { return strings.HasSuffix(name, "_"+known) })
}
