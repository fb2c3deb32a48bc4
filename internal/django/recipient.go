package django

import (
	"encoding/json"
	"strings"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// recipient is one row of the app: an address, a document field, or both.
type recipient struct {
	kind                           kind
	email, number, address, docRef string
	err                            error
}

// recipientOf reads the fields of a recipient, wherever it stands.
func recipientOf(k kind, f *fields) recipient {
	r := recipient{kind: k}
	for _, part := range []struct {
		into  *string
		names []string
	}{{&r.email, emailNames}, {&r.number, numberNames}, {&r.address, addressNames}, {&r.docRef, documentFieldNames}} {
		text, err := f.text(part.names)
		if err != nil && r.err == nil {
			r.err = err
		}
		*part.into = strings.TrimSpace(text)
	}
	f.moment(createdNames)
	f.moment(updatedNames)
	f.take([]string{"id"})
	return r
}

// serves says whether a row is one that the channel looks at.
func (r recipient) serves(c rule.Channel) bool {
	return r.kind == aRecipient || (r.kind == anEmailRecipient) == (c == rule.Email)
}

// direct gives the address for a channel.
func (r recipient) direct(c rule.Channel) string {
	own := r.number
	if c == rule.Email {
		own = r.email
	}
	if own == "" {
		return r.address
	}
	return own
}

// roster finds a notification's recipients, in whichever way the app's version keeps them.
type roster struct {
	// byKey are rows that notifications point at, by kind and key; byOwner are rows that point at a notification.
	byKey   map[kind]map[string]*entry
	byOwner map[string][]*entry
	all     []*entry
	// unknown counts the fields of rows that stand within a notification and that nothing here knows.
	unknown map[string]int
}

// entry is a recipient and whether a notification has it.
type entry struct {
	recipient
	used bool
}

func newRoster(rows []*record) *roster {
	r := &roster{byKey: map[kind]map[string]*entry{}, byOwner: map[string][]*entry{}, unknown: map[string]int{}}
	for _, row := range rows {
		k := kindOf(row.model)
		e := &entry{recipient: recipientOf(k, row.fields)}
		r.all = append(r.all, e)
		if r.byKey[k] == nil {
			r.byKey[k] = map[string]*entry{}
		}
		if row.key != "" {
			r.byKey[k][row.key] = e
		}
		_, raw := row.fields.take(ownerNames)
		if owner, err := keyText(raw); err == nil && owner != "" {
			r.byOwner[owner] = append(r.byOwner[owner], e)
		}
	}
	return r
}

// unused counts the recipients that no notification has.
func (r *roster) unused() int {
	count := 0
	for _, e := range r.all {
		if !e.used {
			count++
		}
	}
	return count
}

// of gives a notification's recipients in the export's order. missing names those that it points at and that are not
// there, the first of them.
func (r *roster) of(n *record) (found []recipient, missing []string) {
	for _, list := range []struct {
		kind  kind
		names []string
		word  string
	}{
		{anEmailRecipient, emailListNames, "email recipient"},
		{aNumberRecipient, numberListNames, "number recipient"},
		{aRecipient, anyListNames, "recipient"},
	} {
		for _, element := range n.fields.list(list.names) {
			row, ok := r.element(list.kind, element)
			if !ok {
				if len(missing) < noteLimit {
					missing = append(missing, list.word+" "+short(string(element)))
				}
				continue
			}
			found = append(found, row)
		}
	}
	if n.key == "" {
		return found, missing
	}
	for _, e := range r.byOwner[n.key] {
		e.used = true
		found = append(found, e.recipient)
	}
	return found, missing
}

// element reads one element of a notification's list: the key of a row, the row itself, or an address.
func (r *roster) element(k kind, raw json.RawMessage) (recipient, bool) {
	if key, err := keyText(raw); err == nil && key != "" {
		if e, ok := r.byKey[k][key]; ok {
			e.used = true
			return e.recipient, true
		}
		if k == anEmailRecipient && strings.Contains(key, "@") {
			return recipient{kind: k, email: key}, true
		}
		return recipient{}, false
	}
	var inline map[string]json.RawMessage
	if json.Unmarshal(raw, &inline) != nil || inline == nil {
		return recipient{}, false
	}
	f := newFields(inline)
	row := recipientOf(k, f)
	for _, name := range f.unknown() {
		r.unknown["recipients."+name]++
	}
	return row, true
}

// documentField drops a label, and begins a bare path with doc, which it means. Relations keep the form that they have:
// silque.doc.customer.shop.Customer.
func documentField(text string) string {
	path := withoutLabel(text)
	first, _, _ := strings.Cut(path, ".")
	switch first {
	case "", "doc", "old_doc", "silque":
		return path
	default:
		return "doc." + path
	}
}

// relation reads a token: silque.doc.customer.shop.Customer leads to shop.Customer.
func relation(documentField string) (to identifier, ok bool) {
	parts := strings.Split(documentField, ".")
	if len(parts) != 5 || parts[0] != "silque" || parts[3] == "" || parts[4] == "" {
		return identifier{}, false
	}
	return identifier{parts[3], parts[4]}, true
}
