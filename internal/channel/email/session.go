package email

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"
)

// quitTimeout bounds the farewell to a server: nothing depends on its answer.
const quitTimeout = time.Second

// session is one connection to the server, ready for hand-overs.
type session struct {
	conn     net.Conn // the TCP connection: closing it ends whatever waits on it, under TLS too
	client   *smtp.Client
	enhanced bool // the server announced enhanced status codes
	unwatch  func() bool
	expiry   *time.Timer // set while the session is idle
}

// watch closes the connection when ctx ends, until unwatch is called: the smtp package itself takes no context.
func (c *session) watch(ctx context.Context) {
	c.unwatch = context.AfterFunc(ctx, func() { _ = c.conn.Close() })
}

// close ends the connection without a word.
func (c *session) close() {
	c.unwatch()
	_ = c.conn.Close()
}

// quit ends the connection politely. The socket is closed in any case: go-mail leaves it open when QUIT fails.
func (c *session) quit() {
	if err := c.conn.SetDeadline(time.Now().Add(quitTimeout)); err == nil {
		_ = c.client.Quit()
	}
	_ = c.conn.Close()
}

// mail opens a transaction. Only after it is it certain that a reused connection still stands.
func (c *session) mail(from string) error { return c.client.Mail("<" + from + ">") }

// rcpt names the recipient and asks to send the content.
func (c *session) rcpt(to string) error {
	if err := c.client.Rcpt("<" + to + ">"); err != nil {
		return fmt.Errorf("RCPT TO: %w", err)
	}
	id, err := c.client.Text.Cmd("DATA")
	if err != nil {
		return fmt.Errorf("DATA: %w", err)
	}
	c.client.Text.StartResponse(id)
	defer c.client.Text.EndResponse(id)
	if _, _, err := c.client.Text.ReadResponse(354); err != nil {
		return fmt.Errorf("DATA: %w", err)
	}
	return nil
}

// write sends the content and the line that ends it. An error means that the end did not leave this machine, so the
// server cannot have taken the message. go-mail's own writer drops that error, and with it the difference.
func (c *session) write(content []byte) error {
	w := c.client.Text.DotWriter()
	if _, err := w.Write(content); err != nil {
		return fmt.Errorf("content: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("end of content: %w", err)
	}
	return nil
}

// verdict waits for the reply with which the server takes responsibility for the message, or does not.
func (c *session) verdict() (string, error) {
	code, text, err := c.client.Text.ReadResponse(250)
	if err != nil {
		return "", fmt.Errorf("final reply: %w", err)
	}
	return strconv.Itoa(code) + " " + strings.ReplaceAll(text, "\n", " "), nil
}
