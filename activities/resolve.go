package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// planLimit bounds one plan: its IDs stay far under the 256 KB that a payload should have at most.
const planLimit = 500

// ResolveInput names the events to resolve.
type ResolveInput struct {
	EventIDs []string `json:"event_ids"`
	// After is the last delivery of the plan before, when that was cut at its limit.
	After string `json:"after,omitempty"`
}

// Plan is what is to be sent.
type Plan struct {
	Deliveries []Planned `json:"deliveries,omitempty"`
	// NotificationIDs are those of the deliveries, sorted.
	NotificationIDs []string     `json:"notification_ids,omitempty"`
	Retry           RetryProfile `json:"retry"`
	// More says that the plan was cut at its limit: resolve again when these have been sent.
	More bool `json:"more,omitempty"`
	// Chunk is the most deliveries of one chunk; zero: each delivery has an activity of its own.
	Chunk int `json:"chunk,omitempty"`
}

// Resolve turns events into deliveries: which notifications fire, for whom, with what text. It writes the deliveries
// (unique rows), every decision and every error, of each event at once or not at all, and gives those that are still to be sent.
// Repeating it changes nothing.
func (a *Activities) Resolve(ctx context.Context, in ResolveInput) (Plan, error) {
	events, err := a.Ledger.Events(ctx, in.EventIDs)
	if err != nil {
		return Plan{}, a.unavailable("read events", err)
	}
	if len(events) < len(in.EventIDs) {
		a.Log.Error("Events are not in this worker's database: do DATABASE_URL and NOTIFY_TASK_QUEUE belong together?",
			"wanted", len(in.EventIDs), "found", len(events))
		return Plan{}, unknownEvents(len(in.EventIDs)-len(events), len(in.EventIDs))
	}
	models, err := a.Ledger.Models(ctx, false)
	if err != nil {
		return Plan{}, a.unavailable("read the catalog", err)
	}
	fresh, err := a.keepAll(ctx, events, models)
	if err != nil {
		return Plan{}, err
	}
	return a.plan(ctx, in, fresh)
}

// keepLimit is how many deliveries are gathered before they are written: it bounds the memory.
const keepLimit = 1000

// keepAll decides what the events come to, and writes it in as few commits as there may be. It gives the deliveries when
// that was all in one; nil: they must be read.
func (a *Activities) keepAll(ctx context.Context, events []Event, models rule.Models) (fresh []Planned, err error) {
	workflowID := activity.GetInfo(ctx).WorkflowExecution.ID
	var resolutions []Resolution
	deliveries, kept := 0, 0
	keep := func() error {
		if len(resolutions) == 0 {
			return nil
		}
		if fresh, err = a.Ledger.Keep(ctx, workflowID, resolutions...); err != nil {
			return a.unavailable("keep deliveries", err)
		}
		kept = len(resolutions)
		resolutions, deliveries = resolutions[:0], 0
		return nil
	}
	for _, event := range events {
		if event.Resolved {
			continue
		}
		resolution, err := a.resolution(ctx, event, models)
		if err == nil && resolution.mayBeOutdated() {
			resolution, err = a.withFreshCatalog(ctx, event)
		}
		if err != nil {
			return nil, a.unavailable("read notifications", err)
		}
		resolutions = append(resolutions, resolution)
		if deliveries += len(resolution.Deliveries); deliveries >= keepLimit {
			if err := keep(); err != nil {
				return nil, err
			}
		}
	}
	if err := keep(); err != nil {
		return nil, err
	}
	if kept < len(events) {
		return nil, nil
	}
	return fresh, nil
}

// withFreshCatalog decides once more what an event comes to: an application may have registered a model or a column a
// moment ago.
func (a *Activities) withFreshCatalog(ctx context.Context, event Event) (Resolution, error) {
	models, err := a.Ledger.Models(ctx, true)
	if err != nil {
		return Resolution{}, err
	}
	return a.resolution(ctx, event, models)
}

// mayBeOutdated says whether something was wrong that an old catalog explains.
func (r Resolution) mayBeOutdated() bool {
	return slices.ContainsFunc(r.Errors, func(e ErrorEntry) bool {
		return e.Key != "time" && !strings.HasPrefix(e.Key, "limit") &&
			(e.Code == rule.EventDecodeFail || e.Code == rule.ConditionEvalFail || e.Code == rule.TemplateParseFail)
	})
}

