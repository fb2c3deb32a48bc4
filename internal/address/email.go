package address

import (
	"errors"
	"net/mail"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
)

// What is wrong with an email address.
var (
	ErrEmailEmpty   = errors.New("the email address is empty")
	ErrEmailControl = errors.New("the email address holds a line break or another control character")
	ErrEmailSyntax  = errors.New("not one bare email address, such as name@example.com, without a display name, quotes or comments")
	ErrEmailLocal   = errors.New("the part before the @ holds letters outside ASCII, which most mail servers refuse")
	ErrEmailDomain  = errors.New("the part after the @ is not a domain name")
	ErrEmailLength  = errors.New("the email address is too long (64 characters before the @, 254 in all)")
)

// RFC 5321, section 4.5.3.1: 64 octets for the local part; 256 for a path with its angle brackets, hence 254 in all.
const (
	maxEmailLocal = 64
	maxEmail      = 254
)

// domains is strict where idna.Lookup is lenient: empty labels and over-long names are refused as well.
var domains = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true), idna.VerifyDNSLength(true))

// Email gives the address without surrounding spaces and with the domain in lower case and in punycode. The local part
// stays as it is, because only its own server knows whether Ann and ann are the same mailbox. Display names, lists,
// quoted local parts, IP-address domains and local parts outside ASCII are refused.
func (n Normalizer) Email(raw string) (string, error) {
	trimmed := strings.TrimSpace(raw)
	if trimmed == "" {
		return "", ErrEmailEmpty
	}
	if strings.ContainsFunc(trimmed, unicode.IsControl) {
		return "", ErrEmailControl
	}
	// net/mail also takes display names, angle brackets, comments and quotes. All of them differ from the bare address
	// that it finds, so one comparison refuses them all.
	parsed, err := mail.ParseAddress(trimmed)
	if err != nil || parsed.Address != trimmed {
		return "", ErrEmailSyntax
	}
	at := strings.LastIndexByte(trimmed, '@')
	local := trimmed[:at]
	if strings.ContainsFunc(local, func(r rune) bool { return r > unicode.MaxASCII }) {
		return "", ErrEmailLocal
	}
	domain, err := domains.ToASCII(trimmed[at+1:])
	if err != nil || domain == "" || strings.HasSuffix(domain, ".") {
		return "", ErrEmailDomain
	}
	if len(local) > maxEmailLocal || len(local)+1+len(domain) > maxEmail {
		return "", ErrEmailLength
	}
	return local + "@" + domain, nil
}
