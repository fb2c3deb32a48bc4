package email

import (
	"context"
	"errors"
	"fmt"
	"net/textproto"
	"regexp"
	"strings"

	"github.com/silquetech/silque-notifications/internal/channel"
)

// The codes of what goes wrong without a reply of the server. A reply gives smtp_ and its code, with the enhanced code
// when the server announced that it gives them: smtp_550_5.1.1. Replies to signing in give smtp_auth_535.
const (
	codeConnect         = "smtp_connect"          // no connection: refused, unreachable, unknown host
	codeTLS             = "smtp_tls"              // no encryption: not offered, or a certificate that is not trusted
	codeConnectionLost  = "smtp_connection_lost"  // the connection ended in the middle
	codeBadReply        = "smtp_bad_reply"        // not SMTP
	codeTimeout         = "smtp_timeout"          // Config.Timeout, or the caller's deadline, passed
	codeBusy            = "smtp_busy"             // no connection was free while there was time enough for a hand-over
	codeCanceled        = "smtp_canceled"         // the caller, or Close, gave the hand-over up
	codeClosed          = "smtp_closed"           // the sender has been closed
	codeAuth            = "smtp_auth"             // signing in broke off on our side
	codeAuthUnsupported = "smtp_auth_unsupported" // the server offers no way to sign in that we may use
	codeAuthUnencrypted = "smtp_auth_unencrypted" // signing in would show the password
)

var (
	errNoSTARTTLS = errors.New("the server does not offer STARTTLS; set TLS to implicit, opportunistic or none if that is intended")
	errNoAuth     = errors.New("the server does not offer a way to sign in that AuthMethod allows")
	errClosed     = errors.New("the email sender is closed")
)

// refused is a hand-over that no other try will change.
func refused(code string, cause error) *channel.Error {
	return &channel.Error{Class: channel.Permanent, Code: code, Detail: cause.Error(), Cause: cause}
}

// refusal classifies what ended a hand-over. A reply of the server is final, whatever happened to ctx meanwhile.
// Without a reply, fallback is the code unless ctx ended; the class is Unknown when inDoubt (the whole message was on
// its way), else Temporary.
func refusal(ctx context.Context, err error, fallback string, enhanced, inDoubt bool) *channel.Error {
	var reply *textproto.Error
	if errors.As(err, &reply) {
		return replied(reply, "smtp_", enhanced, inDoubt)
	}
	code := fallback
	var malformed textproto.ProtocolError
	switch {
	case errors.Is(err, errClosed):
		code = codeClosed
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		code = codeTimeout
	case ctx.Err() != nil:
		code = codeCanceled
	case errors.As(err, &malformed):
		code = codeBadReply
	}
	return &channel.Error{Class: unanswered(inDoubt), Code: code, Detail: err.Error(), Cause: err}
}

// replied classifies a reply by its first digit (RFC 5321, section 4.2.1).
func replied(reply *textproto.Error, prefix string, enhanced, inDoubt bool) *channel.Error {
	code := fmt.Sprintf("%s%d", prefix, reply.Code)
	if e := enhancedCode(reply); enhanced && e != "" {
		code += "_" + e
	}
	class := unanswered(inDoubt)
	switch reply.Code / 100 {
	case 4:
		class = channel.Temporary
	case 5:
		class = channel.Permanent
	}
	return &channel.Error{Class: class, Code: code, Detail: fmt.Sprintf("%d %s", reply.Code, reply.Msg), Cause: reply}
}

func unanswered(inDoubt bool) channel.Class {
	if inDoubt {
		return channel.Unknown
	}
	return channel.Temporary
}

// enhancedPrefix is where RFC 2034 puts the enhanced code: it is a field of the reply, not a part of its wording.
var enhancedPrefix = regexp.MustCompile(`^[245]\.[0-9]{1,3}\.[0-9]{1,3}(?:[ \n]|$)`)

// enhancedCode gives the enhanced code of a reply, such as 5.1.1, or nothing when there is none that fits the reply.
func enhancedCode(reply *textproto.Error) string {
	code := strings.TrimRight(enhancedPrefix.FindString(reply.Msg), " \n")
	if code == "" || int(code[0]-'0') != reply.Code/100 {
		return ""
	}
	return code
}

// replyCode gives the code of the server's reply in err, and 0 when err is something else.
func replyCode(err error) int {
	var reply *textproto.Error
	if errors.As(err, &reply) {
		return reply.Code
	}
	return 0
}

// usable says whether a connection can carry on after err: the server refused in good order and did not announce, by
// 421, that it hangs up (RFC 5321, section 3.8).
func usable(err error) bool {
	code := replyCode(err)
	return code >= 400 && code < 600 && code != 421
}
