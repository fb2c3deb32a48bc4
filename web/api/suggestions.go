package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/rule"
)

// suggestion is a document field that a recipient can name.
type suggestion struct {
	DocumentField string `json:"document_field"`
	Label         string `json:"label"`
}

// numberNames are the names that the original app tries on a model that its mapping does not name, in its order.
var numberNames = []string{"mobile_number", "phone", "phone_number", "mobile", "contact_number"}

func (a *API) suggestRecipients(c *gin.Context) error {
	q := readQuery(c)
	channel := oneOf(q, "channel", rule.Channels)
	if _, given := q.text("channel"); !given {
		q.wrong["channel"] = "must be " + alternatives(rule.Channels)
	}
	if err := q.err(); err != nil {
		return err
	}
	m, models, err := a.model(c.Request.Context(), c.Param("model"))
	if err != nil {
		return err
	}
	reader := rule.Reader{Models: models, Addresses: a.config.Addresses, Settings: a.config.Rules}
	return answer(c, http.StatusOK, list[suggestion]{Items: suggestions(m, models, reader, rule.Channel(channel))})
}

// suggestions lists the model's own fields that look like an address of the channel, then those one relation away; each
// as it is after the change and as it was before. What a notification could not name is left out.
func suggestions(m *rule.Model, models catalog.Set, reader rule.Reader, channel rule.Channel) []suggestion {
	found := []suggestion{}
	add := func(path, label string) {
		for _, s := range []suggestion{
			{DocumentField: "doc." + path, Label: label},
			{DocumentField: "old_doc." + path, Label: label + " (before the change)"},
		} {
			if acceptable(m, reader, channel, s.DocumentField) {
				found = append(found, s)
			}
		}
	}
	for _, f := range m.Fields {
		if looksLikeAddress(f, channel) {
			add(f.Name, f.Label)
		}
	}
	for _, r := range m.Relations {
		other, ok := models.Model(r.Model)
		if !ok {
			continue
		}
		for _, f := range other.Fields {
			if looksLikeAddress(f, channel) {
				add(r.Name+"."+f.Name, r.Label+": "+f.Label)
			}
		}
	}
	return found
}

// acceptable asks the validation itself, so that no suggestion is refused when the notification is saved.
func acceptable(m *rule.Model, reader rule.Reader, channel rule.Channel, documentField string) bool {
	n := &rule.Notification{Channel: channel, Model: m.Name, Recipients: []rule.Recipient{{DocumentField: documentField}}}
	_, refused := reader.Validate(n)["recipients[0].document_field"]
	return !refused
}

// looksLikeAddress judges by the name, and by a type that can hold an address: some keep numbers as integers.
func looksLikeAddress(f rule.Field, channel rule.Channel) bool {
	name := strings.ToLower(f.Name)
	if channel == rule.Email {
		return f.Type == rule.String &&
			(name == "email" || name == "email_address" ||
				strings.HasSuffix(name, "_email") || strings.HasSuffix(name, "_email_address"))
	}
	if f.Type != rule.String && f.Type != rule.Integer {
		return false
	}
	return slices.ContainsFunc(numberNames, func(known string) bool {
		return name == known || strings.HasSuffix(name, "_"+known)
	})
}
