package address_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/internal/address"
	"github.com/silquetech/silque-notifications/internal/rule"
)

func TestEmailGivesTheNormalForm(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ raw, want string }{
		"an ordinary address stays":                  {"ann@example.com", "ann@example.com"},
		"surrounding spaces and breaks are dropped":  {" \tann@example.com\r\n", "ann@example.com"},
		"the domain is lower-cased":                  {"ann@EXAMPLE.Com", "ann@example.com"},
		"the local part keeps its case":              {"Ann.Lee@example.com", "Ann.Lee@example.com"},
		"plus and dots stay":                         {"a.b+c@example.com", "a.b+c@example.com"},
		"an international domain becomes punycode":   {"ann@BÜCHER.example", "ann@xn--bcher-kva.example"},
		"a punycode domain stays":                    {"ann@xn--bcher-kva.example", "ann@xn--bcher-kva.example"},
		"a single-label domain is for local servers": {"ann@localhost", "ann@localhost"},
		"64 characters before the @ are allowed":     {strings.Repeat("a", 64) + "@example.com", strings.Repeat("a", 64) + "@example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := address.Normalizer{}.Email(tc.raw)
			if err != nil || got != tc.want {
				t.Errorf("Email(%q) = %q, %v; want %q", tc.raw, got, err, tc.want)
			}
		})
	}
}

func TestEmailRefusesWhatCannotBeReached(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a.", 95) + "example.com"
	for name, tc := range map[string]struct {
		raw  string
		want error
	}{
		"nothing":                           {"  ", address.ErrEmailEmpty},
		"a header injection":                {"ann@example.com\r\nBcc: eve@example.com", address.ErrEmailControl},
		"a NUL":                             {"ann\x00@example.com", address.ErrEmailControl},
		"no @":                              {"ann.example.com", address.ErrEmailSyntax},
		"two addresses":                     {"ann@example.com, ben@example.com", address.ErrEmailSyntax},
		"a display name":                    {"Ann <ann@example.com>", address.ErrEmailSyntax},
		"angle brackets":                    {"<ann@example.com>", address.ErrEmailSyntax},
		"a comment":                         {"ann@example.com (work)", address.ErrEmailSyntax},
		"a quoted local part":               {`"ann lee"@example.com`, address.ErrEmailSyntax},
		"an inner space":                    {"ann lee@example.com", address.ErrEmailSyntax},
		"two dots in a row":                 {"ann@example..com", address.ErrEmailSyntax},
		"a local part outside ASCII":        {"änn@example.com", address.ErrEmailLocal},
		"an underscore in the domain":       {"ann@exa_mple.com", address.ErrEmailDomain},
		"a domain that begins with -":       {"ann@-example.com", address.ErrEmailDomain},
		"an IP address as the domain":       {"ann@[127.0.0.1]", address.ErrEmailDomain},
		"broken punycode":                   {"ann@xn--a", address.ErrEmailDomain},
		"65 characters before the @":        {strings.Repeat("a", 65) + "@example.com", address.ErrEmailLength},
		"more than 254 characters together": {strings.Repeat("b", 60) + "@" + long, address.ErrEmailLength},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := address.Normalizer{}.Email(tc.raw)
			if got != "" || !errors.Is(err, tc.want) {
				t.Errorf("Email(%q) = %q, %v; want %v", tc.raw, got, err, tc.want)
			}
		})
	}
}

func TestPhoneGivesE164(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ region, raw, want string }{
		"an example number stays":                    {"", "+12025550123", "+12025550123"},
		"Twilio's good magic number":                 {"", "+15005550006", "+15005550006"},
		"Twilio's invalid magic number":              {"", "+15005550001", "+15005550001"},
		"Twilio's unroutable magic number":           {"", "+15005550002", "+15005550002"},
		"Twilio's magic number without permission":   {"", "+15005550003", "+15005550003"},
		"Twilio's blocked magic number":              {"", "+15005550004", "+15005550004"},
		"Twilio's magic number that takes no SMS":    {"", "+15005550009", "+15005550009"},
		"separators are dropped":                     {"", " +1 (202) 555-01.23 ", "+12025550123"},
		"no-break spaces are dropped":                {"", "+1\u00a0202\u00a05550123", "+12025550123"},
		"the WhatsApp prefix is dropped":             {"", "whatsapp:+12025550123", "+12025550123"},
		"the WhatsApp prefix in capitals is dropped": {"", "WhatsApp: +12025550123", "+12025550123"},
		"a national number in its region":            {"GB", "020 7946 0000", "+442079460000"},
		"a national number without trunk prefix":     {"US", "2025550123", "+12025550123"},
		"an international number in another region":  {"GB", "+1 202 555 0123", "+12025550123"},
		"the trunk zero after a country code":        {"", "+44 (0)20 7946 0000", "+442079460000"},
		"the leading zero that Italy keeps":          {"IT", "06 1234 5678", "+390612345678"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := address.Normalizer{DefaultRegion: tc.region}.Phone(tc.raw)
			if err != nil || got != tc.want {
				t.Errorf("Phone(%q) = %q, %v; want %q", tc.raw, got, err, tc.want)
			}
		})
	}
}

