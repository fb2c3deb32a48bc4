package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"go.temporal.io/api/enums/v1"

	"github.com/silquetech/silque-notifications/dev/apiclient"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/workflows"
)

// scenario makes one workflow happen, and gives its ID when it has ended.
type scenario struct {
	name string
	play func(ctx context.Context, r *recorder) (workflowID string, err error)
}

// The rows and texts hold the word canary: a test looks for it in the histories, where it must not be.
var scenarios = []scenario{
	{"one-email-sent", func(ctx context.Context, r *recorder) (string, error) {
		return r.change(ctx, email)
	}},
	{"three-channels-in-parallel", func(ctx context.Context, r *recorder) (string, error) {
		return r.change(ctx, email, sms, whatsapp)
	}},
	{"sent-at-the-third-attempt", func(ctx context.Context, r *recorder) (string, error) {
		return r.broken(ctx, "temporary", 2, email)
	}},
	{"failed-after-three-attempts", func(ctx context.Context, r *recorder) (string, error) {
		return r.broken(ctx, "temporary", 3, email)
	}},
	{"refused-for-good", func(ctx context.Context, r *recorder) (string, error) {
		return r.broken(ctx, "permanent", 1, email, sms)
	}},
	{"a-lost-answer", func(ctx context.Context, r *recorder) (string, error) {
		return r.broken(ctx, "drop", 1, email)
	}},
	{"nothing-to-send", func(ctx context.Context, r *recorder) (string, error) {
		return r.change(ctx, notification(rule.Email, "email", "doc.id < 0"))
	}},
	{"test-message", func(ctx context.Context, r *recorder) (string, error) {
		return r.event(ctx, "/api/v1/test", map[string]any{"channel": "sms", "to": "+12025550199"})
	}},
	{"retried-by-hand", retriedByHand},
	{"three-events-in-a-batch", batch},
	{"a-batch-with-trouble", func(ctx context.Context, r *recorder) (string, error) {
		if err := r.SetFault(ctx, "email", "temporary", 2); err != nil {
			return "", err
		}
		return batch(ctx, r)
	}},
	{"a-batch-that-fails", func(ctx context.Context, r *recorder) (string, error) {
		if err := r.SetFault(ctx, "email", "permanent", 3); err != nil {
			return "", err
		}
		return batch(ctx, r)
	}},
	{"many-recipients-in-chunks", func(ctx context.Context, r *recorder) (string, error) {
		return r.change(ctx, toMany(100))
	}},
	{"canceled-while-it-waits", canceled},
	{"a-retry-profile-of-its-own", func(ctx context.Context, r *recorder) (string, error) {
		own := maps.Clone(email)
		own["retry_attempts"], own["retry_interval"], own["priority"] = 2, 1, 1
		return r.broken(ctx, "temporary", 2, own)
	}},
	{"alert-on-dates", alertOnDates},
}

var (
	email    = notification(rule.Email, "email", "")
	sms      = notification(rule.SMS, "phone", "")
	whatsapp = notification(rule.WhatsApp, "phone", "")
)

func notification(channel rule.Channel, field, conditions string) map[string]any {
	return map[string]any{
		"title": "canary {{ doc.name }}", "message": "canary message for {{ doc.name }}", "channel": channel,
		"model": "customers", "trigger": "new", "conditions": conditions,
		"recipients": []map[string]any{{"document_field": "doc." + field}},
	}
}

// toMany tells as many recipients.
func toMany(count int) map[string]any {
	var recipients []map[string]any
	for i := range count {
		recipients = append(recipients, map[string]any{"address": fmt.Sprintf("canary%d@example.com", i)})
	}
	n := maps.Clone(email)
	n["recipients"] = recipients
	return n
}

