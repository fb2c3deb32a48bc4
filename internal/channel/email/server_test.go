package email_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/silquetech/silque-notifications/internal/channel"
	"github.com/silquetech/silque-notifications/internal/channel/email"
)

// received is a message as the server got it.
type received struct {
	from, to string
	opts     smtp.MailOptions
	content  []byte
	tls      bool
}

// server is a real SMTP server on loopback whose answers a test can change.
type server struct {
	*smtp.Server
	port     int
	accepted atomic.Int32 // connections so far
	open     atomic.Int32 // sessions now
	signedIn atomic.Int32

	// The hooks run before the server's own answer; a nil hook does nothing. They are set before the first connection.
	onMail  func(c *smtp.Conn, n int32) error // n counts the MAIL commands from 1
	onRcpt  func(c *smtp.Conn, to string) error
	onData  func(c *smtp.Conn, r io.Reader) error
	onReset func(c *smtp.Conn)
	mechs   map[string]func() sasl.Server
	tap     bool
	mails   atomic.Int32
	active  atomic.Int32 // messages being received now
	busiest atomic.Int32

	mu       sync.Mutex
	messages []received
	wire     []byte // every byte from clients, as it came, when it is tapped
}

// start runs the server until the test ends; set changes it before.
func start(t *testing.T, set func(s *server)) *server {
	t.Helper()
	s := &server{}
	s.Server = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		s.open.Add(1)
		return &backend{server: s, conn: c}, nil
	}))
	s.Domain = "mail.example.com"
	s.AllowInsecureAuth = true
	s.ErrorLog = log.New(io.Discard, "", 0)
	if set != nil {
		set(s)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.port = listener.Addr().(*net.TCPAddr).Port
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(&counting{Listener: listener, server: s})
	}()
	t.Cleanup(func() {
		_ = s.Close()
		_ = listener.Close() // Close does not know it when the test was over before Serve began
		<-done
	})
	return s
}

func (s *server) received() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]received(nil), s.messages...)
}

// counting counts the connections, and taps them where a test wants it.
type counting struct {
	net.Listener
	server *server
}

func (l *counting) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.server.accepted.Add(1)
	if !l.server.tap {
		return c, nil
	}
	return &tapped{Conn: c, server: l.server}, nil
}

// tapped keeps what a client says, as it came over the wire.
type tapped struct {
	net.Conn
	server *server
}

func (c *tapped) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.server.wire = append(c.server.wire, p[:n]...)
	return n, err
}

// said gives every byte from clients so far.
func (s *server) said() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.wire)
}

type backend struct {
	server *server
	conn   *smtp.Conn
	msg    received
}

func (b *backend) Reset() {
	if b.server.onReset != nil {
		b.server.onReset(b.conn)
	}
}
func (b *backend) Logout() error { b.server.open.Add(-1); return nil }

func (b *backend) Mail(from string, opts *smtp.MailOptions) error {
	n := b.server.mails.Add(1)
	_, encrypted := b.conn.TLSConnectionState()
	b.msg = received{from: from, opts: *opts, tls: encrypted}
	if b.server.onMail != nil {
		return b.server.onMail(b.conn, n)
	}
	return nil
}

func (b *backend) Rcpt(to string, _ *smtp.RcptOptions) error {
	b.msg.to = to
	if b.server.onRcpt != nil {
		return b.server.onRcpt(b.conn, to)
	}
	return nil
}

func (b *backend) Data(r io.Reader) error {
	now := b.server.active.Add(1)
	defer b.server.active.Add(-1)
	for seen := b.server.busiest.Load(); now > seen && !b.server.busiest.CompareAndSwap(seen, now); {
		seen = b.server.busiest.Load()
	}
	if b.server.onData != nil {
		if err := b.server.onData(b.conn, r); err != nil {
			return err
		}
	}
	content, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	b.msg.content = content
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	b.server.messages = append(b.server.messages, b.msg)
	return nil
}

func (b *backend) AuthMechanisms() []string {
	var names []string
	for name := range b.server.mechs {
		names = append(names, name)
	}
	return names
}

func (b *backend) Auth(mech string) (sasl.Server, error) {
	start, ok := b.server.mechs[mech]
	if !ok {
		return nil, smtp.ErrAuthUnknownMechanism
	}
	b.server.signedIn.Add(1)
	return start(), nil
}

// sender gives a Sender for the server, closed when the test ends.
func sender(t *testing.T, s *server, set func(c *email.Config)) *email.Sender {
	t.Helper()
	cfg := email.Config{
		Host: "127.0.0.1", Port: s.port, TLS: email.TLSNone,
		From: "Silque <no-reply@example.com>", HELO: "client.example.com", Timeout: 10 * time.Second,
	}
	if set != nil {
		set(&cfg)
	}
	out, err := email.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = out.Close(ctx)
	})
	return out
}

func message(id string) channel.Message {
	return channel.Message{DeliveryID: id, To: "ann@example.org", Subject: "Order 7", Text: "Order 7 is late."}
}

// wantRefusal checks the class and the code of a refusal.
func wantRefusal(t *testing.T, err error, class channel.Class, code string) {
	t.Helper()
	_ = refusalOf(t, err, class, code)
}

// refusalOf does the same and gives the refusal for a closer look.
func refusalOf(t *testing.T, err error, class channel.Class, code string) *channel.Error {
	t.Helper()
	var refusal *channel.Error
	if !errors.As(err, &refusal) {
		t.Fatalf("got %v (%T), want a *channel.Error with code %s", err, err, code)
	}
	if refusal.Class != class || refusal.Code != code {
		t.Fatalf("got %s %s (%s), want %s %s", refusal.Class, refusal.Code, refusal.Detail, class, code)
	}
	return refusal
}

// eventually polls until ok, for at most five seconds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within five seconds: %s", what)
		}
	}
}

// certificate makes a certificate for 127.0.0.1, changed as the test wants, and the pool that trusts it.
func certificate(t *testing.T, change ...func(c *x509.Certificate)) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "127.0.0.1"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	for _, c := range change {
		c(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}
