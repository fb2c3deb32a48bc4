// Package email hands messages to an SMTP server. It keeps a bounded set of connections open between messages, and
// every answer of the server ends in a receipt or in a *channel.Error with a stable code.
//
// Messages are composed by go-mail and spoken by go-mail's smtp package. Its higher-level client is left aside because
// the outcome of a hand-over depends on exactly where a connection broke, which that client's errors do not tell.
package email

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/mail"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/silquetech/silque-notifications/internal/address"
)

// The values of Config.TLS.
const (
	TLSMandatory     = "mandatory"     // STARTTLS, or no hand-over (the default)
	TLSOpportunistic = "opportunistic" // STARTTLS when the server offers it; a certificate that it shows is checked
	TLSNone          = "none"          // never encrypted: for loopback and closed networks
	TLSImplicit      = "implicit"      // encrypted from the first byte, as on port 465
)

// The values of Config.AuthMethod.
const (
	AuthAuto        = "auto" // the best that the server offers, when there is a user name (the default)
	AuthPlain       = "plain"
	AuthLogin       = "login"
	AuthCRAMMD5     = "cram-md5"
	AuthSCRAMSHA256 = "scram-sha-256"
	AuthNone        = "none"
)

// The defaults of Config.
const (
	DefaultTimeout        = 20 * time.Second
	DefaultMaxConnections = 4 // four reused connections hand over more than twice what one does
	DefaultIdleTimeout    = 30 * time.Second
)

// Config says where the SMTP server is and how to speak to it.
type Config struct {
	// Host is the server's name, which its certificate must hold, or its address.
	Host string
	// Port is 1 to 65535; 0 means 587, 465 for TLSImplicit, 25 for TLSNone.
	Port int
	// Username and Password sign in; no user name, no signing in.
	Username, Password string
	// AuthMethod is one of the Auth constants; empty means AuthAuto. PLAIN and LOGIN show the password to whoever
	// listens, so without encryption they are used only towards this machine itself.
	AuthMethod string
	// TLS is one of the TLS constants; empty means TLSMandatory.
	TLS string
	// RootCAs are the authorities whose certificates are trusted; nil means the system's.
	RootCAs *x509.CertPool
	// From is the sender's address, with or without a display name: Silque <no-reply@example.com>.
	From string
	// ReplyTo is where answers go, in the form of From; empty means to From.
	ReplyTo string
	// ReturnPath is the envelope's sender: where mail servers report what came back. Empty means From's address.
	ReturnPath string
	// UnsubscribeLink gives the address under which a recipient leaves with one click (RFC 8058): https, or http on this
	// machine itself. nil, and an empty address, mean that a message carries none.
	UnsubscribeLink func(deliveryID string) string
	// HELO is the name by which we introduce ourselves; empty means this machine's name.
	HELO string
	// Timeout bounds one hand-over from the moment it has one of MaxConnections to the final reply; 0 means
	// DefaultTimeout. Callers should allow more: a hand-over begins only with three quarters of it left, see Sender.Send.
	Timeout time.Duration
	// MaxConnections bounds the connections that are open at a time; 0 means DefaultMaxConnections.
	MaxConnections int
	// IdleTimeout is how long an unused connection is kept; 0 means DefaultIdleTimeout. It should be shorter than the
	// server's own (Postfix: 300 s).
	IdleTimeout time.Duration
}

// hostName is what may stand in EHLO: a domain name, or an address literal in brackets.
var hostName = regexp.MustCompile(`^(\[[0-9A-Za-z:.]+\]|[0-9A-Za-z]([0-9A-Za-z.-]*[0-9A-Za-z])?)$`)

const (
	maxHost = 255 // RFC 5321, section 4.5.3.1.2
	// maxName is how many characters a display name may have: quoted, it cannot be broken into lines.
	maxName = 250
)

// withDefaults fills in what is left open.
func (c Config) withDefaults() Config {
	if c.TLS == "" {
		c.TLS = TLSMandatory
	}
	if c.AuthMethod == "" {
		c.AuthMethod = AuthAuto
	}
	if c.Port == 0 {
		switch c.TLS {
		case TLSImplicit:
			c.Port = 465
		case TLSNone:
			c.Port = 25
		default:
			c.Port = 587
		}
	}
	if c.HELO == "" {
		c.HELO = "localhost"
		if name, err := os.Hostname(); err == nil && hostName.MatchString(name) {
			c.HELO = name
		}
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = DefaultMaxConnections
	}
	if c.IdleTimeout == 0 {
		c.IdleTimeout = DefaultIdleTimeout
	}
	return c
}

// check names everything that is wrong with a Config whose defaults are filled in, except its addresses.
func (c Config) check() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	if c.Host == "" || strings.ContainsAny(c.Host, " \t\r\n/[]") {
		wrong("email: Host must be a host name or an IP address, without brackets or scheme")
	}
	if c.Port < 1 || c.Port > 65535 {
		wrong("email: Port %d is not between 1 and 65535", c.Port)
	}
	if !slices.Contains([]string{TLSMandatory, TLSOpportunistic, TLSNone, TLSImplicit}, c.TLS) {
		wrong("email: TLS %q is not one of mandatory, opportunistic, none, implicit", c.TLS)
	}
	if len(c.HELO) > maxHost || !hostName.MatchString(c.HELO) {
		wrong("email: HELO %.300q is not a host name", c.HELO)
	}
	if c.Timeout < 0 || c.IdleTimeout < 0 {
		wrong("email: Timeout and IdleTimeout must not be negative")
	}
	if c.MaxConnections < 0 {
		wrong("email: MaxConnections must not be negative")
	}
	return errors.Join(append(errs, c.checkAuth()...)...)
}

func (c Config) checkAuth() (errs []error) {
	wrong := func(text string) { errs = append(errs, errors.New(text)) }
	switch c.AuthMethod {
	case AuthAuto:
	case AuthNone:
		if c.Username != "" {
			wrong("email: Username is set although AuthMethod is none")
		}
	case AuthPlain, AuthLogin:
		if c.TLS == TLSNone && !loopback(c.Host) {
			wrong("email: AuthMethod plain and login would send the password unencrypted; set TLS, or use cram-md5 or scram-sha-256")
		}
		fallthrough
	case AuthCRAMMD5, AuthSCRAMSHA256:
		if c.Username == "" {
			wrong("email: AuthMethod needs a Username")
		}
	default:
		wrong(fmt.Sprintf("email: AuthMethod %q is not one of auto, plain, login, cram-md5, scram-sha-256, none", c.AuthMethod))
	}
	if c.Username != "" && c.Password == "" {
		wrong("email: Username is set but Password is empty")
	}
	if c.Username == "" && c.Password != "" {
		wrong("email: Password is set but Username is empty")
	}
	return errs
}

// loopback names the hosts to which go-mail sends a password unencrypted.
func loopback(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1"
}

// mailbox reads an address with or without a display name and brings it into its normal form. name is the setting.
func mailbox(name, value string) (*mail.Address, error) {
	parsed, err := mail.ParseAddress(value)
	if err != nil {
		return nil, fmt.Errorf("email: %s must be one address, such as no-reply@example.com or Silque <no-reply@example.com>", name)
	}
	if utf8.RuneCountInString(parsed.Name) > maxName || parsed.Name != oneLine(parsed.Name) {
		return nil, fmt.Errorf("email: %s: the name before the address must be one line of at most %d characters", name, maxName)
	}
	if parsed.Address, err = (address.Normalizer{}).Email(parsed.Address); err != nil {
		return nil, fmt.Errorf("email: %s: %w", name, err)
	}
	return parsed, nil
}
