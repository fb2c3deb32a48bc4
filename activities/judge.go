package activities

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// judge lets one notification look at one change, and adds what it does to the resolution. A panic in a rule is that
// rule's error, and touches no other.
func (a *Activities) judge(r *Resolution, n *rule.Notification, model *rule.Model, scope rule.Scope) {
	decision := Decision{NotificationID: n.ID, Version: n.Version}
	defer func() {
		if cause := recover(); cause != nil {
			a.Log.Error("A notification panicked", "notification", n.ID, "event", r.EventID, "panic", fmt.Sprintf("%T", cause), "stack", string(debug.Stack()))
			decision.Outcome, decision.Detail = DecidedInvalid, "the notification could not be evaluated"
			r.report(n, rule.TemplateParseFail, "panic", decision.Detail)
		}
		r.Decisions = append(r.Decisions, decision)
	}()
	deliveries, outcome, detail := a.messages(r, n, model, scope)
	decision.Outcome, decision.Detail, decision.Deliveries = outcome, detail, len(deliveries)
	r.Deliveries = append(r.Deliveries, deliveries...)
}

// messages gives what the notification sends because of the change, or why it does not.
func (a *Activities) messages(
	r *Resolution, n *rule.Notification, model *rule.Model, scope rule.Scope,
) (deliveries []NewDelivery, outcome, detail string) {
	compiled, err := a.compiled.get(n, model)
	if err != nil {
		r.report(n, codeOf(err, rule.ConditionEvalFail), "compile", err.Error())
		return nil, DecidedInvalid, "the notification is no longer valid: " + err.Error()
	}
	if fires, reason := compiled.Fires(scope); !fires {
		return nil, DecidedUnchanged, reason
	}
	verdict := compiled.Judge(scope)
	for _, line := range verdict.Lines {
		if line.Error != "" {
			r.report(n, rule.ConditionEvalFail, fmt.Sprintf("line %d", line.Line),
				fmt.Sprintf("condition line %d: %s", line.Line, line.Error))
		}
	}
	if !verdict.Sends {
		return nil, DecidedCondition, verdict.Reason
	}
	addresses := a.addressesOf(r, n, compiled.Candidates(scope))
	if len(addresses) == 0 {
		return nil, DecidedNoRecipient, "no recipient has a valid address"
	}
	content, err := compiled.Render(scope)
	if err != nil {
		r.report(n, codeOf(err, rule.TemplateParseFail), "render", err.Error())
		return nil, DecidedInvalid, "the message cannot be rendered: " + err.Error()
	}
	for _, address := range addresses {
		deliveries = append(deliveries, NewDelivery{
			NotificationID: n.ID, NotificationVersion: n.Version, Channel: n.Channel, Address: address,
			Subject: content.Subject, Text: content.Text, HTML: content.HTML,
		})
	}
	return deliveries, DecidedSends, ""
}

// addressesOf normalises the candidates and drops doubles. One that is empty or invalid gets a row in the error log,
// and the others are served.
func (a *Activities) addressesOf(r *Resolution, n *rule.Notification, candidates []rule.Candidate) []string {
	var addresses []string
	seen := make(map[string]bool)
	for _, c := range candidates {
		address, err := "", errors.New("it is empty")
		if c.Value != "" {
			address, err = a.Addresses.Normalize(n.Channel, c.Value)
		}
		if err != nil {
			r.report(n, resolveFailCode(n.Channel, c.From), "recipient "+c.From,
				fmt.Sprintf("recipient %s gives no valid address: %s", c.From, err))
			continue
		}
		if !seen[address] {
			seen[address] = true
			addresses = append(addresses, address)
		}
	}
	return addresses
}

// report adds a row for the error log; key tells it from the event's and notification's other rows.
func (r *Resolution) report(n *rule.Notification, code rule.ErrCode, key, message string) {
	r.Errors = append(r.Errors, ErrorEntry{Code: code, Message: message, NotificationID: n.ID, Key: key})
}

// resolveFailCode tells the original's four recipient errors apart: a document field that gives no address could not
// be resolved, a direct address that is none is an error of the recipient itself.
func resolveFailCode(c rule.Channel, from string) rule.ErrCode {
	switch {
	case c == rule.Email && from == rule.Direct:
		return rule.EmailRecipientError
	case c == rule.Email:
		return rule.EmailRecipientResolveFail
	case from == rule.Direct:
		return rule.NumberRecipientError
	default:
		return rule.NumberRecipientResolveFail
	}
}

func codeOf(err error, otherwise rule.ErrCode) rule.ErrCode {
	var coded *rule.Error
	if errors.As(err, &coded) && coded.Code != "" {
		return coded.Code
	}
	return otherwise
}

// compiledRules keeps compiled notifications: each by its ID, for one version and one state of its model.
type compiledRules struct {
	mutex sync.Mutex
	rules map[string]compiledRule
}

type compiledRule struct {
	version int64
	model   *rule.Model
	rule    *rule.Compiled
}

// compiledLimit bounds the cache; beyond it the cache starts anew, which costs a compilation each.
const compiledLimit = 20_000

// get compiles a notification, or gives what it compiled to before. An older version (of an event that waited) does not
// drive out a newer one.
func (c *compiledRules) get(n *rule.Notification, model *rule.Model) (*rule.Compiled, error) {
	c.mutex.Lock()
	known, ok := c.rules[n.ID]
	c.mutex.Unlock()
	if ok && known.version == n.Version && known.model == model {
		return known.rule, nil
	}
	compiled, err := rule.Compile(n, model)
	if err != nil {
		return nil, err
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.rules == nil || len(c.rules) >= compiledLimit {
		c.rules = make(map[string]compiledRule)
	}
	if !ok || known.version <= n.Version {
		c.rules[n.ID] = compiledRule{version: n.Version, model: model, rule: compiled}
	}
	return compiled, nil
}
