package activities

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// This file is the one place where an outcome becomes Temporal's words for it: retry or not, and when. What it hands to
// Temporal is made of codes and IDs: never an address, never a provider's text, never a cause.

// The types of the errors that leave an activity.
const (
	errRefused     = "Refused"     // by the provider, for now
	errRefusedEver = "RefusedEver" // by the provider, for good
	errDoubtful    = "Doubtful"    // the provider may have it
	errStore       = "Store"       // the application's database is away

	errUnknownEvents = "UnknownEvents" // the worker's database is another one
	errPanicked      = "Panicked"      // by a mistake of ours: what it had done by then, nobody knows
)

// refusalDetails is what a refusal carries through Temporal.
type refusalDetails struct {
	Class Class  `json:"class"`
	Code  string `json:"code"`
}

// refused turns a provider's refusal into an activity error: permanent ones are not tried again, and a wait that the
// provider asked for replaces the profile's.
func refused(deliveryID string, attempt int, class Class, code string, retryAfter time.Duration) error {
	kind := errRefused
	switch class {
	case Permanent:
		kind = errRefusedEver
	case Unknown:
		kind = errDoubtful
	}
	return temporal.NewApplicationErrorWithOptions(
		fmt.Sprintf("%s refusal of delivery %s at attempt %d, code %s", class, deliveryID, attempt, code), kind,
		temporal.ApplicationErrorOptions{
			Category:       temporal.ApplicationErrorCategoryBenign, // recorded here and in the error log; no fault of the worker
			NonRetryable:   class == Permanent,
			NextRetryDelay: retryAfter,
			Details:        []any{refusalDetails{Class: class, Code: code}},
		})
}

// interrupted says that the database could not be reached before or after a hand-over. It ends the activity's attempts,
// because none of them was one at the provider; the workflow waits and begins anew.
func interrupted(step string) error {
	return temporal.NewApplicationErrorWithOptions(
		"the application's database did not answer: "+step, errStore, temporal.ApplicationErrorOptions{NonRetryable: true})
}

// unknownEvents ends a workflow that came to a worker with another database: it shows as failed, and the relay that
// knows the events begins them anew.
func unknownEvents(missing, all int) error {
	return temporal.NewApplicationErrorWithOptions(
		fmt.Sprintf("%d of %d events are not in this worker's database: do DATABASE_URL and NOTIFY_TASK_QUEUE belong together?", missing, all),
		errUnknownEvents, temporal.ApplicationErrorOptions{NonRetryable: true})
}

// retryStep says that the database could not be reached in a step that its own policy repeats until it can.
func retryStep(step string) error {
	return temporal.NewApplicationError("the application's database did not answer: "+step, errStore)
}

// Failure is a delivery whose send came to nothing, as RecordFailure takes it. IDs and codes only.
type Failure struct {
	DeliveryID     string       `json:"delivery_id"`
	EventID        string       `json:"event_id"`
	NotificationID string       `json:"notification_id"`
	Channel        rule.Channel `json:"channel"`
	// RetryEventID tells this failure from one before a person had the delivery opened again.
	RetryEventID string `json:"retry_event_id,omitempty"`
	Class        Class  `json:"class"`
	// Code is the provider's or adapter's machine code.
	Code string `json:"code"`
	// Interrupted failures are not the provider's doing: a worker that died, a database that was away.
	Interrupted bool `json:"interrupted,omitempty"`
}

// FailureOf reads the error that ended a send activity.
func FailureOf(d Planned, err error) Failure {
	f := Failure{
		DeliveryID: d.ID, EventID: d.EventID, NotificationID: d.NotificationID, Channel: d.Channel,
		RetryEventID: d.RetryEventID, Class: Unknown, Code: codeWorkerLost, Interrupted: true,
	}
	var application *temporal.ApplicationError
	var timeout *temporal.TimeoutError
	switch {
	case errors.As(err, &application) && application.Type() == errStore:
		f.Code = "database_unavailable"
	case errors.As(err, &application) && application.Type() == errPanicked:
	case errors.As(err, &application):
		var details refusalDetails
		if application.Details(&details) != nil || details.Class == "" {
			details = refusalDetails{Class: Temporary, Code: "internal"}
		}
		f.Class, f.Code, f.Interrupted = details.Class, details.Code, false
	case errors.As(err, &timeout):
	case temporal.IsCanceledError(err):
		f.Class, f.Code, f.Interrupted = Temporary, codeCanceled, false
	}
	return f
}

// FailureBy is the failure of a delivery whose only attempt was refused.
func FailureBy(d Planned, r Refused) Failure {
	return Failure{
		DeliveryID: d.ID, EventID: d.EventID, NotificationID: d.NotificationID, Channel: d.Channel,
		RetryEventID: d.RetryEventID, Class: r.Class, Code: r.Code,
	}
}

// codeWorkerLost is the code of a send whose worker did not come back.
const codeWorkerLost = "worker_lost"

// WorkerLost says whether the send's worker did not come back.
func (f Failure) WorkerLost() bool { return f.Code == codeWorkerLost }

// codeCanceled is the code of a send that a person cancelled, in Temporal Web UI for instance.
const codeCanceled = "canceled"
