package sandbox

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // Twilio's own signature
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
)

// paramStatusCallback is where whoever creates a message wants to hear what becomes of it.
const paramStatusCallback = "StatusCallback"

// signatureHeader carries the signature of a call of Twilio's.
const signatureHeader = "X-Twilio-Signature"

// The waits before each report: long enough that the answer to the hand-over is usually written down first.
const (
	sentAfter      = 200 * time.Millisecond
	deliveredAfter = 500 * time.Millisecond
	// callPatience bounds one call, as Twilio does.
	callPatience = 15 * time.Second
)

// words that the inbox page answers with.
var answerWords = []string{"STOP", "START"}

// report tells whoever created a message what becomes of it: that it was sent, then that it was delivered.
func (s *Sandbox) report(m Message) {
	callback := m.Headers[paramStatusCallback]
	if callback == "" {
		return
	}
	s.served.Go(func() {
		for _, step := range []struct {
			status string
			after  time.Duration
		}{{"sent", sentAfter}, {"delivered", deliveredAfter}} {
			select {
			case <-s.ending.Done():
				return
			case <-time.After(step.after):
			}
			form := s.twilioForm(m)
			form.Set("MessageStatus", step.status)
			form.Set("SmsStatus", step.status)
			if err := s.call(s.ending, callback, form); err != nil {
				s.log.Debug("sandbox: a status callback was not taken", "status", step.status, "error", err)
			}
		}
	})
}

// twilioForm is what all calls about a message have in common.
func (s *Sandbox) twilioForm(m Message) url.Values {
	prefix := ""
	if m.Channel == WhatsApp {
		prefix = whatsAppPrefix
	}
	return url.Values{
		"AccountSid": {s.account.sid}, "ApiVersion": {twilioVersion}, "MessageSid": {m.SID()}, "SmsSid": {m.SID()},
		"To": {prefix + m.To}, "From": {prefix + m.From},
	}
}

// postAnswer answers a message as its recipient would, with STOP or START.
func (s *Sandbox) postAnswer(c *gin.Context) {
	word := c.PostForm("word")
	m, err := s.inbox.get(c.Request.Context(), c.Param("id"))
	if err != nil || m.Channel == Email || s.answers == nil || !slices.Contains(answerWords, word) {
		s.render(c, http.StatusNotFound, nil, "That message cannot be answered.")
		return
	}
	form := s.twilioForm(m)
	form.Set("To", s.twilioForm(m).Get("From"))
	form.Set("From", s.twilioForm(m).Get("To"))
	form.Set("MessageSid", answerSID()) // an answer is a message of its own
	form.Set("Body", word)
	if err := s.call(c.Request.Context(), s.answers(), form); err != nil {
		s.log.Error("sandbox: an answer was not taken", "error", err)
		s.render(c, http.StatusBadGateway, &m, "The web app did not take the answer: see the log.")
		return
	}
	place := url.URL{Path: "/sandbox/messages/" + m.ID, RawQuery: url.Values{"answered": {word}}.Encode()}
	c.Redirect(http.StatusSeeOther, place.String())
}

// answerSID names an answer as Twilio would.
func answerSID() string { return "SM" + strings.ReplaceAll(uuid.NewString(), "-", "") }

// call makes one call as Twilio does: a form, signed with the account's token.
func (s *Sandbox) call(ctx context.Context, address string, form url.Values) error {
	if err := onLoopback(address); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callPatience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set(signatureHeader, signature(address, form, s.account.token))
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("it answered %d", response.StatusCode)
	}
	return nil
}

// signature is how Twilio signs a call (twilio.com/docs/usage/security): the address with all parameters in their order.
func signature(address string, form url.Values, token string) string {
	var signed strings.Builder
	signed.WriteString(address)
	for _, name := range slices.Sorted(maps.Keys(form)) {
		signed.WriteString(name + form.Get(name))
	}
	h := hmac.New(sha1.New, []byte(token))
	h.Write([]byte(signed.String()))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

var errElsewhere = errors.New("the address is not on this machine, and nothing leaves it")

func onLoopback(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return errElsewhere
	}
	return nil
}