// plan gives what is to be sent; fresh holds it if that is known.
func (a *Activities) plan(ctx context.Context, in ResolveInput, fresh []Planned) (Plan, error) {
	deliveries := fresh
	if deliveries == nil {
		var err error
		if deliveries, err = a.Ledger.Unsent(ctx, in.EventIDs, in.After, planLimit+1); err != nil {
			return Plan{}, a.unavailable("read deliveries", err)
		}
	}
	plan := Plan{Deliveries: deliveries, Retry: a.Retry}
	if a.Chunk > 1 {
		plan.Chunk = a.Chunk
	}
	if len(deliveries) > planLimit {
		plan.Deliveries, plan.More = deliveries[:planLimit], true
	}
	seen := make(map[string]bool)
	for _, d := range plan.Deliveries {
		if d.NotificationID != "" && !seen[d.NotificationID] {
			seen[d.NotificationID] = true
			plan.NotificationIDs = append(plan.NotificationIDs, d.NotificationID)
		}
	}
	sort.Strings(plan.NotificationIDs)
	return plan, nil
}

// resolution decides what an event comes to. Its error is the database's alone: whatever is wrong with the event or a
// rule becomes part of the resolution.
func (a *Activities) resolution(ctx context.Context, event Event, models rule.Models) (Resolution, error) {
	switch event.Action {
	case rule.Test:
		return testMessage(event), nil
	case rule.Retry:
		return reopened(event), nil
	}
	r := Resolution{EventID: event.ID}
	model, ok := models.Model(event.Model)
	if !ok {
		return undecodable(r, "the model is not in the catalog: register it with the notify plugin"), nil
	}
	scope, err := scopeOf(model, event)
	if err != nil {
		return undecodable(r, err.Error()), nil
	}
	notifications, err := a.Ledger.InForce(ctx, event.Model, rule.TriggersFor(event.Action), event.Revision)
	if err != nil {
		return r, err
	}
	if event.NotificationID != "" {
		notifications = only(notifications, event.NotificationID)
	}
	look := look{models: models, source: a.Ledger.Source(models), scope: scope, computed: new(time.Duration)}
	for _, n := range notifications {
		if err := a.judge(ctx, &r, n, look); err != nil {
			return r, err
		}
	}
	r.Reason = silence(r)
	return r, nil
}

// only gives the notification that an alert concerns.
func only(notifications []*rule.Notification, id string) []*rule.Notification {
	at := slices.IndexFunc(notifications, func(n *rule.Notification) bool { return n.ID == id })
	if at < 0 {
		return nil
	}
	return notifications[at : at+1]
}

func scopeOf(model *rule.Model, event Event) (rule.Scope, error) {
	doc, err := rule.DecodeDocument(model, event.Doc)
	if err != nil {
		return rule.Scope{}, fmt.Errorf("doc: %w", err)
	}
	oldDoc, err := rule.DecodeDocument(model, event.OldDoc)
	if err != nil {
		return rule.Scope{}, fmt.Errorf("old_doc: %w", err)
	}
	return rule.Scope{Doc: doc, OldDoc: oldDoc, At: event.At}, nil
}

// undecodable ends an event whose row or snapshots make no sense.
func undecodable(r Resolution, message string) Resolution {
	r.Reason = message
	r.Errors = append(r.Errors, ErrorEntry{Code: rule.EventDecodeFail, Message: message, Key: "event"})
	return r
}

// silence says why an event sends nothing; empty when it sends.
func silence(r Resolution) string {
	if len(r.Deliveries) > 0 {
		return ""
	}
	switch len(r.Decisions) {
	case 0:
		return "no notification was active for this change"
	case 1:
		return r.Decisions[0].Detail
	default:
		return fmt.Sprintf("none of %d notifications sent; the first: %s", len(r.Decisions), r.Decisions[0].Detail)
	}
}

// testMessage resolves a test event, which carries its address itself, and perhaps its text.
func testMessage(event Event) Resolution {
	r := Resolution{EventID: event.ID}
	m, ok := rule.ReadTestMessage(event.Doc)
	if !ok {
		return undecodable(r, "a test event needs a channel and an address")
	}
	r.Deliveries = []NewDelivery{{
		Channel: m.Channel, Address: m.To, Subject: m.Subject, Text: m.Text, HTML: m.HTML, Details: *m.Details,
	}}
	return r
}

// reopened resolves a retry event, which names its delivery.
func reopened(event Event) Resolution {
	r := Resolution{EventID: event.ID}
	var doc struct {
		DeliveryID string `json:"delivery_id"`
	}
	if err := json.Unmarshal(event.Doc, &doc); err != nil || doc.DeliveryID == "" {
		return undecodable(r, "a retry event needs a delivery")
	}
	r.Reopen = doc.DeliveryID
	return r
}

// unavailable logs what the database said, and tells Temporal only that it did not answer.
func (a *Activities) unavailable(step string, err error) error {
	a.Log.Warn("The application's database did not answer", "step", step, "error", err)
	return retryStep(step)
}
