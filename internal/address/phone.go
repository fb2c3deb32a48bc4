package address

import (
	"errors"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// What is wrong with a phone number.
var (
	ErrPhoneEmpty    = errors.New("the phone number is empty")
	ErrPhoneAlphabet = errors.New("the phone number holds something other than digits, a leading +, and the separators space - ( ) . ; letters and extensions cannot be reached by a message")
	ErrPhoneCountry  = errors.New("the phone number does not say its country; begin with + and the country code, such as +12025550123")
	ErrPhoneInvalid  = errors.New("no such phone number: too short, too long, or in no range that the country has given out")
)

// whatsAppPrefix is how Twilio marks a WhatsApp address; people copy it from there.
const whatsAppPrefix = "whatsapp:"

// separators are what people put between digits; the last is the no-break space of spreadsheets.
var separators = strings.NewReplacer(" ", "", "-", "", "(", "", ")", "", ".", "", "\u00a0", "")

// Phone gives the number in E.164, such as +12025550123. Separators and a leading "whatsapp:" are dropped.
//
// Whether the number exists is decided by libphonenumber's ranges (IsValidNumber), which hold Twilio's magic test
// numbers (+1 500 555 000x) and North American example numbers (+1 202 555 01xx). The numbers that Ofcom keeps for
// drama (+44 7700 900xxx) are in no range and are refused.
func (n Normalizer) Phone(raw string) (string, error) {
	digits := strings.TrimSpace(raw)
	if len(digits) >= len(whatsAppPrefix) && strings.EqualFold(digits[:len(whatsAppPrefix)], whatsAppPrefix) {
		digits = digits[len(whatsAppPrefix):]
	}
	digits = separators.Replace(digits)
	if digits == "" {
		return "", ErrPhoneEmpty
	}
	// phonenumbers itself would read 1-800-FLOWERS and drop ";ext=5": the alphabet is checked before it is asked.
	if !onlyDigits(strings.TrimPrefix(digits, "+")) {
		return "", ErrPhoneAlphabet
	}
	if n.DefaultRegion == "" && digits[0] != '+' {
		return "", ErrPhoneCountry
	}
	number, err := phonenumbers.Parse(digits, n.DefaultRegion)
	switch {
	case errors.Is(err, phonenumbers.ErrInvalidCountryCode):
		return "", ErrPhoneCountry
	case err != nil, !phonenumbers.IsValidNumber(number):
		return "", ErrPhoneInvalid
	}
	return phonenumbers.Format(number, phonenumbers.E164), nil
}

func onlyDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
