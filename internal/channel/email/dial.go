package email

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"github.com/wneessen/go-mail/smtp"

	"github.com/silquetech/silque-notifications/internal/channel"
)

// dial opens a connection, encrypts it and signs in. The session is watched by ctx. Nothing has been handed over when
// it fails, so its refusals are never of class Unknown.
func (s *Sender) dial(ctx context.Context) (*session, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(s.cfg.Host, strconv.Itoa(s.cfg.Port)))
	if err != nil {
		return nil, refusal(ctx, err, codeConnect, false, false)
	}
	c := &session{conn: &bounded{Conn: conn}}
	c.watch(ctx)
	if err := s.open(ctx, c); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// open brings a fresh connection to where the first MAIL can be said.
func (s *Sender) open(ctx context.Context, c *session) error {
	stream := c.conn
	if s.cfg.TLS == TLSImplicit {
		encrypted := tls.Client(c.conn, s.tls)
		if err := encrypted.HandshakeContext(ctx); err != nil {
			return refusal(ctx, err, codeTLS, false, false)
		}
		stream = encrypted
	}
	var err error
	if c.client, err = smtp.NewClient(stream, s.cfg.Host); err != nil {
		return refusal(ctx, err, codeConnectionLost, false, false)
	}
	// Our addresses and headers are ASCII. Asking for SMTPUTF8 all the same would oblige every further server on the
	// way to offer it, and some would return the message for that alone.
	c.client.SkipSMTPUTF8(true)
	if err := c.client.Hello(s.cfg.HELO); err != nil {
		return refusal(ctx, err, codeConnectionLost, false, false)
	}
	if err := s.startTLS(ctx, c.client); err != nil {
		return err
	}
	c.enhanced, _ = c.client.Extension("ENHANCEDSTATUSCODES")
	return s.signIn(ctx, c.client)
}

// startTLS encrypts when the settings want it. Refusals are temporary even when they look like settings: a missing
// STARTTLS or an odd certificate is also what one bad server of several, or someone in the middle, looks like.
func (s *Sender) startTLS(ctx context.Context, client *smtp.Client) error {
	if s.cfg.TLS != TLSMandatory && s.cfg.TLS != TLSOpportunistic {
		return nil
	}
	if offered, _ := client.Extension("STARTTLS"); !offered {
		if s.cfg.TLS == TLSOpportunistic {
			return nil
		}
		return refusal(ctx, errNoSTARTTLS, codeTLS, false, false)
	}
	if err := client.StartTLS(s.tls); err != nil {
		return refusal(ctx, err, codeTLS, false, false)
	}
	return nil
}

// signIn authenticates when there is a user name.
func (s *Sender) signIn(ctx context.Context, client *smtp.Client) error {
	if s.cfg.AuthMethod == AuthNone || s.cfg.Username == "" {
		return nil
	}
	_, offered := client.Extension("AUTH")
	_, err := client.GetTLSConnectionState()
	auth := s.mechanism(strings.Fields(strings.ToUpper(offered)), err == nil)
	if auth == nil {
		return refused(codeAuthUnsupported, errNoAuth)
	}
	if err := client.Auth(auth); err != nil {
		return authRefusal(ctx, err)
	}
	return nil
}

// mechanism picks how to sign in: the one that the settings name or, for AuthAuto, the first that the server offers.
// Encrypted, passwords in the clear are preferred to CRAM-MD5, which servers with hashed passwords offer in vain.
// nil means that the server offers none of them.
func (s *Sender) mechanism(offered []string, encrypted bool) smtp.Auth {
	wanted := []string{strings.ToUpper(s.cfg.AuthMethod)}
	if s.cfg.AuthMethod == AuthAuto {
		wanted = []string{"SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN"}
		if encrypted {
			wanted = []string{"SCRAM-SHA-256", "PLAIN", "LOGIN", "CRAM-MD5"}
		}
	}
	for _, name := range wanted {
		if !slices.Contains(offered, name) {
			continue
		}
		switch name {
		case "SCRAM-SHA-256":
			return smtp.ScramSHA256Auth(s.cfg.Username, s.cfg.Password)
		case "CRAM-MD5":
			return smtp.CRAMMD5Auth(s.cfg.Username, s.cfg.Password)
		case "PLAIN":
			return smtp.PlainAuth("", s.cfg.Username, s.cfg.Password, s.cfg.Host, false)
		case "LOGIN":
			return smtp.LoginAuth(s.cfg.Username, s.cfg.Password, s.cfg.Host, false)
		}
	}
	return nil
}

// authRefusal classifies a failure to sign in. What is neither a reply nor a broken connection comes from the
// mechanism itself, such as a server that cannot prove that it knows the password.
func authRefusal(ctx context.Context, err error) *channel.Error {
	err = fmt.Errorf("signing in: %w", err)
	var reply *textproto.Error
	var network net.Error
	switch {
	case errors.As(err, &reply):
		return replied(reply, "smtp_auth_", false, false)
	case errors.Is(err, smtp.ErrUnencrypted):
		return refused(codeAuthUnencrypted, err)
	case ctx.Err() != nil, errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return refusal(ctx, err, codeConnectionLost, false, false)
	default:
		return refused(codeAuth, err)
	}
}
