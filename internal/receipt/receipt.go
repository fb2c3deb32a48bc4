// Package receipt applies what Twilio says of a message after the hand-over to the delivery that it is: that it was taken,
// that it arrived, or that it failed after all.
package receipt

import (
	"regexp"
	"slices"
	"strings"
)

// Report is one status callback (twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks). They come
// late, twice and in any order.
type Report struct {
	// DeliveryID is the delivery that the message was handed over for, as the callback's address says.
	DeliveryID string
	// SID is Twilio's name for the message, and To its recipient in Twilio's form: +12025550123, whatsapp:+12025550123.
	SID, To string
	// Status is Twilio's word, and Code its error code, such as 30003; empty when there is none.
	Status, Code string
}

// Outcome is what a report came to.
type Outcome string

// The outcomes.
const (
	Taken    Outcome = "sent"      // Twilio has the message, which was in doubt or not written down yet
	Arrived  Outcome = "delivered" // it arrived
	Failed   Outcome = "failed"    // it was taken and did not arrive
	Repeated Outcome = "repeated"  // nothing in it is new
	Foreign  Outcome = "foreign"   // about no message of ours: nothing was changed
)

// said is what a status means for the delivery.
func (r Report) said() Outcome {
	switch r.Status {
	case "accepted", "scheduled", "queued", "sending", "sent":
		return Taken
	case "delivered", "read":
		return Arrived
	case "undelivered", "failed", "canceled":
		return Failed
	default:
		return Foreign
	}
}

// code is the delivery's error code for a failure.
func (r Report) code() string {
	if r.Code == "" {
		return "twilio_" + r.Status
	}
	return "twilio_" + r.Code
}

var (
	messageSID = regexp.MustCompile(`^[SM]M[0-9a-fA-F]{32}$`)
	errorCode  = regexp.MustCompile(`^[0-9]{0,6}$`)
)

// wellFormed says whether the report can be about a message at all.
func (r Report) wellFormed() bool {
	return messageSID.MatchString(r.SID) && errorCode.MatchString(r.Code)
}

// optOuts are Twilio's codes for a recipient who does not want messages from this sender: 21610 after a STOP, 63014 and
// its predecessor 63033 when the sender was blocked on WhatsApp (twilio.com/docs/api/errors).
var optOuts = []string{"21610", "63014", "63033"}

// OptOut says whether an error code of a delivery means that the recipient wants no messages.
func OptOut(code string) bool {
	number, ok := strings.CutPrefix(code, "twilio_")
	return ok && slices.Contains(optOuts, number)
}
