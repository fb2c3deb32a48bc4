// Package mailer sends the emails of every peer that is written in Go: with go-mail, over a few connections that stay
// open, as an application would that sends as fast as it can.
package mailer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/silquetech/silque-notifications/bench/system"
)

// timeout bounds each step of a conversation with the server.
const timeout = 20 * time.Second

// Mailer is a pool of connections.
type Mailer struct {
	host string
	port int
	size int
	// idle holds as many connections as there may be; one that has not been opened yet, or that broke, is nil.
	idle chan *mail.Client
}

// New prepares for as many connections as the setup allows; each is opened when it is first needed.
func New(setup system.Setup) (*Mailer, error) {
	host, text, err := net.SplitHostPort(setup.SMTPAddr)
	if err != nil {
		return nil, fmt.Errorf("mailer: %w", err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return nil, fmt.Errorf("mailer: port: %w", err)
	}
	m := &Mailer{host: host, port: port, size: setup.Connections, idle: make(chan *mail.Client, setup.Connections)}
	for range setup.Connections {
		m.idle <- nil
	}
	return m, nil
}

// Send hands customer i's email over and returns when the server has accepted it. It waits for a free connection.
func (m *Mailer) Send(ctx context.Context, i int) error {
	message, err := compose(i)
	if err != nil {
		return fmt.Errorf("mailer: compose: %w", err)
	}
	select {
	case connection := <-m.idle:
		connection, err = m.deliver(ctx, connection, message)
		m.idle <- connection
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// deliver gives the connection back, or nil in place of one that broke.
func (m *Mailer) deliver(ctx context.Context, connection *mail.Client, message *mail.Msg) (*mail.Client, error) {
	if connection == nil {
		var err error
		if connection, err = m.dial(ctx); err != nil {
			return nil, err
		}
	}
	if err := connection.Send(message); err != nil {
		_ = connection.Close()
		return nil, fmt.Errorf("mailer: send: %w", err)
	}
	return connection, nil
}

func (m *Mailer) dial(ctx context.Context) (*mail.Client, error) {
	// Without NOOP and RSET go-mail spares two round trips a message, as this project's own sender does.
	connection, err := mail.NewClient(m.host, mail.WithPort(m.port), mail.WithTLSPolicy(mail.NoTLS), mail.WithTimeout(timeout),
		mail.WithoutNoop(), mail.WithoutRset())
	if err != nil {
		return nil, fmt.Errorf("mailer: %w", err)
	}
	if err := connection.DialWithContext(ctx); err != nil {
		return nil, fmt.Errorf("mailer: connect: %w", err)
	}
	return connection, nil
}

func compose(i int) (*mail.Msg, error) {
	message := mail.NewMsg()
	err := errors.Join(message.From(system.From), message.To(system.Address(i)))
	message.Subject(system.Subject(i))
	message.SetDate()
	message.SetMessageID()
	message.SetBodyString(mail.TypeTextPlain, system.Text(i))
	return message, err
}

// Close waits for the messages under way and closes the connections.
func (m *Mailer) Close() error {
	var problems []error
	for range m.size {
		if connection := <-m.idle; connection != nil {
			problems = append(problems, connection.Close())
		}
	}
	return errors.Join(problems...)
}
