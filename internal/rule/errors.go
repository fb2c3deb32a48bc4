package rule

import (
	"fmt"
	"sort"
	"strings"
)

// ErrCode is the machine code of an entry in the error log.
type ErrCode string

// The error codes. All but those with a comment are the Django app's own, so that what watches for them goes on working.
const (
	EmailSendFail              ErrCode = "EMAIL_SEND_FAIL"
	SMSSendFail                ErrCode = "SMS_SEND_FAIL"
	WhatsAppSendFail           ErrCode = "WHATSAPP_SEND_FAIL"
	TemplateParseFail          ErrCode = "TEMPLATE_PARSE_FAIL"
	ConditionEvalFail          ErrCode = "CONDITION_EVAL_FAIL"
	EmailRecipientResolveFail  ErrCode = "EMAIL_RECIPIENT_RESOLVE_FAIL"
	NumberRecipientResolveFail ErrCode = "NUMBER_RECIPIENT_RESOLVE_FAIL"
	EmailRecipientError        ErrCode = "EMAIL_RECIPIENT_ERROR"
	NumberRecipientError       ErrCode = "NUMBER_RECIPIENT_ERROR"
	// DateAlertFail: the rows of a date alert cannot be read.
	DateAlertFail ErrCode = "DATE_ALERT_FAIL"
	// EventDecodeFail: an event's snapshot does not fit the model that it names.
	EventDecodeFail ErrCode = "EVENT_DECODE_FAIL"
	// DeliveryExpired: a message was no longer of use when its turn came.
	DeliveryExpired ErrCode = "DELIVERY_EXPIRED"
	// EmailComplaint: a recipient called an email spam.
	EmailComplaint ErrCode = "EMAIL_COMPLAINT"
	// EmailDelayed: a mail server goes on trying, as it says.
	EmailDelayed ErrCode = "EMAIL_DELAYED"
)

// SendFailCode is the error-log code of a channel's failed sends.
func SendFailCode(c Channel) ErrCode {
	switch c {
	case SMS:
		return SMSSendFail
	case WhatsApp:
		return WhatsAppSendFail
	default:
		return EmailSendFail
	}
}

// Error is what is wrong with a notification or a snapshot. Its text names fields and types, never a row's values, so
// it is safe for logs.
type Error struct {
	Code ErrCode
	// Message says what is wrong and what to do about it.
	Message string
	// Line and Column count from 1, in characters; zero when the error has no place in a text.
	Line, Column int
	cause        error
}

// Error gives the place and the message.
func (e *Error) Error() string {
	switch {
	case e.Line > 0 && e.Column > 0:
		return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
	case e.Line > 0:
		return fmt.Sprintf("line %d: %s", e.Line, e.Message)
	default:
		return e.Message
	}
}

// Unwrap gives the cause to errors.Is and errors.As. The cause's text may hold a row's values.
func (e *Error) Unwrap() error { return e.cause }

// FieldErrors is everything that is wrong with a notification: what is wrong, by the field's name in the API, such as
// "title" or "recipients[2].address" (rows count from 0).
type FieldErrors map[string]string

// Error lists the fields in the order of their names.
func (e FieldErrors) Error() string {
	names := make([]string, 0, len(e))
	for name := range e {
		names = append(names, name)
	}
	sort.Strings(names)
	parts := make([]string, 0, len(e))
	for _, name := range names {
		parts = append(parts, name+": "+e[name])
	}
	return "the notification is not valid: " + strings.Join(parts, "; ")
}

// Err gives nil when nothing is wrong, and e otherwise.
func (e FieldErrors) Err() error {
	if len(e) == 0 {
		return nil
	}
	return e
}

// add keeps the first error of a field.
func (e FieldErrors) add(field, format string, args ...any) {
	if _, known := e[field]; !known {
		e[field] = fmt.Sprintf(format, args...)
	}
}
