package rule

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// Direct is where a candidate comes from that the notification names by its address.
const Direct = "direct"

// Candidate is a possible address of a message, as it was found: neither normalised nor checked.
type Candidate struct {
	// Value is empty when nothing was found.
	Value string
	// From is Direct, or where it was found, such as doc.email.
	From string
	// Row holds the address; nil for one that stands in no row of a model.
	Row Document
	// Model is the row's.
	Model *Model
	// Locale is the language of a list's entry; empty when it has none.
	Locale string
	// Copy: it gets a copy (Cc) of an email.
	Copy bool
	// Instead lists the addresses to try, in this order, when Value is not usable: a mapping's further fields.
	Instead []string
}

// recipientSource is one half of a recipient's row: an address, or a path.
type recipientSource struct {
	address string
	from    string
	// path is nil for a direct address, and for a field that the model does not have any more.
	path *path
	copy bool
}

func compileRecipients(n *Notification, names *scopeNames) []recipientSource {
	var sources []recipientSource
	for _, r := range n.Recipients {
		if address := strings.TrimSpace(r.Address); address != "" {
			sources = append(sources, recipientSource{address: address, from: Direct, copy: r.Copy})
		}
		parts := recipientNames(r.DocumentField)
		if len(parts) == 0 {
			continue
		}
		source := recipientSource{from: strings.Join(parts, "."), copy: r.Copy}
		if found, err := names.resolve(parts); err == nil && !found.rows && found.root != notifName {
			source.path = &found
		}
		sources = append(sources, source)
	}
	return sources
}

// recipientNames splits a document field; a bare path is one of doc. Nil when it is blank.
func recipientNames(documentField string) []string {
	documentField = strings.TrimSpace(documentField)
	if documentField == "" {
		return nil
	}
	names := strings.Split(documentField, ".")
	switch names[0] {
	case docName, oldDocName, notifName:
		return names
	default:
		return append([]string{docName}, names...)
	}
}

// relationToken is how a document field begins that names a relation.
const relationToken = "silque."

// checkRecipientField says what is wrong with a document field, if anything is.
func checkRecipientField(documentField string, c Channel, names *scopeNames) error {
	if strings.HasPrefix(strings.TrimSpace(documentField), relationToken) {
		return errors.New("recipients through a relation are not available yet: use a field of the model itself, such as doc.email")
	}
	found, err := names.resolve(recipientNames(documentField))
	switch {
	case err != nil:
		return err
	case found.root == notifName:
		return errors.New("a notification has no address: use a field of doc or old_doc")
	case found.rows:
		return fmt.Errorf("%s is a whole row: name a field, such as %s.%s", found, found, exampleField(found))
	case !holdsAddress(found.field.Type, c):
		return fmt.Errorf("%s is a %s field and cannot hold an address for %s", found, found.field.Type, c)
	default:
		return nil
	}
}

// holdsAddress: texts and JSON can hold any address, and whole numbers a phone number.
func holdsAddress(t FieldType, c Channel) bool {
	switch t {
	case String, JSON:
		return true
	case Integer, Float, Decimal:
		return c != Email
	default:
		return false
	}
}

// Candidates gives the possible addresses in the order of the recipients' rows, in each the direct one first. The same
// address can come twice.
func (c *Compiled) Candidates(s Scope) []Candidate {
	v := c.view(s)
	candidates := make([]Candidate, 0, len(c.recipients))
	for _, source := range c.recipients {
		if source.path == nil {
			candidates = append(candidates, Candidate{Value: source.address, From: source.from, Copy: source.copy})
			continue
		}
		rows := v.rows(*source.path)
		if len(rows) == 0 {
			candidates = append(candidates, Candidate{From: source.from, Copy: source.copy})
		}
		for _, row := range rows {
			candidates = append(candidates, Candidate{
				Value: addressText(row[source.path.field.Name]), From: source.from, Row: row, Model: source.path.model, Copy: source.copy,
			})
		}
	}
	return candidates
}

// addressText gives a text as it is and a whole number by its digits; nothing else is an address.
func addressText(value any) string {
	if text, ok := value.(string); ok {
		return strings.TrimSpace(text)
	}
	number, ok := rational(value)
	if !ok || !number.IsInt() {
		return ""
	}
	return new(big.Int).Set(number.Num()).String()
}