func TestPhoneRefusesWhatCannotBeReached(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		region, raw string
		want        error
	}{
		"nothing":                            {"US", "  ", address.ErrPhoneEmpty},
		"only the WhatsApp prefix":           {"US", "whatsapp:", address.ErrPhoneEmpty},
		"letters on the keypad":              {"US", "1-800-FLOWERS", address.ErrPhoneAlphabet},
		"an extension":                       {"US", "+12025550123;ext=5", address.ErrPhoneAlphabet},
		"an extension by x":                  {"US", "+12025550123 x5", address.ErrPhoneAlphabet},
		"two plus signs":                     {"US", "++12025550123", address.ErrPhoneAlphabet},
		"a plus in the middle":               {"US", "1+2025550123", address.ErrPhoneAlphabet},
		"a lone plus":                        {"US", "+", address.ErrPhoneAlphabet},
		"digits of another script":           {"US", "+١٢٠٢٥٥٥٠١٢٣", address.ErrPhoneAlphabet},
		"an inner line break":                {"US", "+1202\n5550123", address.ErrPhoneAlphabet},
		"another prefix":                     {"US", "sip:+12025550123", address.ErrPhoneAlphabet},
		"a national number without region":   {"", "2025550123", address.ErrPhoneCountry},
		"a country code that no one has":     {"", "+0012025550123", address.ErrPhoneCountry},
		"a region that no one has":           {"XX", "2025550123", address.ErrPhoneCountry},
		"too short":                          {"", "+1202555012", address.ErrPhoneInvalid},
		"too long":                           {"", "+120255501234", address.ErrPhoneInvalid},
		"much too long":                      {"", "+1" + strings.Repeat("2", 300), address.ErrPhoneInvalid},
		"a range that no one was given":      {"", "+19999999999", address.ErrPhoneInvalid},
		"an emergency number":                {"GB", "112", address.ErrPhoneInvalid},
		"a single digit":                     {"GB", "1", address.ErrPhoneInvalid},
		"a number kept for drama by Ofcom":   {"GB", "07700 900123", address.ErrPhoneInvalid},
		"a number of another country's kind": {"US", "020 7946 0000", address.ErrPhoneInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := address.Normalizer{DefaultRegion: tc.region}.Phone(tc.raw)
			if got != "" || !errors.Is(err, tc.want) {
				t.Errorf("Phone(%q) = %q, %v; want %v", tc.raw, got, err, tc.want)
			}
		})
	}
}

func TestNormalizeFollowsTheChannel(t *testing.T) {
	t.Parallel()
	n := address.Normalizer{DefaultRegion: "US"}
	for name, tc := range map[string]struct {
		channel   rule.Channel
		raw, want string
		err       error
	}{
		"email":                   {rule.Email, " ann@EXAMPLE.com", "ann@example.com", nil},
		"sms":                     {rule.SMS, "(202) 555-0123", "+12025550123", nil},
		"whatsapp":                {rule.WhatsApp, "whatsapp:+12025550123", "+12025550123", nil},
		"a number is no email":    {rule.Email, "+12025550123", "", address.ErrEmailSyntax},
		"an email is no number":   {rule.SMS, "ann@example.com", "", address.ErrPhoneAlphabet},
		"a channel no one offers": {"pigeon", "ann@example.com", "", address.ErrChannel},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := n.Normalize(tc.channel, tc.raw)
			if got != tc.want || !errors.Is(err, tc.err) {
				t.Errorf("Normalize = %q, %v; want %q, %v", got, err, tc.want, tc.err)
			}
			if err != nil && strings.Contains(err.Error(), tc.raw) {
				t.Errorf("the error repeats the address: %v", err)
			}
		})
	}
}

func TestNormalizingTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	n := address.Normalizer{DefaultRegion: "GB"}
	for c, raw := range map[rule.Channel]string{rule.Email: "Ann@BÜCHER.example", rule.SMS: "020 7946 0000", rule.WhatsApp: "whatsapp:020 7946 0000"} {
		once, err := n.Normalize(c, raw)
		if err != nil {
			t.Fatal(err)
		}
		if twice, err := n.Normalize(c, once); err != nil || twice != once {
			t.Errorf("%s: %q became %q, %v", c, once, twice, err)
		}
	}
}
