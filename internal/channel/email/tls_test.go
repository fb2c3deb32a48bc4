package email_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"

	"github.com/silquetech/silque-notifications/internal/channel"
	"github.com/silquetech/silque-notifications/internal/channel/email"
)

func TestEncryption(t *testing.T) {
	t.Parallel()
	serverTLS, trusted := certificate(t)
	_, strangers := certificate(t)
	for name, tc := range map[string]struct {
		offered bool
		mode    string
		code    string
		wantTLS bool
	}{
		"mandatory, and the server offers it":             {true, email.TLSMandatory, "", true},
		"mandatory, and the server does not offer it":     {false, email.TLSMandatory, "smtp_tls", false},
		"opportunistic, and the server offers it":         {true, email.TLSOpportunistic, "", true},
		"opportunistic, and the server does not offer it": {false, email.TLSOpportunistic, "", false},
		"none, although the server offers it":             {true, email.TLSNone, "", false},
		"implicit, and the server speaks in the clear":    {true, email.TLSImplicit, "smtp_tls", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, func(s *server) {
				if tc.offered {
					s.TLSConfig = serverTLS
				}
			})
			out := sender(t, s, func(c *email.Config) { c.TLS, c.RootCAs = tc.mode, trusted })
			_, err := out.Send(t.Context(), message("d1"))
			if tc.code != "" {
				wantRefusal(t, err, channel.Temporary, tc.code)
				if len(s.received()) != 0 {
					t.Error("the message went all the same")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := s.received()[0].tls; got != tc.wantTLS {
				t.Errorf("encrypted: %v, want %v", got, tc.wantTLS)
			}
		})
	}
	expired, root := certificate(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	elsewhere, otherRoot := certificate(t, func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 2)} })
	for name, tc := range map[string]struct {
		server  *tls.Config
		trusted *x509.CertPool
		says    string
	}{
		"a certificate that has expired":        {expired, root, "expired"},
		"a certificate for another name":        {elsewhere, otherRoot, "127.0.0.2"},
		"a certificate of an unknown authority": {serverTLS, strangers, "unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, func(s *server) { s.TLSConfig = tc.server })
			_, err := sender(t, s, func(c *email.Config) { c.TLS, c.RootCAs = email.TLSMandatory, tc.trusted }).Send(t.Context(), message("d1"))
			if refusal := refusalOf(t, err, channel.Temporary, "smtp_tls"); !strings.Contains(refusal.Detail, tc.says) {
				t.Errorf("the detail is %q, want one that says %q", refusal.Detail, tc.says)
			}
			if len(s.received()) != 0 {
				t.Error("the message went all the same")
			}
		})
	}
	t.Run("a certificate that no one vouches for", func(t *testing.T) {
		t.Parallel()
		for _, mode := range []string{email.TLSMandatory, email.TLSOpportunistic} {
			s := start(t, func(s *server) { s.TLSConfig = serverTLS })
			out := sender(t, s, func(c *email.Config) { c.TLS, c.RootCAs = mode, strangers })
			_, err := out.Send(t.Context(), message("d1"))
			wantRefusal(t, err, channel.Temporary, "smtp_tls")
		}
	})
}

func TestImplicitTLSWithSigningInAndReuse(t *testing.T) {
	t.Parallel()
	serverTLS, trusted := certificate(t)
	s := start(t, func(s *server) {
		s.AllowInsecureAuth = false
		s.mechs = map[string]func() sasl.Server{"PLAIN": plain}
	})
	// A second listener of the same server: this one speaks TLS from the first byte.
	listener, err := tls.Listen("tcp", "127.0.0.1:0", serverTLS)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(&counting{Listener: listener, server: s}) }()
	t.Cleanup(func() { _ = listener.Close(); <-done })
	out := sender(t, s, func(c *email.Config) {
		c.Port, c.TLS, c.RootCAs = listener.Addr().(*net.TCPAddr).Port, email.TLSImplicit, trusted
		c.Username, c.Password = user, password
	})
	for _, id := range []string{"d1", "d2"} {
		if _, err := out.Send(t.Context(), message(id)); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.received(); !got[0].tls || !got[1].tls || s.signedIn.Load() != 1 || s.accepted.Load() != 1 {
		t.Errorf("encrypted %v %v, signed in %d times, %d connections", got[0].tls, got[1].tls, s.signedIn.Load(), s.accepted.Load())
	}
}

func TestMandatoryTLSComesBeforeThePassword(t *testing.T) {
	t.Parallel()
	serverTLS, trusted := certificate(t)
	s := start(t, func(s *server) {
		s.TLSConfig, s.AllowInsecureAuth = serverTLS, false
		s.mechs = map[string]func() sasl.Server{"PLAIN": plain, "LOGIN": login}
	})
	out := sender(t, s, func(c *email.Config) {
		c.TLS, c.RootCAs, c.Username, c.Password = "", trusted, user, password
	})
	if _, err := out.Send(t.Context(), message("d1")); err != nil {
		t.Fatal(err)
	}
}
