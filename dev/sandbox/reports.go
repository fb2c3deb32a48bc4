package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// MailReports says where the web app takes what becomes of emails after their hand-over.
type MailReports struct {
	// URL gives the address of the reports, and Secret the bearer token that it takes. Both are asked at each report.
	URL, Secret func() string
}

// fate is what can become of an email that the sandbox took. The inbox page offers it as a button.
type fate struct {
	Name, Label string
	// Told is what the page says afterwards.
	Told string
	// action, status and diagnostic are a delivery report's (RFC 3464); of fates without an action, the recipient tells.
	action, status, diagnostic string
}

// fates are offered in this order.
var fates = []fate{
	{Name: "no_mailbox", Label: "No such mailbox", Told: "The mail server reported that there is no such mailbox. The delivery has failed, and the address gets no more emails here.",
		action: "failed", status: "5.1.1", diagnostic: "550 5.1.1 no such mailbox here"},
	{Name: "full", Label: "Mailbox full", Told: "The mail server reported that the mailbox is full. The delivery has failed; the next email is tried as usual.",
		action: "failed", status: "5.2.2", diagnostic: "552 5.2.2 the mailbox is full"},
	{Name: "delivered", Label: "Delivered", Told: "The mail server reported that the email is in its mailbox.",
		action: "delivered", status: "2.0.0", diagnostic: "250 2.0.0 it is in the mailbox"},
	{Name: fateSpam, Label: "This is spam", Told: "The recipient's provider reported that they call it spam. The address gets no more emails here."},
	{Name: fateLeft, Label: "Unsubscribe", Told: "The recipient left with one click, as mail programs offer it. The address gets no more emails of this notification."},
}

const (
	fateSpam = "spam"
	fateLeft = "unsubscribe"
)

// fatesOf gives what can become of an email here.
func (s *Sandbox) fatesOf(m *Message) (offered []fate) {
	if m.Channel != Email {
		return nil
	}
	for _, f := range fates {
		if f.Name == fateLeft && oneClick(m) == "" || f.Name != fateLeft && s.reports.URL == nil {
			continue
		}
		offered = append(offered, f)
	}
	return offered
}

// fateNamed gives an offered fate; ok is false when there is none of that name.
func fateNamed(offered []fate, name string) (found fate, ok bool) {
	for _, f := range offered {
		if f.Name == name {
			return f, true
		}
	}
	return fate{}, false
}

// postReport lets one of the fates come true.
func (s *Sandbox) postReport(c *gin.Context) {
	m, err := s.inbox.get(c.Request.Context(), c.Param("id"))
	if err != nil {
		s.render(c, http.StatusNotFound, nil, "That message is gone: the inbox was emptied.")
		return
	}
	f, ok := fateNamed(s.fatesOf(&m), c.PostForm("what"))
	if !ok {
		s.render(c, http.StatusNotFound, &m, "That cannot become of this message.")
		return
	}
	if f.Name == fateLeft {
		err = s.leave(c.Request.Context(), &m)
	} else {
		err = s.sendReport(c.Request.Context(), &m, f)
	}
	if err != nil {
		s.log.Error("sandbox: a report about an email was not taken", "report", f.Name, "error", err)
		s.render(c, http.StatusBadGateway, &m, "The web app did not take the report: see the log.")
		return
	}
	place := url.URL{Path: "/sandbox/messages/" + m.ID, RawQuery: url.Values{"reported": {f.Name}}.Encode()}
	c.Redirect(http.StatusSeeOther, place.String())
}

// sendReport reports as a mail server does, by a delivery report; or as providers do whose webhooks are brought into the
// web app's own form.
func (s *Sandbox) sendReport(ctx context.Context, m *Message, f fate) error {
	if f.action == "" {
		complaint, err := json.Marshal(map[string]string{"type": "complaint", "message_id": headerOf(m, "Message-ID"), "recipient": m.To})
		if err != nil {
			return err
		}
		return s.post(ctx, s.reports.URL(), "application/json", complaint)
	}
	report, err := deliveryReport(m, f, time.Now())
	if err != nil {
		return err
	}
	return s.post(ctx, s.reports.URL(), "message/rfc822", report)
}

