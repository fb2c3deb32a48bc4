package activities

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// judge lets one notification look at one change, and adds what it does to the resolution. A panic in a rule is that
// rule's error, and touches no other. The error is the database's.
func (a *Activities) judge(ctx context.Context, r *Resolution, n *rule.Notification, look look) (err error) {
	decision := Decision{NotificationID: n.ID, Version: n.Version}
	defer func() {
		if cause := recover(); cause != nil {
			a.Log.Error("A notification panicked", "notification", n.ID, "event", r.EventID, "panic", fmt.Sprintf("%T", cause), "stack", string(debug.Stack()))
			decision.Outcome, decision.Detail = rule.Invalid, "the notification could not be evaluated"
			r.report(n, rule.TemplateParseFail, "panic", decision.Detail)
		}
		r.Decisions = append(r.Decisions, decision)
	}()
	compiled, err := a.compiled.get(a.reader(look.models), n)
	if err != nil {
		decision.Outcome, decision.Detail = rule.Invalid, "the notification is no longer valid: "+err.Error()
		r.report(n, codeOf(err, rule.ConditionEvalFail), "compile", err.Error())
		return nil
	}
	scope, problems, err := compiled.Load(ctx, look.source, look.scope)
	if err != nil {
		return err
	}
	outcome, inTime := look.decide(compiled, scope, a.Addresses)
	if !inTime {
		decision.Outcome, decision.Detail = rule.Invalid, "the notifications of this change take too long to judge"
		r.report(n, rule.ConditionEvalFail, "time", decision.Detail)
		return nil
	}
	for _, p := range append(problems, outcome.Problems...) {
		r.report(n, p.Code, p.Key, p.Message)
	}
	decision.Outcome, decision.Detail, decision.Deliveries = outcome.Decision, outcome.Reason, len(outcome.Messages)
	if outcome.Decision == rule.Sends && len(outcome.Verdict.Lines) > 0 {
		decision.Detail = outcome.Verdict.Reason // which of the conditions hold
	}
	for _, m := range outcome.Messages {
		r.Deliveries = append(r.Deliveries, deliveryOf(n, m, look.scope.At))
	}
	return nil
}

// look is what every notification sees of an event.
type look struct {
	models rule.Models
	source rule.Source
	scope  rule.Scope
	// computed is how long the notifications so far took, without the reads of the database.
	computed *time.Duration
}

// computeLimit bounds the computing for one event: many slow notifications together must not keep the step from its end,
// which would begin it anew for ever. Each alone is stopped after some seconds.
const computeLimit = 2 * time.Minute

// decide lets a notification decide, unless the time is used up.
func (l look) decide(compiled *rule.Compiled, s rule.Scope, addresses rule.Addresses) (o rule.Outcome, inTime bool) {
	if *l.computed > computeLimit {
		return o, false
	}
	started := time.Now()
	defer func() { *l.computed += time.Since(started) }()
	return compiled.Decide(s, addresses), true
}

func (a *Activities) reader(models rule.Models) rule.Reader {
	return rule.Reader{Models: models, Addresses: a.Addresses, Settings: a.Rules}
}

// deliveryOf makes a delivery with what the notification decides about its sending.
func deliveryOf(n *rule.Notification, m rule.Message, at time.Time) NewDelivery {
	d := NewDelivery{
		NotificationID: n.ID, NotificationVersion: n.Version, Channel: n.Channel, Address: m.Address,
		Subject: m.Subject, Text: m.Text, HTML: m.HTML, Locale: m.Locale, Details: m.Details, Priority: n.Priority,
		Retry: RetryProfile{Attempts: n.RetryAttempts, Interval: time.Duration(n.RetryInterval) * time.Second},
	}
	if n.ValidFor > 0 {
		until := at.Add(time.Duration(n.ValidFor) * time.Minute)
		d.ValidUntil = &until
	}
	return d
}

// report adds a row for the error log; key tells it from the event's and notification's other rows.
func (r *Resolution) report(n *rule.Notification, code rule.ErrCode, key, message string) {
	r.Errors = append(r.Errors, ErrorEntry{Code: code, Message: message, NotificationID: n.ID, Key: key})
}

func codeOf(err error, otherwise rule.ErrCode) rule.ErrCode {
	var coded *rule.Error
	if errors.As(err, &coded) && coded.Code != "" {
		return coded.Code
	}
	return otherwise
}

// compiledRules keeps compiled notifications: each by its ID, for one version and one state of its models.
type compiledRules struct {
	mutex sync.Mutex
	rules map[string]compiledRule
}

type compiledRule struct {
	version int64
	rule    *rule.Compiled
}

// compiledLimit bounds the cache; beyond it the cache starts anew, which costs a compilation each.
const compiledLimit = 20_000

// get compiles a notification, or gives what it compiled to before. An older version (of an event that waited) does not
// drive out a newer one.
func (c *compiledRules) get(reader rule.Reader, n *rule.Notification) (*rule.Compiled, error) {
	c.mutex.Lock()
	known, ok := c.rules[n.ID]
	c.mutex.Unlock()
	if ok && known.version == n.Version && known.rule.Fits(reader.Models) {
		return known.rule, nil
	}
	compiled, err := reader.Compile(n)
	if err != nil {
		return nil, err
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.rules == nil || len(c.rules) >= compiledLimit {
		c.rules = make(map[string]compiledRule)
	}
	if !ok || known.version <= n.Version {
		c.rules[n.ID] = compiledRule{version: n.Version, rule: compiled}
	}
	return compiled, nil
}
