package twilio

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"unicode/utf8"

	api "github.com/twilio/twilio-go/rest/api/v2010"
)

// contentSID is what the Content API names its templates (twilio.com/docs/api/errors/21655).
var contentSID = regexp.MustCompile(`^HX[0-9a-fA-F]{32}$`)

// minTelling is how many characters the values of a template's variables must have together to tell its message from
// others. A first name or a number alone could stand in any message to the same person.
const minTelling = 12

// checkContent refuses what no template can be. It is not told which, because a mistake may have put anything there.
func (p CreateParams) checkContent() error {
	if !contentSID.MatchString(p.ContentSID) {
		return refused(codeBadContent, "the ContentSID must be HX and 32 hexadecimal digits")
	}
	return nil
}

// setContent puts the template in the place of a text. Without variables there is no parameter: an empty one is refused.
func (p CreateParams) setContent(out *api.CreateMessageParams) {
	out.ContentSid = &p.ContentSID
	if len(p.ContentVariables) == 0 {
		return
	}
	values := make(map[string]string, len(p.ContentVariables))
	for name, value := range p.ContentVariables {
		values[name] = oneLine(value)
	}
	var object bytes.Buffer
	encoder := json.NewEncoder(&object)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(values) // a map of strings can always be written
	variables := strings.TrimSpace(object.String())
	out.ContentVariables = &variables
}

// oneLine gives a value in the form that a variable may have: Twilio refuses those with a line break, a tab or more than
// four spaces in a row, with code 21656 (twilio.com/docs/api/errors/21656).
func oneLine(value string) string { return strings.Join(strings.Fields(value), " ") }

// tells says whether the values of the variables are enough to know the message by.
func (p FindParams) tells() bool {
	characters := 0
	for _, value := range p.ContentVariables {
		characters += utf8.RuneCountInString(oneLine(value))
	}
	return characters >= minTelling
}

// saysAll says whether body can be what became of the template with these variables.
//
// Twilio's list has the text as it was sent, and neither the template's SID nor its variables, so the text cannot be
// compared. Recipient, sender and time alone would do for any other message to the same person: taking a foreign message
// for the one that is sought would lose that one, while missing it sends it twice. Losing is worse, so every value has to
// stand in the text. A template that uses a variable elsewhere alone, such as in the address of a button, is never found.
func (p FindParams) saysAll(body string) bool {
	body = oneLine(body)
	for _, value := range p.ContentVariables {
		if !strings.Contains(body, oneLine(value)) {
			return false
		}
	}
	return true
}
