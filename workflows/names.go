// Package workflows holds SendNotification, what happens from a captured change to the last answer of a provider, and
// AlertOnDates, which makes events of dates that have come; both durably. A workflow here reads like a table of contents; the work is in the activities.
package workflows

import (
	"strings"

	"go.temporal.io/sdk/temporal"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// DefaultTaskQueue is where SendNotification runs unless the settings name another.
const DefaultTaskQueue = "silque-notifications"

// ChannelQueue names the task queue of a channel's sends. Each channel has its own, so that a provider's rate limit or
// outage stays in its channel.
func ChannelQueue(taskQueue string, channel rule.Channel) string {
	return taskQueue + "-" + string(channel)
}

// ChunkQueue names the task queue of a channel's chunks, apart from ChannelQueue so that a single message never waits
// behind thousands.
func ChunkQueue(taskQueue string, channel rule.Channel) string {
	return ChannelQueue(taskQueue, channel) + "-chunks"
}

// workflowIDPrefix makes the workflow ID of a batch; BatchOf is the inverse.
const workflowIDPrefix = "send-notification-"

// WorkflowID gives the ID of a batch's workflow. It depends on the batch alone, so that a repeated start is the same start.
func WorkflowID(batchID string) string { return workflowIDPrefix + batchID }

// BatchOf gives the batch of a workflow ID, or false for a workflow that is not SendNotification's.
func BatchOf(workflowID string) (batchID string, ok bool) {
	return strings.CutPrefix(workflowID, workflowIDPrefix)
}

// AlertScheduleID names the schedule that looks at a notification's dates. The workflows that it starts are named after
// it, with the time of their start.
func AlertScheduleID(notificationID string) string { return "alert-on-dates-" + notificationID }

// The search attributes, by which Temporal Web UI finds the workflow of an event, of a notification or of a model, and
// every one that did not end well. They hold IDs and codes only: Temporal keeps them in plain text.
var (
	// EventsAttribute holds the IDs of the workflow's events.
	EventsAttribute = temporal.NewSearchAttributeKeyKeywordList("SilqueEvents")
	// ModelsAttribute holds the tables in which they happened.
	ModelsAttribute = temporal.NewSearchAttributeKeyKeywordList("SilqueModels")
	// NotificationsAttribute holds the IDs of the notifications that send.
	NotificationsAttribute = temporal.NewSearchAttributeKeyKeywordList("SilqueNotifications")
	// OutcomeAttribute holds an Outcome.
	OutcomeAttribute = temporal.NewSearchAttributeKeyKeyword("SilqueOutcome")
)

// Outcome is what became of a workflow's deliveries, as a search attribute.
type Outcome string

// The outcomes.
const (
	OutcomeSending      Outcome = "sending"
	OutcomeSent         Outcome = "sent"
	OutcomePartlyFailed Outcome = "partly_failed"
	OutcomeFailed       Outcome = "failed"
	OutcomeNothing      Outcome = "nothing_to_send"
	OutcomeSuppressed   Outcome = "suppressed"
)
