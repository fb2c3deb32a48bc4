// Package channel says what it means to hand a message to the outside world: the message, the provider's receipt, and
// the classes of refusal. The adapters (email, sms, whatsapp) live in its sub-packages and know nothing of each other,
// of Temporal or of the database.
package channel

import (
	"context"
	"fmt"
	"time"
)

// Message is one rendered delivery, ready to be handed over. It has one recipient: several would show each other's
// addresses, and one refused recipient would hold back the rest.
type Message struct {
	// DeliveryID identifies the delivery; the email Message-ID and the providers' callbacks are derived from it, so a
	// second hand-over of the same delivery can be recognised.
	DeliveryID string
	// To is the address in the channel's normal form: an email address, or an E.164 number such as +12025550123.
	To      string
	Subject string // email only
	Text    string
	HTML    string // email only; empty when the notification has no HTML body

	// HeaderTo and Cc are whom an email's headers name; when both are empty, To is named. Neither adds a recipient: the
	// message goes to To alone.
	HeaderTo, Cc []string
	// ReplyTo is where answers to an email go; empty means the sender's own setting.
	ReplyTo string
	// Files go with an email.
	Files []File
	// ContentSID is a WhatsApp template (HX…), which is sent instead of Text, with its variables.
	ContentSID       string
	ContentVariables map[string]string
}

// File is an attachment, whole.
type File struct {
	Name    string
	Content []byte
}

// Receipt is what the provider answered when it took a message.
type Receipt struct {
	// ProviderID is the provider's name for the message: Twilio's message SID, or the email Message-ID.
	ProviderID string
	// Response is the provider's final answer, for people. It can hold an address, so it is for the application's
	// database only, never for logs or Temporal.
	Response string
}

// Sender hands messages of one channel to its provider.
//
// Send returns nil only when the provider has taken responsibility for the message. Every other outcome is an *Error.
// Send honours ctx: when it ends, the hand-over is abandoned and the error says whether it may have happened.
// It is safe for concurrent use.
type Sender interface {
	Send(ctx context.Context, m Message) (Receipt, error)
}

// Finder is implemented by senders whose provider can be asked whether it already has a message: it narrows the window
// in which a crash after a hand-over would send twice. since is when the doubtful hand-over began.
//
// Find gives every message that may be m, oldest first, and nothing when there is none. Providers keep no name of ours,
// so deliveries that say the same to the same address are all among the candidates: the caller sets aside those that it
// knows to belong to another delivery. A failure is an *Error and tells nothing about the message.
type Finder interface {
	Find(ctx context.Context, m Message, since time.Time) (candidates []Receipt, err error)
}

// Class says what a refusal means for another try.
type Class string

const (
	// Temporary says that the provider did not take the message and may take it later (4xx replies, 429, refused connections).
	Temporary Class = "temporary"
	// Permanent says that another try would meet the same refusal (bad address, blocked recipient, wrong credentials).
	Permanent Class = "permanent"
	// Unknown says that the provider may or may not have taken the message (the answer was lost). Another try can duplicate.
	Unknown Class = "unknown"
)

// Error is a hand-over that did not succeed. Its text is made of codes alone and is safe for logs and Temporal; Detail
// is not.
type Error struct {
	Class Class
	// Code is stable and machine-readable: "smtp_550_5.1.1", "smtp_connect", "twilio_21211", "http_503", "timeout".
	Code string
	// RetryAfter is how long to wait at least before another try, as the provider asked or because the sender was busy;
	// zero when no one said.
	RetryAfter time.Duration
	// Detail is the provider's own words. It may hold personal data: for the application's database only.
	Detail string
	// Cause is the underlying error, for errors.Is and errors.As. Its text may hold personal data.
	Cause error
}

// Error names the class and the code, never the address or the provider's words.
func (e *Error) Error() string { return fmt.Sprintf("%s refusal, code %s", e.Class, e.Code) }

// Unwrap gives the cause to errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Cause }
