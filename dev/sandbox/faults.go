package sandbox

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Mode is how a channel answers a hand-over.
type Mode string

// The modes of a channel, with what a client meets in them.
const (
	OK        Mode = "ok"         // the message is taken
	Temporary Mode = "temporary"  // SMTP 451 4.3.0; Twilio 503
	Permanent Mode = "permanent"  // SMTP 550 5.1.1; Twilio 400 with code 21211
	Hang      Mode = "hang"       // no answer until the client leaves
	Drop      Mode = "drop"       // the connection is cut where the answer was due, and the message is not kept
	Lost      Mode = "lost"       // the message is taken, and the connection is cut where the answer was due
	Slow      Mode = "slow"       // the message is taken after 3 seconds
	RateLimit Mode = "rate_limit" // SMTP 450 4.7.1; Twilio 429 with code 20429 and Retry-After: 2
)

// Words says for people what a hand-over meets in the mode.
func (m Mode) Words() string {
	switch m {
	case OK:
		return "the message is taken"
	case Temporary:
		return "refused for now: SMTP 451, Twilio 503. It is tried again"
	case Permanent:
		return "refused for good: SMTP 550, Twilio error 21211. It is not tried again"
	case Hang:
		return "no answer until the sender gives up"
	case Drop:
		return "the connection is cut after the hand-over, before the answer, and the message is not kept: the sender cannot know"
	case Lost:
		return "the message is kept, and the connection is cut before the answer: the sender cannot know. Of an SMS or a WhatsApp message it can ask; an email comes again, under the same Message-ID"
	case Slow:
		return fmt.Sprintf("the message is taken after %d seconds", int(slowAnswer.Seconds()))
	case RateLimit:
		return "too many messages: SMTP 450, Twilio 429 with Retry-After: 2, so that one is tried again after 2 seconds at the earliest"
	default:
		return string(m)
	}
}

// Modes lists every mode.
var Modes = []Mode{OK, Temporary, Permanent, Hang, Drop, Lost, Slow, RateLimit}

// Fault is what is set for a channel.
type Fault struct {
	Channel Channel `json:"channel"`
	Mode    Mode    `json:"mode"`
	// Count is how many hand-overs are still to meet the mode; 0 means until it is changed.
	Count int `json:"count"`
}

// problems names what is wrong with a fault, field by field; it is empty for a good one.
func (f Fault) problems() map[string]string {
	wrong := map[string]string{}
	if !f.Channel.known() {
		wrong["channel"] = "must be one of " + oneOf(Channels)
	}
	if !slices.Contains(Modes, f.Mode) {
		wrong["mode"] = "must be one of " + oneOf(Modes)
	}
	if f.Count < 0 {
		wrong["count"] = "must be 0 (until changed) or more"
	}
	return wrong
}

func oneOf[T ~string](values []T) string {
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = string(v)
	}
	return strings.Join(names, ", ")
}

// String says the fault in words, for the inbox page.
func (f Fault) String() string {
	switch {
	case f.Mode == OK:
		return "works"
	case f.Count == 0:
		return fmt.Sprintf("%s, until you change it", f.Mode)
	case f.Count == 1:
		return fmt.Sprintf("%s, for 1 more hand-over", f.Mode)
	default:
		return fmt.Sprintf("%s, for %d more hand-overs", f.Mode, f.Count)
	}
}

// faultSwitches holds one fault a channel. It is safe for concurrent use, and counts exactly.
type faultSwitches struct {
	mu  sync.Mutex
	set map[Channel]Fault
}

func newFaultSwitches() *faultSwitches {
	s := &faultSwitches{set: map[Channel]Fault{}}
	for _, c := range Channels {
		s.set[c] = Fault{Channel: c, Mode: OK}
	}
	return s
}

// put replaces what is set for the fault's channel and returns what now holds. The fault must have no problems.
func (s *faultSwitches) put(f Fault) Fault {
	if f.Mode == OK {
		f.Count = 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set[f.Channel] = f
	return f
}

// all lists what is set, in the order of Channels.
func (s *faultSwitches) all() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	faults := make([]Fault, 0, len(Channels))
	for _, c := range Channels {
		faults = append(faults, s.set[c])
	}
	return faults
}

// meet returns the mode that this hand-over meets and counts it off. A mode that is not among those that can act at the
// caller's point of the hand-over is left for a later point, and OK is returned.
func (s *faultSwitches) meet(c Channel, here ...Mode) Mode {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.set[c]
	if !slices.Contains(here, f.Mode) {
		return OK
	}
	met := f.Mode
	switch f.Count {
	case 0: // until changed
	case 1:
		s.set[c] = Fault{Channel: c, Mode: OK}
	default:
		f.Count--
		s.set[c] = f
	}
	return met
}
