package django

import (
	"strings"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// The settings that say in which fields of a related model an address is.
const (
	emailSetting  = "NOTIFY_EMAIL_FIELDS"
	numberSetting = "NOTIFY_NUMBER_FIELDS"
)

// recipients translates the rows that the notification's channel looks at, and says which others it has.
func (t *translation) recipients(i *item, row *record, roster *roster) {
	found, missing := roster.of(row)
	if len(missing) > 0 {
		i.problem("recipients", "%s is not in the file: export the whole app, with manage.py dumpdata %s",
			strings.Join(missing, ", "), App)
	}
	blank, others := 0, 0
	reached := map[identifier]bool{}
	for _, r := range found {
		direct, ref := r.direct(i.n.Channel), documentField(r.docRef)
		switch {
		case r.err != nil:
			i.problem("recipients", "%s", r.err)
		case i.n.Channel != "" && !r.serves(i.n.Channel):
			others++
		case direct == "" && ref == "":
			blank++
		default:
			i.n.Recipients = append(i.n.Recipients, rule.Recipient{Address: direct, DocumentField: ref})
			if to, ok := relation(ref); ok {
				reached[to] = true
			}
		}
	}
	if blank > 0 {
		i.note("%s left out", were(blank, "blank recipient row"))
	}
	if others > 0 {
		i.note("%s left out: the channel %s does not look at them", were(others, otherRecipient(i.n.Channel)), i.n.Channel)
	}
	t.count(i.n.Channel, reached)
}

// otherRecipient is what the channel does not look at.
func otherRecipient(c rule.Channel) string {
	if c == rule.Email {
		return "number recipient"
	}
	return "email recipient"
}

// count remembers which related models the notification reaches by a token.
func (t *translation) count(c rule.Channel, reached map[identifier]bool) {
	setting := numberSetting
	if c == rule.Email {
		setting = emailSetting
	}
	for to := range reached {
		if t.relations[setting] == nil {
			t.relations[setting] = map[string]int{}
		}
		t.relations[setting][to.String()]++
	}
}
