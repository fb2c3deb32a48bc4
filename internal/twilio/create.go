package twilio

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	api "github.com/twilio/twilio-go/rest/api/v2010"

	"github.com/silquetech/silque-notifications/internal/channel"
)

// MaxBody is how many characters Twilio takes in one message (error 21617 beyond it).
const MaxBody = 1600

const (
	// createShare is the part of Config.Timeout, as a divisor, that must be left of the caller's time for Create to
	// begin: a request that is cut off may have been taken, and then another try sends the message twice. After a Find
	// that took its whole third, a caller that allows just Timeout has two thirds left, which is enough.
	createShare = 2
	// busyPause is the RetryAfter of twilio_busy: the next try begins with time of its own.
	busyPause = 5 * time.Second
)

// CreateParams is one message for Twilio. Exactly one of From and MessagingServiceSID is set.
type CreateParams struct {
	// To and From are in Twilio's form: +12025550123, or whatsapp:+12025550123.
	To, From            string
	MessagingServiceSID string
	Body                string
	// ContentSID (HX…) is a template of the Content API, sent instead of Body, and ContentVariables its variables.
	ContentSID       string
	ContentVariables map[string]string
	// DeliveryID comes back in the query of the status callback.
	DeliveryID string
}

var (
	errNoSID  = errors.New("the answer is a success without a message SID")
	errNoList = errors.New("the answer is no list of messages")
	errBusy   = errors.New("too little of the caller's time was left for a request")
)

// Create hands one message over. The receipt's ProviderID is the message SID. Every failure is a *channel.Error: a body
// that is empty or longer than MaxBody, or a ContentSID that is none, is refused before anything is sent; the class is
// Unknown when the request may have reached Twilio and no clear answer came back. Twilio has no idempotency key, so an
// Unknown hand-over should be looked for with Find before it is repeated.
//
// When less than half of Config.Timeout is left before ctx's deadline, nothing is sent: the refusal is Temporary with
// code twilio_busy and a RetryAfter of a few seconds.
func (c *Client) Create(ctx context.Context, p CreateParams) (channel.Receipt, error) {
	if err := p.check(); err != nil {
		return channel.Receipt{}, err
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < c.cfg.Timeout/createShare {
		return channel.Receipt{}, &channel.Error{
			Class: channel.Temporary, Code: codeBusy, RetryAfter: busyPause, Detail: errBusy.Error(), Cause: errBusy,
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	service, x := c.call(ctx)
	message, err := service.CreateMessage(c.request(p))
	// twilio-go counts a redirect as a success, and an answer without a SID too.
	if err == nil && (x.status >= 300 || value(message.Sid) == "") {
		err = errNoSID
	}
	if err != nil {
		return channel.Receipt{}, c.refusal(x, err, false)
	}
	return receipt(message), nil
}

// check finds what is not worth a request.
func (p CreateParams) check() error {
	if p.ContentSID != "" {
		return p.checkContent()
	}
	if strings.TrimSpace(p.Body) == "" {
		return refused(codeEmptyBody, "the message has no text")
	}
	if n := utf8.RuneCountInString(p.Body); n > MaxBody {
		return refused(codeBodyTooLong, fmt.Sprintf("the text has %d characters, Twilio takes %d", n, MaxBody))
	}
	return nil
}

func (c *Client) request(p CreateParams) *api.CreateMessageParams {
	out := &api.CreateMessageParams{To: &p.To}
	if p.ContentSID != "" {
		p.setContent(out)
	} else {
		out.Body = &p.Body
	}
	if p.MessagingServiceSID != "" {
		out.MessagingServiceSid = &p.MessagingServiceSID
	} else {
		out.From = &p.From
	}
	if c.cfg.StatusCallback != "" {
		callback := withDelivery(c.cfg.StatusCallback, p.DeliveryID)
		out.StatusCallback = &callback
	}
	return out
}

// withDelivery adds the delivery to the callback's query. New has parsed the address before.
func withDelivery(callback, deliveryID string) string {
	u, err := url.Parse(callback)
	if err != nil {
		return callback
	}
	query := u.Query()
	query.Set("delivery", deliveryID)
	u.RawQuery = query.Encode()
	return u.String()
}

func receipt(m *api.ApiV2010Message) channel.Receipt {
	return channel.Receipt{ProviderID: value(m.Sid), Response: value(m.Status)}
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
