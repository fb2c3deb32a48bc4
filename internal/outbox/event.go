// Package outbox is the one entrance: every captured change, test message and retry is an event row, written in the
// transaction of the business change, claimed by a relay, and settled by the workflow that it started.
package outbox

import (
	"time"

	"github.com/google/uuid"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/wording"
)

// Status is how far an event has come.
type Status string

// The statuses, in their order.
const (
	// Pending: no workflow is known to have started.
	Pending Status = "pending"
	// Started: Temporal has taken the workflow that handles the event.
	Started Status = "started"
	// Settled: every delivery has ended, or the reason for silence is recorded.
	Settled Status = "settled"
)

// Source says by which door an event came.
type Source string

// The sources.
const (
	FromPlugin  Source = "plugin"
	FromAPI     Source = "api"
	FromStarter Source = "starter"
	FromConsole Source = "console"
	FromAlert   Source = "alert"
)

// Event is one captured change of one row, with both snapshots.
type Event struct {
	ID     string `gorm:"primaryKey"`
	Model  string
	Key    string
	Action rule.Action
	// Doc and OldDoc are the row after and before the change, as JSON in the form that rule.FieldType describes. Doc is
	// nil for a delete, OldDoc for a create.
	Doc    Snapshot
	OldDoc Snapshot
	// Revision names the state of all notifications when the row changed.
	Revision int64
	Source   Source
	// NotificationID is the one notification that an alert concerns; empty for every other event.
	NotificationID string
	// Lane says which events take turns with each other; Append fills it in where it is empty. Tenants whose changes must
	// not wait for each other's have lanes of their own.
	Lane string
	// IdempotencyKey makes a second event with the same key the same event; nil when the caller gave none.
	IdempotencyKey *string
	Status         Status
	// Reason says, for people, why a settled event sent nothing; empty when it sent.
	Reason string
	// Decisions holds what each candidate notification did with the event.
	Decisions Snapshot
	// BatchID is persisted by the claim, before any workflow is started: the workflow's ID comes from it, so that a
	// crash between the two repeats the same start. Nil until claimed.
	BatchID    *string
	WorkflowID string
	CreatedAt  time.Time
	ClaimedAt  *time.Time
	StartedAt  *time.Time
	ResolvedAt *time.Time
	SettledAt  *time.Time
	// CheckedAt is when the recovery last made sure that the event's workflow is alive.
	CheckedAt *time.Time
	// PassedAt is when every delivery of the event's workflow had been tried once, though some are to be tried again.
	PassedAt *time.Time
}

// TenantLane names the lane of a tenant's events; empty for no tenant.
func TenantLane(tenant string) string {
	if tenant == "" {
		return ""
	}
	return "tenant " + wording.Kept(tenant, 0) // the business save must not fail because of a name
}

// lane gives the lane of an event that names none: date alerts, which come in thousands, one for each notification;
// changes one for each model; and one for each of the messages that a person waits for.
func (e *Event) lane() string {
	switch {
	case e.NotificationID != "":
		return "alert " + e.NotificationID
	case e.Model == "":
		return "by hand " + string(e.Action)
	default:
		return e.Model
	}
}

// TableName is fixed by the migrations.
func (Event) TableName() string { return "notify_events" }

// NewID gives a UUIDv7: unique, and in the order of time.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }
