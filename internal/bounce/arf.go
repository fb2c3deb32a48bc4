package bounce

import (
	"bytes"
	"net/mail"
	"slices"
	"strings"
)

// complaining are the kinds of feedback with which a recipient, or the provider in the recipient's name, says that the
// message was not wanted (RFC 5965, section 7.3, and the drafts that mail providers built before it). The others say
// nothing of the kind: not-spam takes a complaint back, auth-failure is about signatures, virus and other are a filter's.
var complaining = map[string]bool{"abuse": true, "fraud": true, "opt-out": true, "opt-out-list": true}

// complaints gives what an abuse report says (ARF, RFC 5965). Providers often black out who complained, in the report's
// own fields or in the original's; the Recorder counts the one whose address is the delivery's.
func (d *reading) complaints(id string) ([]Report, error) {
	fields := groups(d.feedback)
	if len(fields) == 0 || !complaining[firstWord(fields[0]["feedback-type"])] {
		return nil, ErrNoComplaint
	}
	message, err := d.about()
	if err != nil {
		return nil, err
	}
	if id == "" {
		id = string(d.feedback)
	}
	told, named := addressesOf(d.feedback, "original-rcpt-to"), d.to
	if len(named) == 0 {
		named = told
	}
	if len(named) == 0 {
		return nil, ErrNoComplainer
	}
	said := firstWord(fields[0]["feedback-type"])
	if agent := words(fields[0]["user-agent"]); agent != "" {
		said += ", by " + agent
	}
	reports := make([]Report, 0, len(named))
	for _, one := range named {
		r := Report{Kind: Complaint, MessageID: message, Recipient: one, Diagnostic: words(said), ID: id}
		if len(d.to) > 0 && len(told) > 0 && !strings.EqualFold(told[0], one) {
			r.Recipient, r.Original = told[0], one // the original has the address that we gave, before any forwarding
		}
		reports = append(reports, r)
	}
	return reports, nil
}

func firstWord(value string) string {
	word, _, _ := strings.Cut(strings.TrimSpace(strings.ToLower(value)), " ")
	return word
}

// addressesOf gives the addresses of a field that may occur several times (RFC 5965, section 3.2), each once.
func addressesOf(fields []byte, name string) (found []string) {
	for line := range bytes.Lines(fields) {
		field, value, ok := strings.Cut(string(line), ":")
		if !ok || !strings.EqualFold(strings.TrimSpace(field), name) || len(found) == maxRecipients {
			continue
		}
		if one := mailbox(value); strings.Contains(one, "@") && !slices.Contains(found, one) {
			found = append(found, one)
		}
	}
	return found
}

// addressees gives whom the original's header To names: each of them can have complained, and the delivery says who had it.
func addressees(value string) (found []string) {
	list, err := mail.ParseAddressList(value)
	if err != nil {
		return nil
	}
	for _, one := range list {
		address := mailbox(one.Address)
		if address != "" && !slices.Contains(found, address) && len(found) < maxRecipients {
			found = append(found, address)
		}
	}
	return found
}