// leave follows the link of an email as a mail program does for its reader (RFC 8058).
func (s *Sandbox) leave(ctx context.Context, m *Message) error {
	return s.post(ctx, oneClick(m), "application/x-www-form-urlencoded", []byte("List-Unsubscribe=One-Click"))
}

func (s *Sandbox) post(ctx context.Context, address, contentType string, body []byte) error {
	if err := onLoopback(address); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callPatience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return errors.New("the address is none")
	}
	request.Header.Set("Content-Type", contentType)
	if s.reports.URL != nil && address == s.reports.URL() {
		request.Header.Set("Authorization", "Bearer "+s.reports.Secret())
	}
	response, err := s.client.Do(request)
	if err != nil {
		var wrong *url.Error
		if errors.As(err, &wrong) {
			err = wrong.Err // without the address, whose token opens something
		}
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("it answered %d", response.StatusCode)
	}
	return nil
}

// deliveryReport is a report as mail servers write them (RFC 3464, RFC 6522): for people, for programs, and the header of
// the message that it is about.
func deliveryReport(m *Message, f fate, at time.Time) ([]byte, error) {
	var body bytes.Buffer
	parts := multipart.NewWriter(&body)
	for _, part := range []struct{ kind, content string }{
		{"text/plain; charset=utf-8", "This is the mail system of the sandbox.\r\n\r\nThis is what became of an email: " + f.diagnostic + "\r\n"},
		{"message/delivery-status", "Reporting-MTA: dns; sandbox.localhost\r\nArrival-Date: " + m.ReceivedAt.Format(time.RFC1123Z) + "\r\n\r\n" +
			"Final-Recipient: rfc822; " + m.To + "\r\nAction: " + f.action + "\r\nStatus: " + f.status + "\r\nDiagnostic-Code: smtp; " + f.diagnostic + "\r\n"},
		{"text/rfc822-headers", "Message-ID: " + headerOf(m, "Message-ID") + "\r\nSubject: " + mime.QEncoding.Encode("utf-8", m.Subject) + "\r\n"},
	} {
		w, err := parts.CreatePart(textproto.MIMEHeader{"Content-Type": {part.kind}})
		if err != nil {
			return nil, err
		}
		if _, err := w.Write([]byte(part.content)); err != nil {
			return nil, err
		}
	}
	if err := parts.Close(); err != nil {
		return nil, err
	}
	head := fmt.Sprintf("From: MAILER-DAEMON@sandbox.localhost\r\nTo: %s\r\nSubject: Delivery report\r\nDate: %s\r\nMIME-Version: 1.0\r\n"+
		"Content-Type: multipart/report; report-type=delivery-status; boundary=%q\r\n\r\n", m.From, at.Format(time.RFC1123Z), parts.Boundary())
	return append([]byte(head), body.Bytes()...), nil
}

// oneClick gives the address to which a mail program posts when its reader leaves with one click; empty when the email
// names none.
func oneClick(m *Message) string {
	if !strings.EqualFold(headerOf(m, "List-Unsubscribe-Post"), "List-Unsubscribe=One-Click") {
		return ""
	}
	for link := range strings.SplitSeq(headerOf(m, "List-Unsubscribe"), ",") {
		link = strings.Trim(strings.TrimSpace(link), "<>")
		if strings.HasPrefix(link, "http") && onLoopback(link) == nil {
			return link
		}
	}
	return ""
}

// headerOf gives a header field of an email, however its name is spelled.
func headerOf(m *Message, name string) string {
	for n, value := range m.Headers {
		if strings.EqualFold(n, name) {
			return value
		}
	}
	return ""
}
