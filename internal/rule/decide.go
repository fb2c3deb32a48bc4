package rule

import (
	"errors"
	"fmt"
	"slices"
)

// Decision is what a notification does with a change.
type Decision string

// The decisions.
const (
	Sends       Decision = "sends"
	Unchanged   Decision = "value_unchanged"
	FalseLines  Decision = "condition_false"
	NoRecipient Decision = "no_valid_recipient"
	Invalid     Decision = "invalid_rule"
)

// Outcome is what a notification does with a change, step by step: the worker carries it out, and people see it in
// previews.
type Outcome struct {
	Decision Decision
	// Reason says it for people; empty when it sends.
	Reason string
	// Verdict is what the conditions say.
	Verdict    Verdict
	Recipients []Addressee
	// Messages holds one for each address, when it sends.
	Messages []Message
	// Content is what it says to a recipient without a language of its own; of Preview only.
	Content  Content
	Problems []Problem
}

// Addressee is a candidate after the check.
type Addressee struct {
	Candidate
	// Address is the candidate's in normal form; as it was found when there is a problem.
	Address string
	// Problem is empty for one that is told, and one of the Problem constants otherwise; Detail explains it.
	Problem string
	Detail  string
	// Locale is the language in which it is told; empty for the notification's own texts.
	Locale string
}

// The problems that a candidate can have.
const (
	ProblemEmpty     = "empty"
	ProblemInvalid   = "invalid"
	ProblemDuplicate = "duplicate"
	ProblemLimit     = "limit"
)

// Message is what one address is told.
type Message struct {
	Address string
	Locale  string
	Content
	Details Details
}

// Problem is something that a person must know of: it becomes a row of the error log. Its text holds no values.
type Problem struct {
	Code ErrCode
	// Key tells the problems of one notification and event apart.
	Key     string
	Message string
}

// Decide says what the notification does with a change, of which Load has read what else the rule wants to see. It does
// no more than that takes: recipients and texts are looked at only when the trigger and the conditions hold.
func (c *Compiled) Decide(s Scope, addresses Addresses) Outcome {
	var o Outcome
	s.meter = new(meter)
	if o.waits(c, s) || o.judge(c, s) {
		return o
	}
	o.Recipients = c.addressees(s, addresses)
	o.send(c, s, addresses)
	return o
}

// Preview is Decide with everything that there is to show, whether or not it comes to that. With assume, the trigger is
// taken to have fired: a preview of a row has no change to look at.
func (c *Compiled) Preview(s Scope, addresses Addresses, assume bool) Outcome {
	var o Outcome
	s.meter = new(meter)
	quiet := o.judge(c, s)
	o.Recipients = c.addressees(s, addresses)
	content, err := c.Render(s, "")
	o.Content = content
	switch {
	case !assume && o.waits(c, s), quiet:
		if err != nil {
			o.report(codeOf(err), "render", err.Error())
		}
	default:
		o.send(c, s, addresses)
	}
	return o
}

// waits says that the change is not the one that the trigger waits for.
func (o *Outcome) waits(c *Compiled, s Scope) bool {
	fires, reason := c.Fires(s)
	if fires {
		return false
	}
	o.Decision, o.Reason = Unchanged, reason
	if c.outdated() {
		o.report(ConditionEvalFail, "trigger", reason)
	}
	return true
}

// judge asks the conditions, and says that they do not hold.
func (o *Outcome) judge(c *Compiled, s Scope) (quiet bool) {
	o.Verdict = c.Judge(s)
	for _, line := range o.Verdict.Lines {
		if line.Error != "" {
			o.report(ConditionEvalFail, fmt.Sprintf("line %d", line.Line), fmt.Sprintf("condition line %d: %s", line.Line, line.Error))
		}
	}
	if !o.Verdict.Sends {
		o.Decision, o.Reason = FalseLines, o.Verdict.Reason
	}
	return !o.Verdict.Sends
}

// send makes the messages, or says why there are none.
func (o *Outcome) send(c *Compiled, s Scope, addresses Addresses) {
	told := o.told(c.channel)
	if !anyoneTold(told) {
		o.Decision, o.Reason = NoRecipient, "no recipient has a valid address"
		return
	}
	o.write(c, s, addresses, told)
}

