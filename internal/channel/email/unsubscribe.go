package email

import (
	"errors"
	"net"
	"net/url"

	"github.com/wneessen/go-mail"
)

var errUnsubscribeLink = errors.New("the link to unsubscribe must be an https address of printable ASCII, 900 characters at most; http is for this machine alone")

// maxLink keeps the header in one line (RFC 5322, section 2.1.1): mail programs do not all put a broken link together.
const maxLink = 900

// unsubscribe writes the headers by which a mail program offers to leave with one click (RFC 2369, RFC 8058). Messages
// are not signed here: the mail server that signs them must sign these two headers too (RFC 8058, section 4).
func (s *Sender) unsubscribe(msg *mail.Msg, deliveryID string) error {
	if s.cfg.UnsubscribeLink == nil {
		return nil
	}
	link := s.cfg.UnsubscribeLink(deliveryID)
	if link == "" {
		return nil
	}
	if !headerLink(link) {
		return errUnsubscribeLink
	}
	msg.SetListUnsubscribe(link)
	msg.SetListUnsubscribePost()
	return nil
}

// headerLink says whether a link can stand in a header as it is: go-mail writes it without a look, and a line break,
// a space or an angle bracket in it would become another header or another address.
func headerLink(link string) bool {
	if len(link) > maxLink {
		return false
	}
	for _, c := range []byte(link) {
		if c <= ' ' || c >= 0x7f || c == '<' || c == '>' || c == ',' || c == '"' {
			return false
		}
	}
	u, err := url.Parse(link)
	if err != nil || u.Host == "" || u.User != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	here := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	return u.Scheme == "https" || u.Scheme == "http" && here
}
