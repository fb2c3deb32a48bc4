package rule

import (
	"errors"
	"fmt"
	"strings"
)

// Compiled is a notification that is ready to look at changes. It is safe for concurrent use.
type Compiled struct {
	trigger    Trigger
	channel    Channel
	uses       *usedModels
	needs      *needs
	notif      map[string]any
	change     change
	conditions []condition
	content    content
	variants   map[string]content
	extras     extras
	replyTo    *recipientSource
	// localeField is the bare name of a field of a recipient's row; localePath is the same for all.
	localeField string
	localePath  *path
	recipients  []recipientSource
}

// Compile prepares a notification for the changes of its model. It takes a notification as it was when its row changed,
// which may have become invalid since: a condition that no longer compiles is false (Judge says why), a field that is
// gone stays as written, and templates that cannot be used make Render fail. The error is an *Error; a notification
// that passed Validate has none.
func (r Reader) Compile(n *Notification) (c *Compiled, err error) {
	m, ok := r.Models.Model(n.Model)
	switch {
	case !ok:
		return nil, &Error{Code: ConditionEvalFail, Message: fmt.Sprintf("there is no model %s any more", n.Model)}
	case channelLetters[n.Channel] == "":
		return nil, &Error{Code: ConditionEvalFail, Message: fmt.Sprintf("unknown channel %q", string(n.Channel))}
	}
	wanted, uses := newNeeds(), &usedModels{models: r.Models, used: map[string]*Model{n.Model: m}}
	names := newNames(uses, m, wanted, r.Settings.zone(n))
	c = &Compiled{
		trigger: n.Trigger, channel: n.Channel, uses: uses, needs: wanted,
		notif: notifValues(n), conditions: compileConditions(n.Conditions, names),
		content: r.compileContent(n, names), variants: r.compileVariants(n, names), recipients: r.compileRecipients(n, names, wanted), change: compileChange(n, m, names.zone),
	}
	if c.extras, err = r.compileExtras(n, names); err != nil && c.content.broken == nil {
		c.content.broken = err
	}
	r.compileTelling(c, n, names)
	return c, nil
}

// Fits says whether the notification would compile to the same with another state of the catalog: whether every model
// that it names is still the same one.
func (c *Compiled) Fits(models Models) bool {
	for name, used := range c.uses.used {
		if m, _ := models.Model(name); m != used {
			return false
		}
	}
	return true
}

// usedModels notes which models are asked for; nil for one that is not there.
type usedModels struct {
	models Models
	used   map[string]*Model
}

// Model looks a model up.
func (u *usedModels) Model(name string) (*Model, bool) {
	m, ok := u.models.Model(name)
	u.used[name] = m
	return m, ok
}

func notifValues(n *Notification) map[string]any {
	return map[string]any{
		"id": n.ID, "title": n.Title, "channel": channelLetters[n.Channel], "trigger": string(n.Trigger),
		"model": n.Model, "active": n.Active,
	}
}

// view gives the scope as the rule's names see it. For a delete, doc is the row that is gone, as it was in the Django
// app: a delete rule names its fields like any other.
func (c *Compiled) view(s Scope) view {
	if c.trigger == OnDelete && s.Doc == nil {
		s.Doc = s.OldDoc
	}
	v := view{docName: map[string]any(s.Doc), oldDocName: map[string]any(s.OldDoc), notifName: c.notif, workName: s.meter}
	if s.meter == nil {
		v[workName] = new(meter)
	}
	if !s.At.IsZero() {
		v[momentName] = s.At.UTC()
	}
	return v
}

// Fires says whether the change is one that the trigger waits for, and why not. Only value_change looks at the rows.
func (c *Compiled) Fires(s Scope) (fires bool, reason string) {
	if c.trigger != OnValueChange {
		return true, ""
	}
	return c.change.fires(s)
}

// outdated says that no field is left that the trigger watches: the notification can never fire.
func (c *Compiled) outdated() bool { return c.trigger == OnValueChange && len(c.change.fields) == 0 }

// Verdict is what the conditions say about a change.
type Verdict struct {
	Sends bool
	// Reason says it for people, such as "condition false at line 1, 2".
	Reason string
	// Lines holds every line that is not blank.
	Lines []LineResult
}

// LineResult is what one line of the conditions says.
type LineResult struct {
	// Line counts from 1, blank lines included.
	Line   int
	Text   string
	Result bool
	// Error says why the line is broken; it then counts as false. It holds no values.
	Error string
}

// Judge evaluates the conditions. Any true line sends, and so do no conditions at all. All lines are evaluated, so that
// people can see what each says.
func (c *Compiled) Judge(s Scope) Verdict {
	v := c.view(s)
	verdict := Verdict{Lines: make([]LineResult, 0, len(c.conditions))}
	for i := range c.conditions {
		condition := &c.conditions[i]
		line := LineResult{Line: condition.line, Text: condition.text}
		result, err := false, v.meter().look(0)
		if err == nil {
			result, err = condition.evaluate(v)
		}
		line.Result = result
		if err != nil {
			line.Error = lineError(err)
		}
		verdict.Sends = verdict.Sends || result
		verdict.Lines = append(verdict.Lines, line)
	}
	if len(verdict.Lines) == 0 {
		verdict.Sends = true
	}
	verdict.Reason = verdict.reason()
	return verdict
}

// lineError leaves the line's number out: LineResult has it.
func lineError(err error) string {
	var own *Error
	if errors.As(err, &own) && own.Column > 0 {
		return fmt.Sprintf("column %d: %s", own.Column, own.Message)
	}
	return err.Error()
}

func (v Verdict) reason() string {
	var held, failed, broken []string
	for _, line := range v.Lines {
		number := fmt.Sprint(line.Line)
		switch {
		case line.Result:
			held = append(held, number)
		case line.Error != "":
			broken = append(broken, number)
			failed = append(failed, number)
		default:
			failed = append(failed, number)
		}
	}
	switch {
	case len(v.Lines) == 0:
		return "no conditions"
	case v.Sends:
		return "condition true at line " + strings.Join(held, ", ")
	case len(broken) > 0:
		return "condition false at line " + strings.Join(failed, ", ") +
			" (not evaluated because of an error: line " + strings.Join(broken, ", ") + ")"
	default:
		return "condition false at line " + strings.Join(failed, ", ")
	}
}