// write makes a message for each address.
func (o *Outcome) write(c *Compiled, s Scope, addresses Addresses, told []Addressee) {
	details, problems, err := c.details(s, addresses)
	o.Problems = append(o.Problems, problems...)
	if err != nil {
		o.invalid(err)
		return
	}
	texts := make(map[string]Content)
	for _, to := range told {
		content, ok := texts[to.Locale]
		if !ok {
			var err error
			if content, err = c.Render(s, to.Locale); err != nil {
				o.Messages = nil
				o.invalid(err)
				return
			}
			texts[to.Locale] = content
		}
		o.Messages = append(o.Messages, Message{Address: to.Address, Locale: to.Locale, Content: content, Details: details.headers(to, told)})
	}
	o.Decision = Sends
}

// invalid says that the message cannot be made.
func (o *Outcome) invalid(err error) {
	o.report(codeOf(err), "render", err.Error())
	o.Decision, o.Reason = Invalid, "the message cannot be rendered: "+err.Error()
}

// anyoneTold says whether there is one who does not only get a copy.
func anyoneTold(told []Addressee) bool {
	return slices.ContainsFunc(told, func(a Addressee) bool { return !a.Copy })
}

func codeOf(err error) ErrCode {
	var coded *Error
	if errors.As(err, &coded) && coded.Code != "" {
		return coded.Code
	}
	return TemplateParseFail
}

// told lists those who get the message, and reports those who cannot.
func (o *Outcome) told(channel Channel) []Addressee {
	var told []Addressee
	for _, r := range o.Recipients {
		switch r.Problem {
		case "":
			told = append(told, r)
		case ProblemEmpty, ProblemInvalid:
			o.report(recipientCode(channel, r.From), "recipient "+r.From,
				fmt.Sprintf("recipient %s gives no valid address: %s", r.From, r.Detail))
		case ProblemLimit:
			o.report(recipientCode(channel, ""), "limit", r.Detail)
		}
	}
	return told
}

// report keeps one problem of a key.
func (o *Outcome) report(code ErrCode, key, message string) {
	for _, p := range o.Problems {
		if p.Key == key {
			return
		}
	}
	o.Problems = append(o.Problems, Problem{Code: code, Key: key, Message: message})
}

// addressees checks the candidates, and drops doubles.
func (c *Compiled) addressees(s Scope, addresses Addresses) []Addressee {
	candidates, v := c.Candidates(s), c.view(s)
	// One who is told gets no copy besides.
	slices.SortStableFunc(candidates, func(a, b Candidate) int { return order(a.Copy) - order(b.Copy) })
	seen := make(map[string]bool)
	told, copies := 0, 0
	found := make([]Addressee, 0, len(candidates))
	for _, candidate := range candidates {
		a := c.addressee(candidate, addresses)
		switch {
		case a.Problem != "":
		case seen[a.Address]:
			a.Problem, a.Detail = ProblemDuplicate, "the address is there already"
		case a.Copy && copies == CopyLimit:
			a.Problem, a.Detail = ProblemLimit, fmt.Sprintf("an email has at most %d copies: the rest is left out", CopyLimit)
		case !a.Copy && told == AddressLimit:
			a.Problem, a.Detail = ProblemLimit, fmt.Sprintf("a notification tells at most %d addresses of one change: the rest is left out", AddressLimit)
		default:
			a.Locale, seen[a.Address] = c.localeOf(candidate, v), true
			copies, told = copies+order(a.Copy), told+1-order(a.Copy)
		}
		found = append(found, a)
	}
	return found
}

// order puts copies last.
func order(isCopy bool) int {
	if isCopy {
		return 1
	}
	return 0
}

// addressee takes the first of the candidate's addresses that is usable.
func (c *Compiled) addressee(candidate Candidate, addresses Addresses) Addressee {
	a := Addressee{Candidate: candidate, Address: candidate.Value, Problem: ProblemEmpty, Detail: "it is empty"}
	for _, value := range append([]string{candidate.Value}, candidate.Instead...) {
		if value == "" {
			continue
		}
		address, err := addresses.Normalize(c.channel, value)
		if err == nil {
			a.Address, a.Problem, a.Detail = address, "", ""
			return a
		}
		if a.Problem == ProblemEmpty {
			a.Address, a.Problem, a.Detail = value, ProblemInvalid, err.Error()
		}
	}
	return a
}

// recipientCode tells the Django app's four recipient errors apart: a document field that gives no address could not
// be resolved, a direct address that is none is an error of the recipient itself.
func recipientCode(channel Channel, from string) ErrCode {
	switch {
	case channel == Email && from == Direct:
		return EmailRecipientError
	case channel == Email:
		return EmailRecipientResolveFail
	case from == Direct:
		return NumberRecipientError
	default:
		return NumberRecipientResolveFail
	}
}
