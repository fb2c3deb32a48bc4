package email

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"sync"

	"github.com/silquetech/silque-notifications/internal/address"
	"github.com/silquetech/silque-notifications/internal/channel"
)

var _ channel.Sender = (*Sender)(nil)

// Sender hands emails to one SMTP server. It is safe for concurrent use and must be closed.
type Sender struct {
	cfg           Config
	from, replyTo *mail.Address
	returnPath    string // the envelope's sender
	domain        string // of from: the right side of every Message-ID
	tls           *tls.Config
	pool          *pool

	life     context.Context // ends when Close gives up waiting
	abandon  context.CancelFunc
	closing  sync.Once
	closeErr error
}

// New checks the settings and gives a Sender for them. Everything that is wrong is named at once. It does not connect:
// use Check for that.
func New(cfg Config) (*Sender, error) {
	cfg = cfg.withDefaults()
	errs := []error{cfg.check()}
	from, err := mailbox("From", cfg.From)
	errs = append(errs, err)
	var replyTo *mail.Address
	if cfg.ReplyTo != "" {
		replyTo, err = mailbox("ReplyTo", cfg.ReplyTo)
		errs = append(errs, err)
	}
	returnPath := cfg.ReturnPath
	if returnPath != "" {
		// Bare, unlike the others: a name in the envelope is no part of SMTP.
		if returnPath, err = (address.Normalizer{}).Email(returnPath); err != nil {
			errs = append(errs, fmt.Errorf("email: ReturnPath must be a bare address, such as bounces@example.com: %w", err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	s := &Sender{
		cfg: cfg, from: from, replyTo: replyTo, returnPath: cmp.Or(returnPath, from.Address),
		domain: from.Address[strings.LastIndexByte(from.Address, '@')+1:],
		tls:    &tls.Config{ServerName: cfg.Host, RootCAs: cfg.RootCAs, MinVersion: tls.VersionTLS12},
		pool:   newPool(cfg.MaxConnections, cfg.IdleTimeout),
	}
	s.life, s.abandon = context.WithCancel(context.Background())
	return s, nil
}

// Send hands one message over and returns when the server has taken responsibility for it, or with a *channel.Error.
// The receipt's ProviderID is the Message-ID without angle brackets; it depends only on the delivery and on From, so a
// message that is handed over twice can be recognised.
//
// Send waits for a free connection, and Config.Timeout counts from when it has one. When less than three quarters of
// Config.Timeout are left before ctx's deadline, it does not begin: the refusal is then Temporary with code smtp_busy and
// a RetryAfter of a few seconds, and nothing was said to the server. When Timeout or ctx ends later, the connection is
// closed and Send returns at once.
//
// The class is Unknown only when the whole message had left this machine and the server's verdict did not arrive.
func (s *Sender) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	e, err := s.compose(m)
	if err != nil {
		return channel.Receipt{}, err
	}
	if err := s.turn(ctx); err != nil {
		return channel.Receipt{}, err
	}
	defer s.pool.release()
	ctx, cancel := s.bound(ctx)
	defer cancel()

	c, err := s.begin(ctx, e.from)
	if err != nil {
		return channel.Receipt{}, err
	}
	reply, err := s.finish(ctx, c, e)
	if err != nil {
		return channel.Receipt{}, err
	}
	return channel.Receipt{ProviderID: e.id, Response: reply}, nil
}

// bound limits ctx to the time for one hand-over and to the life of the sender.
func (s *Sender) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	stop := context.AfterFunc(s.life, cancel)
	return ctx, func() { stop(); cancel() }
}

// begin opens a transaction on an idle connection, or on a new one. An idle connection may have been closed by the
// server meanwhile; that shows here, before anything was handed over, and a new connection takes its place.
func (s *Sender) begin(ctx context.Context, from string) (*session, error) {
	if c := s.pool.take(); c != nil {
		c.watch(ctx)
		err := c.mail(from)
		if err == nil {
			return c, nil
		}
		stale := replyCode(err) == 421 || replyCode(err) == 0
		if !stale || ctx.Err() != nil {
			return nil, s.giveUp(ctx, c, err)
		}
		c.close()
	}
	c, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.mail(from); err != nil {
		return nil, s.giveUp(ctx, c, err)
	}
	return c, nil
}

// finish carries an open transaction to the server's verdict and puts the connection back. After a verdict that takes
// the message the next transaction may follow directly: no RSET, whose failure could only obscure the success.
func (s *Sender) finish(ctx context.Context, c *session, e envelope) (string, error) {
	if err := c.rcpt(e.to); err != nil {
		return "", s.giveUp(ctx, c, err)
	}
	if err := c.write(e.content); err != nil {
		c.close()
		return "", refusal(ctx, err, codeConnectionLost, c.enhanced, false)
	}
	reply, err := c.verdict()
	if err != nil {
		failure := refusal(ctx, err, codeConnectionLost, c.enhanced, true)
		s.settle(c, err)
		return "", failure
	}
	s.pool.put(c)
	return reply, nil
}

// giveUp ends a transaction in which no content was sent.
func (s *Sender) giveUp(ctx context.Context, c *session, err error) error {
	failure := refusal(ctx, err, codeConnectionLost, c.enhanced, false)
	s.settle(c, err)
	return failure
}

// settle keeps the connection of a refused transaction if the server forgets that transaction on request, and closes
// it otherwise: the next message must not inherit half of this one.
func (s *Sender) settle(c *session, err error) {
	if !usable(err) || c.client.Reset() != nil {
		c.close()
		return
	}
	s.pool.put(c)
}

// Check connects, encrypts and signs in as a hand-over would, on a connection of its own beside Config.MaxConnections,
// and says nothing more than NOOP. It returns a *channel.Error, like Send.
func (s *Sender) Check(ctx context.Context) error {
	ctx, cancel := s.bound(ctx)
	defer cancel()
	c, err := s.dial(ctx)
	if err != nil {
		return err
	}
	if err := c.client.Noop(); err != nil {
		c.close()
		return refusal(ctx, err, codeConnectionLost, c.enhanced, false)
	}
	c.quit()
	c.unwatch()
	return nil
}

// Close lets no further hand-over begin, waits for those under way, and closes every connection. When ctx ends first,
// the hand-overs under way are given up and Close returns an error. Closing twice does nothing more.
func (s *Sender) Close(ctx context.Context) error {
	s.closing.Do(func() {
		s.pool.shut()
		if err := s.pool.drain(ctx, s.abandon); err != nil {
			s.closeErr = fmt.Errorf("email: hand-overs were given up because the time to close ran out: %w", err)
		}
		s.abandon()
	})
	return s.closeErr
}
