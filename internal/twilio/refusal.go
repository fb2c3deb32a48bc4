package twilio

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	twilioclient "github.com/twilio/twilio-go/client"

	"github.com/silquetech/silque-notifications/internal/channel"
)

// The codes of what goes wrong without a code of Twilio's. A code of Twilio's gives twilio_21211; a bare HTTP status
// gives twilio_http_503.
const (
	codeConnect        = "twilio_connect"         // no connection: refused, unknown host, certificate
	codeConnectionLost = "twilio_connection_lost" // the connection ended before the answer did
	codeTimeout        = "twilio_timeout"         // Config.Timeout, or the caller's deadline, passed
	codeBusy           = "twilio_busy"            // the caller's time was nearly over before anything was sent
	codeCanceled       = "twilio_canceled"        // the caller gave up
	codeBadAnswer      = "twilio_bad_answer"      // a success without the message's SID
	codeEmptyBody      = "empty_body"
	codeBodyTooLong    = "body_too_long"
	codeBadContent     = "bad_content_sid"
)

// MaxRetryAfter is the longest wait that a Retry-After header can ask for. A longer one is cut to it: a delivery should
// notice within the working day that the provider is back.
const MaxRetryAfter = 6 * time.Hour

// absurdRetryAfter is from where on a Retry-After is taken for a mistake, such as a moment in place of a duration, and
// ignored. Twilio's own longest limits last a day.
const absurdRetryAfter = 7 * 24 * time.Hour

// permanentCodes are Twilio's codes that another try meets again, whatever the HTTP status (twilio.com/docs/api/errors).
var permanentCodes = []int{
	21211, 21610, 21612, 21614, 30006, // this recipient: invalid, opted out, unreachable from here, no mobile, landline
	20003, 21408, 21606, 21608, 21617, 21658, 63016, // until settings or content change
}

// temporaryCodes are Twilio's codes that say that the message was not taken and may be taken later. The last two
// take hours.
var temporaryCodes = []int{20429, 20503, 21611, 30001, 30003, 30500, 63018, 63038}

// refusal classifies what ended a call. For a call that creates nothing (reads), no outcome is in doubt.
func (c *Client) refusal(x *exchange, err error, reads bool) *channel.Error {
	r := &channel.Error{Class: channel.Unknown, Detail: err.Error(), Cause: err}
	var answer *twilioclient.TwilioRestError
	switch {
	case x.status == 0:
		r.Class, r.Code = x.unanswered()
	case errors.As(err, &answer) && answer.Code != 0:
		r.Class, r.Code = classOf(x.status, answer.Code), "twilio_"+strconv.Itoa(answer.Code)
		r.Detail = fmt.Sprintf("%d %s", answer.Code, answer.Message)
	case x.status < 300 && x.ctx.Err() == nil:
		r.Code = codeBadAnswer
	case x.status < 300: // the body did not arrive in time
		r.Code = ended(x.ctx)
	default:
		r.Class, r.Code = classOf(x.status, 0), "twilio_http_"+strconv.Itoa(x.status)
	}
	if reads && r.Class == channel.Unknown {
		r.Class = channel.Temporary
	}
	if r.Class != channel.Permanent {
		r.RetryAfter = retryAfter(x.retryAfter, c.now().Add(x.ahead(c.now())))
	}
	return r
}

// classOf gives the class of an answer: Twilio's own code decides where it is known, else the HTTP status. A 3xx, 408 or
// 425 means that the request was not worked on; a 5xx leaves that open.
func classOf(status, code int) channel.Class {
	switch {
	case slices.Contains(permanentCodes, code):
		return channel.Permanent
	case slices.Contains(temporaryCodes, code), status == http.StatusTooManyRequests,
		status == http.StatusRequestTimeout, status == http.StatusTooEarly, status/100 == 3:
		return channel.Temporary
	case status/100 == 4:
		return channel.Permanent
	default:
		return channel.Unknown
	}
}

// unanswered classifies a call that got no answer. Once there was a connection, the request may have reached Twilio.
func (x *exchange) unanswered() (channel.Class, string) {
	class, code := channel.Temporary, codeConnect
	if x.connected.Load() {
		class, code = channel.Unknown, codeConnectionLost
	}
	if x.ctx.Err() != nil {
		code = ended(x.ctx)
	}
	return class, code
}

func ended(ctx context.Context) string {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return codeTimeout
	}
	return codeCanceled
}

// retryAfter reads the header of that name: seconds or an HTTP date (RFC 9110, section 10.2.3). Nonsense, the past and
// more than absurdRetryAfter give zero; the rest is cut to MaxRetryAfter.
func retryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	var wait time.Duration
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = at.Sub(now).Round(time.Second)
	}
	if wait < 0 || wait > absurdRetryAfter {
		return 0
	}
	return min(wait, MaxRetryAfter)
}

// refused is a message that is not worth a request.
func refused(code, detail string) *channel.Error {
	return &channel.Error{Class: channel.Permanent, Code: code, Detail: detail, Cause: errors.New(detail)}
}
