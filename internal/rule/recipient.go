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
	// Value is empty when a document field gave none.
	Value string
	// From is Direct, or the path of the document field, such as doc.email.
	From string
}

// recipientSource is one half of a recipient's row: an address, or a path.
type recipientSource struct {
	address string
	from    string
	// path is nil for a direct address, and for a field that the model does not have any more.
	path *path
}

func compileRecipients(n *Notification, m *Model) []recipientSource {
	var sources []recipientSource
	for _, r := range n.Recipients {
		if address := strings.TrimSpace(r.Address); address != "" {
			sources = append(sources, recipientSource{address: address, from: Direct})
		}
		names := recipientNames(r.DocumentField)
		if len(names) == 0 {
			continue
		}
		source := recipientSource{from: strings.Join(names, ".")}
		if found, err := resolvePath(names, m); err == nil && found.root != notifName {
			source.path = &found
		}
		sources = append(sources, source)
	}
	return sources
}

// recipientNames splits a document field; a bare name is a field of doc. Nil when it is blank.
func recipientNames(documentField string) []string {
	documentField = strings.TrimSpace(documentField)
	if documentField == "" {
		return nil
	}
	names := strings.Split(documentField, ".")
	if len(names) == 1 {
		return []string{docName, names[0]}
	}
	return names
}

// relationToken is how a document field begins that names a relation.
const relationToken = "silque."

// checkRecipientField says what is wrong with a document field, if anything is.
func checkRecipientField(documentField string, c Channel, m *Model) error {
	if strings.HasPrefix(strings.TrimSpace(documentField), relationToken) {
		return errors.New("recipients through a relation are not available yet: use a field of the model itself, such as doc.email")
	}
	names := recipientNames(documentField)
	if len(names) > 1 && names[0] != docName && names[0] != oldDocName && names[0] != notifName {
		return fmt.Errorf("paths through a relation are not available yet: use a field of %s itself, such as doc.email", m.Name)
	}
	found, err := resolvePath(names, m)
	if err != nil {
		return err
	}
	if found.root == notifName {
		return errors.New("a notification has no address: use a field of doc or old_doc")
	}
	if !holdsAddress(found.field.Type, c) {
		return fmt.Errorf("%s is a %s field and cannot hold an address for %s", found, found.field.Type, c)
	}
	return nil
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
		candidate := Candidate{Value: source.address, From: source.from}
		if source.path != nil {
			value, _ := v.value(*source.path)
			candidate.Value = addressText(value)
		}
		candidates = append(candidates, candidate)
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
