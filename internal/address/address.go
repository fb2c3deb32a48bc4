// Package address turns what people type, or what a row holds, into the one form in which a channel takes an address:
// the same person written in two ways gets one message, and a mistake is found before the provider is asked.
package address

import (
	"errors"
	"fmt"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// ErrChannel says that there is no such channel.
var ErrChannel = errors.New("no such channel; use email, sms or whatsapp")

// Normalizer knows the normal form of the addresses of every channel. The zero value works and takes phone numbers in
// their international form only. It is safe for concurrent use.
type Normalizer struct {
	// DefaultRegion is the country, as two capital letters ("GB"), whose national numbers are understood too. Empty:
	// a number must begin with + and its country code.
	DefaultRegion string
}

// Normalize gives raw in the normal form of channel c: an email address as Email gives it, or a number as Phone does.
// The error says what is wrong and never repeats the address.
func (n Normalizer) Normalize(c rule.Channel, raw string) (string, error) {
	switch c {
	case rule.Email:
		return n.Email(raw)
	case rule.SMS, rule.WhatsApp:
		return n.Phone(raw)
	default:
		return "", fmt.Errorf("%w: %q", ErrChannel, c)
	}
}
