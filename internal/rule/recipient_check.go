package rule

import (
	"errors"
	"fmt"
	"strings"
)

// The limits of who can be told.
const (
	RecipientLimit = 100       // rows
	AddressLimit   = ListLimit // addresses of one notification and event: a whole saved list
	CopyLimit      = 20        // copies of one email
)

// documentFieldLimit is in bytes; names of columns have at most 63 or so.
const documentFieldLimit = 1000

// blank says that a row finds nobody.
func (r Recipient) blank() bool {
	return strings.TrimSpace(r.Address) == "" && strings.TrimSpace(r.DocumentField) == "" && r.ListID == "" && r.Query == nil
}

func (v *validation) recipients() {
	rows := v.n.Recipients
	if len(rows) > RecipientLimit {
		v.errs.add("recipients", "at most %d rows", RecipientLimit)
		return
	}
	told, copies := 0, 0
	for i, row := range rows {
		field := fmt.Sprintf("recipients[%d]", i)
		switch {
		case row.blank():
			v.errs.add(field, "the row is blank: fill it in or remove it")
			continue
		case !row.Copy:
			told++
		case v.n.Channel != Email && v.errs["channel"] == "":
			v.errs.add(field+".copy", "only an email has copies")
		default:
			copies++
		}
		v.recipient(field, row)
	}
	switch {
	case told == 0 && copies > 0:
		v.errs.add("recipients", "at least one recipient is needed who does not only get a copy")
	case told == 0:
		v.errs.add("recipients", "at least one recipient is needed")
	case copies > CopyLimit:
		v.errs.add("recipients", "at most %d rows for copies", CopyLimit)
	}
}

// NoSuchList is what is wrong with a row whose saved list is not there.
const NoSuchList = "there is no such list: choose another"

// recipient checks one row that is not blank.
func (v *validation) recipient(field string, row Recipient) {
	v.address(field+".address", row.Address)
	if row.ListID != "" && v.reader.HasList != nil && !v.reader.HasList(row.ListID) {
		v.errs.add(field+".list_id", NoSuchList)
	}
	if v.names == nil || v.errs["channel"] != "" {
		return
	}
	switch documentField := strings.TrimSpace(row.DocumentField); {
	case documentField == "":
	case len(documentField) > documentFieldLimit:
		v.errs.add(field+".document_field", "at most %d characters", documentFieldLimit)
	default:
		if _, err := v.reader.documentSource(documentField, v.n.Channel, v.names); err != nil {
			v.errs.add(field+".document_field", "%s", err)
		}
	}
	if row.Query == nil {
		return
	}
	var wrong *queryError
	if _, err := v.reader.querySource(row.Query, v.n.Channel, v.names); errors.As(err, &wrong) {
		v.errs.add(field+".query."+wrong.part, "%s", wrong.message)
	}
}

func (v *validation) address(field, address string) {
	if strings.TrimSpace(address) == "" || v.errs["channel"] != "" {
		return
	}
	if _, err := v.reader.Addresses.Normalize(v.n.Channel, strings.TrimSpace(address)); err != nil {
		v.errs.add(field, "%s", err)
	}
}

// replyTo checks where answers go.
func (v *validation) replyTo() {
	text := strings.TrimSpace(v.n.ReplyTo)
	switch {
	case text == "":
	case v.n.Channel != Email:
		v.errs.add("reply_to", "only an email can be answered to another address")
	case strings.Contains(text, "@"):
		v.address("reply_to", text)
	case v.names != nil:
		if _, err := v.reader.documentSource(text, Email, v.names); err != nil {
			v.errs.add("reply_to", "%s", err)
		}
	}
}

// localeField checks where a recipient's language is found.
func (v *validation) localeField() {
	name := strings.TrimSpace(v.n.LocaleField)
	if name == "" || v.names == nil {
		return
	}
	if strings.Contains(name, ".") {
		if _, err := v.names.value(recipientNames(name)); err != nil {
			v.errs.add("locale_field", "%s", err)
		}
		return
	}
	models := []*Model{v.model}
	for _, row := range v.n.Recipients {
		for _, source := range v.reader.sourcesOf(v.n, row, v.names, newNeeds()) {
			if m := source.model(); m != nil {
				models = append(models, m)
			}
		}
	}
	for _, m := range models {
		if _, ok := m.Field(name); ok {
			return
		}
	}
	v.errs.add("locale_field", "none of the rows that hold an address has the field %s: write a field of theirs, "+
		"such as language, or a path such as doc.customer.language", name)
}

// model is that of the rows that hold the addresses; nil when there are none.
func (r *recipientSource) model() *Model {
	switch {
	case r.query != nil:
		return r.query.model
	case r.path != nil:
		return r.path.model
	default:
		return nil
	}
}

// ListLimit bounds the entries of a saved list.
const ListLimit = 10_000

// ValidateList checks the entries of a saved list, and gives everything that is wrong: by names such as
// entries[3].email.
func ValidateList(entries []ListEntry, addresses Addresses) FieldErrors {
	errs := FieldErrors{}
	if len(entries) > ListLimit {
		errs.add("entries", "at most %d", ListLimit)
		return errs
	}
	for i, entry := range entries {
		field := fmt.Sprintf("entries[%d]", i)
		if entry.address(Email) == "" && entry.address(SMS) == "" {
			errs.add(field, "an entry needs an email address or a number")
		}
		for channel, part := range map[Channel]string{Email: ".email", SMS: ".number"} {
			if address := entry.address(channel); address != "" {
				if _, err := addresses.Normalize(channel, address); err != nil {
					errs.add(field+part, "%s", err)
				}
			}
		}
		if entry.Locale != "" && !localeForm.MatchString(entry.Locale) {
			errs.add(field+".locale", "write a language such as de or pt-BR")
		}
	}
	return errs
}
