// Package sandbox is the development stand-in for the outside world: a real SMTP server and a Twilio-compatible HTTP API,
// both on loopback, an inbox that shows what they took, and switches that make them misbehave.
//
// The real go-mail and twilio-go clients talk to it. Nothing that it takes ever leaves the machine.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/gin-gonic/gin"
)

// Credentials and sender that the Twilio-compatible API takes when Options names no others. They open nothing but a
// sandbox. DefaultFrom is the sender that Twilio documents as always good with test credentials.
const (
	DefaultAccountSID = "AC0000000000000000000000005a4db0c5"
	DefaultAuthToken  = "sandboxtokenfordevelopmentonly00"
	DefaultFrom       = "+15005550006"
)

// TwilioPath is where Routes mounts the Twilio-compatible API: the value of TWILIO_BASE_URL is the web app's address
// followed by it.
const TwilioPath = "/sandbox/twilio"

// slowAnswer is how long the fault "slow" takes to answer: noticeable, and below every client's time limit.
const slowAnswer = 3 * time.Second

// Options says where a sandbox listens and what it keeps. The zero value listens on a free loopback port, keeps the
// inbox in memory and takes the default credentials.
type Options struct {
	// SMTPAddr is the SMTP server's address; empty means "127.0.0.1:0". It must be a loopback address: the server takes
	// mail from anybody.
	SMTPAddr string
	// Dir is the folder in which the inbox is kept across restarts; empty keeps it in memory. It is made if missing.
	Dir string
	// AccountSID and AuthToken are the only credentials that the Twilio-compatible API takes.
	AccountSID, AuthToken string
	// Logger takes what goes wrong inside the sandbox; nil is slog.Default().
	Logger *slog.Logger
	// StarterCommand gives the command that sends test messages, without its arguments, such as "DATABASE_URL=… go run
	// ./starter": the empty inbox shows it. It is asked at each request; nil is "go run ./starter".
	StarterCommand func() string
	// Answers gives the address to which the web app wants what people answer to SMS and WhatsApp messages; without it, the
	// inbox page offers no answers.
	Answers func() string
	// Reports is where the web app takes delivery reports and complaints; without its URL, the inbox page offers none.
	Reports MailReports
	// TemporalUI is the address of Temporal Web UI, for the links at the top of the inbox; empty for none.
	TemporalUI string

	slowAnswer time.Duration // shortened by tests
}

// Sandbox is a running stand-in. It is safe for concurrent use.
type Sandbox struct {
	inbox    *inbox
	faults   *faultSwitches
	log      *slog.Logger
	account  credentials
	patience time.Duration
	starter  func() string
	answers  func() string
	reports  MailReports
	client   *http.Client
	temporal string

	listener net.Listener
	smtp     *smtp.Server
	served   sync.WaitGroup
	ending   context.Context // ends hand-overs that hang or are slow
	end      context.CancelFunc
	closing  sync.Once
	closeErr error
}

// Start opens the inbox and the SMTP server. ctx is the sandbox's life: when it ends, hand-overs that hang are let go, so
// that the web server that carries the HTTP side can shut down; Close must still be called.
func Start(ctx context.Context, o Options) (*Sandbox, error) {
	o = o.withDefaults()
	listener, err := listenLoopback(ctx, o.SMTPAddr)
	if err != nil {
		return nil, err
	}
	box, err := openInbox(ctx, o.Dir, o.Logger)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	s := &Sandbox{
		inbox:    box,
		faults:   newFaultSwitches(),
		log:      o.Logger,
		account:  credentials{sid: o.AccountSID, token: o.AuthToken},
		patience: o.slowAnswer,
		starter:  o.StarterCommand,
		answers:  o.Answers,
		reports:  o.Reports,
		client:   &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, // without the environment's proxy
		temporal: o.TemporalUI,
		listener: listener,
	}
	s.ending, s.end = context.WithCancel(ctx)
	s.smtp = newSMTPServer(s)
	s.served.Go(func() {
		if err := s.smtp.Serve(listener); err != nil && !errors.Is(err, net.ErrClosed) {
			s.log.Error("sandbox: the SMTP server stopped", "error", err)
		}
	})
	return s, nil
}

func (o Options) withDefaults() Options {
	if o.SMTPAddr == "" {
		o.SMTPAddr = "127.0.0.1:0"
	}
	if o.AccountSID == "" {
		o.AccountSID = DefaultAccountSID
	}
	if o.AuthToken == "" {
		o.AuthToken = DefaultAuthToken
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.StarterCommand == nil {
		o.StarterCommand = func() string { return "go run ./starter" }
	}
	if o.slowAnswer == 0 {
		o.slowAnswer = slowAnswer
	}
	return o
}

func listenLoopback(ctx context.Context, addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("sandbox: SMTP address %q: write host:port: %w", addr, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("sandbox: SMTP address %q is not on loopback: use 127.0.0.1, it takes mail from anybody", addr)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("sandbox: SMTP server on %s (is the port taken?): %w", addr, err)
	}
	return listener, nil
}

// SMTPAddr is the address on which the SMTP server listens, with the port that was found free.
func (s *Sandbox) SMTPAddr() string { return s.listener.Addr().String() }

// Handler serves everything that Routes mounts, for use without a gin engine of one's own.
func (s *Sandbox) Handler() http.Handler {
	engine := gin.New()
	s.Routes(engine)
	return engine
}

// Close ends hanging hand-overs, the SMTP server with its connections, and the inbox. It returns ctx's error when ctx
// ends first. A second call returns the first one's result. The HTTP routes answer with errors from then on.
func (s *Sandbox) Close(ctx context.Context) error {
	s.closing.Do(func() {
		s.end()
		// The listener is closed here too: the server does not know it yet when Close follows right upon Start.
		_ = s.listener.Close()
		_ = s.smtp.Close()
		stopped := make(chan error, 1)
		go func() {
			s.served.Wait()
			stopped <- s.inbox.close()
		}()
		select {
		case s.closeErr = <-stopped:
		case <-ctx.Done():
			s.closeErr = fmt.Errorf("sandbox: close: %w", ctx.Err())
		}
	})
	return s.closeErr
}

// pause waits out a slow answer. It is false when the client or the sandbox left before.
func (s *Sandbox) pause(client context.Context) bool {
	timer := time.NewTimer(s.patience)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-client.Done():
	case <-s.ending.Done():
	}
	return false
}
