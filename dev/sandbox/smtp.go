package sandbox

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/emersion/go-smtp"
)

// Limits of the SMTP server. The idle time is the least that RFC 5321, section 4.5.3.2.7, asks of a server. A message may
// have the 20 MiB of attachments that are the worker's default, which take a third more in base64.
const (
	smtpIdle        = 5 * time.Minute
	maxMessageBytes = 40 << 20
	maxRecipients   = 100 // the least that RFC 5321, section 4.5.3.1.8, asks of a server
)

// The answers of the faults, and of a message that could not be kept.
var (
	smtpTemporary = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "Requested action aborted: sandbox fault \"temporary\""}
	smtpPermanent = &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "No such user here: sandbox fault \"permanent\""}
	smtpRateLimit = &smtp.SMTPError{Code: 450, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "Too many messages, try again later: sandbox fault \"rate_limit\""}
	smtpGone      = &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 4, 2}, Message: "Connection lost"}
	smtpNotKept   = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "The sandbox could not keep the message"}
)

func newSMTPServer(s *Sandbox) *smtp.Server {
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &smtpSession{sandbox: s, conn: c}, nil
	}))
	server.Domain = "sandbox.localhost"
	server.ReadTimeout = smtpIdle
	server.WriteTimeout = time.Minute
	server.MaxMessageBytes = maxMessageBytes
	server.MaxRecipients = maxRecipients
	server.EnableSMTPUTF8 = true
	server.ErrorLog = smtpLog{s.log}
	return server
}

// smtpSession is one client's connection. Faults act at the hand-over: at each RCPT, except "drop", which acts once the
// message was sent and its answer is due.
type smtpSession struct {
	sandbox *Sandbox
	conn    *smtp.Conn
	sender  string
	rcpts   []string
}

// Mail begins a message.
func (s *smtpSession) Mail(from string, _ *smtp.MailOptions) error {
	s.sender = from
	return nil
}

// Rcpt adds a recipient, or meets a fault.
func (s *smtpSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	switch s.sandbox.faults.meet(Email, Temporary, Permanent, RateLimit, Hang, Slow) {
	case Temporary:
		return smtpTemporary
	case Permanent:
		return smtpPermanent
	case RateLimit:
		return smtpRateLimit
	case Hang:
		s.hang()
		return smtpGone
	case Slow:
		if !s.sandbox.pause(s.sandbox.ending) {
			return smtpGone
		}
	}
	s.rcpts = append(s.rcpts, to)
	return nil
}

// Data takes the message and keeps it once a recipient, or cuts the connection.
func (s *smtpSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if s.sandbox.faults.meet(Email, Drop) == Drop {
		_ = s.conn.Conn().Close()
		return smtpGone
	}
	messages := make([]*Message, 0, len(s.rcpts))
	for _, to := range s.rcpts {
		m := readMail(raw)
		m.To, m.Source = to, source(raw)
		if m.From == "" {
			m.From = s.sender
		}
		messages = append(messages, m)
	}
	if err := s.sandbox.inbox.add(s.sandbox.ending, messages...); err != nil {
		s.sandbox.log.Error("sandbox: an email was refused because it could not be kept", "error", err)
		return smtpNotKept
	}
	if s.sandbox.faults.meet(Email, Lost) == Lost {
		_ = s.conn.Conn().Close()
		return smtpGone
	}
	return nil
}

// maxSource is how much of an email's source the inbox keeps: enough for a look, whatever is attached.
const maxSource = 256 << 10

func source(raw []byte) string {
	if len(raw) <= maxSource {
		return strings.ToValidUTF8(string(raw), "\uFFFD")
	}
	return strings.ToValidUTF8(string(raw[:maxSource]), "\uFFFD") + fmt.Sprintf("\n… and %s more, which the inbox does not keep", byteCount(int64(len(raw)-maxSource)))
}

// Reset forgets the message that was begun.
func (s *smtpSession) Reset() { s.sender, s.rcpts = "", nil }

// Logout ends the session; there is nothing to free.
func (s *smtpSession) Logout() error { return nil }

// hang answers nothing until the client leaves or the sandbox closes the connection, then cuts it.
func (s *smtpSession) hang() {
	conn := s.conn.Conn()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-s.sandbox.ending.Done():
			_ = conn.Close()
		case <-stop:
		}
	}()
	_ = conn.SetReadDeadline(time.Time{})
	_, _ = io.Copy(io.Discard, conn)
	_ = conn.Close()
}

// smtpLog passes the SMTP server's words on. A client that cuts its connection is ordinary here, hence the level.
type smtpLog struct{ log *slog.Logger }

// Printf writes one formatted line.
func (l smtpLog) Printf(format string, v ...any) {
	l.log.Debug("sandbox: SMTP: " + fmt.Sprintf(format, v...))
}

// Println writes one line.
func (l smtpLog) Println(v ...any) { l.log.Debug("sandbox: SMTP: " + fmt.Sprint(v...)) }