// retriedByHand fails a delivery for good, and records the workflow of the retry.
func retriedByHand(ctx context.Context, r *recorder) (string, error) {
	workflowID, err := r.broken(ctx, "permanent", 1, email)
	if err != nil {
		return "", err
	}
	var failed apiclient.List[apiclient.Delivery]
	if err := r.Call(ctx, "GET", "/api/v1/deliveries?status=failed&workflow_id="+workflowID, nil, &failed); err != nil {
		return "", err
	}
	if len(failed.Items) != 1 {
		return "", fmt.Errorf("%d failed deliveries, want 1", len(failed.Items))
	}
	return r.event(ctx, "/api/v1/deliveries/"+failed.Items[0].ID+"/retry", nil)
}

// batch commits three events at once, which travel in one workflow.
func batch(ctx context.Context, r *recorder) (string, error) {
	if err := r.OnlyNotifications(ctx, email, sms); err != nil {
		return "", err
	}
	db := r.stack.Database()
	var revision int64
	if err := db.Raw("SELECT revision FROM notify_revision").Scan(&revision).Error; err != nil {
		return "", err
	}
	events := make([]*outbox.Event, 3)
	for i := range events {
		events[i] = &outbox.Event{
			Model: "customers", Key: fmt.Sprint(i), Action: rule.Create, Revision: revision, Source: outbox.FromAPI,
			Doc: outbox.Snapshot(fmt.Sprintf(`{"id":%d,"name":"canary","email":"canary%d@example.com","phone":"+12025550100"}`, i, i)),
		}
	}
	if err := outbox.Append(db, events...); err != nil { // one commit, so that the relay finds them together
		return "", err
	}
	settled, err := r.Settled(ctx, events[0].ID)
	if err != nil {
		return "", err
	}
	return settled.WorkflowID, r.ended(ctx, events[2].ID)
}

// alertOnDates makes a notification about a date that has come already, and records the scan that its schedule starts.
func alertOnDates(ctx context.Context, r *recorder) (string, error) {
	if err := r.OnlyNotifications(ctx); err != nil {
		return "", err
	}
	due := time.Now().UTC().AddDate(0, 0, 3).Format(time.DateOnly)
	key, err := r.Save(ctx, "invoices", map[string]any{"number": "canary", "total": "1.00", "due_date": due})
	if err != nil {
		return "", err
	}
	alert := map[string]any{
		"title": "canary {{ doc.number }}", "message": "canary", "channel": "email", "model": "invoices", "trigger": "days_before",
		"date_field": "due_date", "alert_days": 3, "recipients": []map[string]any{{"address": "canary@example.com"}},
	}
	var made struct {
		ID string `json:"id"`
	}
	if err := r.Call(ctx, "POST", "/api/v1/notifications", alert, &made); err != nil {
		return "", err
	}
	event, err := r.EventOf(ctx, "invoices", key)
	if err != nil {
		return "", err
	}
	if err := r.ended(ctx, event.ID); err != nil {
		return "", err
	}
	schedule, err := r.temporal.ScheduleClient().GetHandle(ctx, workflows.AlertScheduleID(made.ID)).Describe(ctx)
	if err != nil {
		return "", err
	}
	if len(schedule.Info.RecentActions) == 0 {
		return "", errors.New("the schedule has started nothing")
	}
	workflowID := schedule.Info.RecentActions[0].StartWorkflowResult.WorkflowID
	return workflowID, apiclient.Until(ctx, func() (bool, error) {
		description, err := r.temporal.DescribeWorkflowExecution(ctx, workflowID, "")
		return description.GetWorkflowExecutionInfo().GetStatus() != enums.WORKFLOW_EXECUTION_STATUS_RUNNING, err
	})
}

// canceled cancels a workflow that waits for its second attempt.
func canceled(ctx context.Context, r *recorder) (string, error) {
	if err := r.OnlyNotifications(ctx, email); err != nil {
		return "", err
	}
	if err := r.SetFault(ctx, "email", "slow", 1); err != nil {
		return "", err
	}
	event, err := r.save(ctx)
	if err != nil {
		return "", err
	}
	if err := r.temporal.CancelWorkflow(ctx, event.WorkflowID, ""); err != nil {
		return "", err
	}
	return event.WorkflowID, r.ended(ctx, event.ID)
}
