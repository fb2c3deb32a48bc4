// Package bounce reads what mail servers and mail providers say about an email after they took it: that it came back, is
// late, has arrived, or was called spam. What is read was written by strangers, so every part of it is bounded, and
// nothing of it counts before it names a delivery of ours and that delivery's own address; see Recorder.
package bounce

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"regexp"
	"strings"
	"unicode"

	"github.com/silquetech/silque-notifications/internal/store"
)

// Kind is what a report says.
type Kind string

// The kinds of reports.
const (
	Bounce    Kind = "bounce"    // it came back: the mail server has given up
	Complaint Kind = "complaint" // the recipient called it spam
	Delayed   Kind = "delayed"   // it has not arrived yet; the mail server goes on trying
	Delivered Kind = "delivered" // it is in the recipient's mailbox, or was handed over to where no report comes from
)

// What is wrong with a report as a whole. The texts say what to do and quote nothing of it.
var (
	ErrTooLarge  = errors.New("the report is too large: 32 MiB of message, 256 KiB of header or status fields, 1 MiB of JSON are the most")
	ErrMalformed = errors.New("this cannot be read as an email message")
	ErrNoReport  = errors.New("this email is no report: it has no part of type message/delivery-status (RFC 3464) or message/feedback-report (RFC 5965)")
	// ErrNoComplaint is not a fault of whoever sent it: providers report other things in the same form.
	ErrNoComplaint  = errors.New("this feedback report is no complaint: its Feedback-Type is not abuse, fraud or opt-out (RFC 5965)")
	ErrNoComplainer = errors.New("the complaint does not say whom the message went to: it needs Original-Rcpt-To, or the header To of the original (RFC 5965, section 3.2)")
	ErrNoOriginal   = errors.New("the report does not say which message it is about: let the mail server return the headers of the original (RFC 3464, section 2)")
)

// Report is one thing said about one message and one recipient.
type Report struct {
	Kind Kind
	// MessageID names the message: its Message-ID without angle brackets, or the delivery's ID alone.
	MessageID string
	// Recipient is the address that the report is about; Original is the address that we gave, where an alias or a
	// forwarding led on from it, and empty otherwise.
	Recipient, Original string
	// Status is the enhanced status code of RFC 3463, such as 5.1.1; empty when a provider gave none.
	Status string
	// Diagnostic is the mail server's own words, shortened. It may hold an address.
	Diagnostic string
	// ID tells this report from another of the same message that reads the same; see Identity.
	ID string
}

// status is an enhanced status code: class, subject and detail (RFC 3463, section 2).
var status = regexp.MustCompile(`^[245]\.\d{1,3}\.\d{1,3}$`)

// suppressing are the codes of a permanent failure that says "this address is no mailbox": every further message to it
// would come back too, and mail providers think badly of who keeps trying. All of RFC 3463, section 3, unless noted.
//
// Not among them, although permanent: 5.1.0, 5.0.0 and 5.4.x, which do not say what is wrong, and of which a broken name
// server is the most frequent cause; 5.2.2 (mailbox full), 5.2.3 and 5.3.4 (this message is too long), which pass; and
// all of 5.7.x, which is about who sends or what is said: a blocked sender, an unsigned message, an attachment that is not
// allowed. Suppressing those would silence good addresses on the day that our own server stands on a block list.
var suppressing = map[string]bool{
	"5.1.1":  true, // bad destination mailbox: there is no such user
	"5.1.2":  true, // bad destination system: there is no such domain
	"5.1.3":  true, // bad destination mailbox syntax
	"5.1.6":  true, // the mailbox has moved, and nobody knows where to
	"5.1.10": true, // RFC 7505, section 4.2: the domain takes no mail (null MX)
	"5.2.1":  true, // the mailbox is disabled, for good where the class is 5
}

// Hard says whether the report means that the address is no mailbox, so that nothing more should be sent to it.
func (r Report) Hard() bool { return r.Kind == Bounce && suppressing[r.Status] }

// Code is the machine code under which a delivery that came back is kept: bounce_5.1.1, or bounce when no status is known.
func (r Report) Code() string {
	if r.Status == "" {
		return store.BouncedCode
	}
	return store.BouncedCode + "_" + r.Status
}

// Identity is the same for one report, however often and by whichever way it comes, and another for another report: of
// the ID, and where there is none of everything that is said.
func (r Report) Identity() string {
	said := []string{"id", r.ID}
	if r.ID == "" {
		said = []string{"said", r.MessageID, r.Diagnostic}
	}
	said = append(said, string(r.Kind), strings.ToLower(r.Recipient), r.Status)
	sum := sha256.Sum256([]byte(strings.Join(said, "\x00")))
	return hex.EncodeToString(sum[:12])
}

// DeliveryID is the part of MessageID that names a delivery.
func (r Report) DeliveryID() string {
	id, _, _ := strings.Cut(r.MessageID, "@")
	return id
}

// maxDiagnostic is in characters: three lines of an SMTP reply, and what a person still reads.
const maxDiagnostic = 1000

// words makes a text of what a stranger wrote: one line of valid UTF-8, not too long.
func words(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > maxDiagnostic {
		return string(runes[:maxDiagnostic]) + "…"
	}
	return text
}

// enhanced finds the enhanced code behind a reply code: "550 5.1.1 no such user", "550-5.1.1 …". An IP address is none,
// and the classes of the two must agree.
var enhanced = regexp.MustCompile(`(?:^|\D)([45])\d\d[ -]+#?(([45])\.\d{1,3}\.\d{1,3})(?:[^.\d]|$)`)

// precise gives the status, or the more precise one of the mail server's words: some, Exim among them, write 5.0.0
// whatever it was. last is the class when nothing is said at all.
func precise(code, diagnostic, last string) string {
	if status.MatchString(code) && !strings.HasSuffix(code, ".0.0") {
		return code
	}
	if found := enhanced.FindStringSubmatch(diagnostic); len(found) == 4 && found[1] == found[3] {
		if code == "" || code[0] == found[3][0] {
			return found[2]
		}
	}
	if status.MatchString(code) {
		return code
	}
	return last
}
