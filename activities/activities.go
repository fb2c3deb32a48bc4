// Package activities holds the steps of SendNotification, one a file: what touches the application's database and the
// providers. A step says what it needs in small interfaces; the mains supply them.
package activities

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// Activities are the steps, with what they need.
type Activities struct {
	Ledger    Ledger
	Senders   map[rule.Channel]Sender
	Addresses rule.Addresses
	// Rules are the settings under which notifications are read.
	Rules rule.Settings
	// Dates finds the rows of date alerts.
	Dates Dates
	// Retry is the profile of a hand-over; it travels with the plan.
	Retry RetryProfile
	Log   *slog.Logger
	// Now is the clock.
	Now func() time.Time
	// Observe is told of every attempt, for metrics; it may be nil.
	Observe func(channel rule.Channel, outcome string, took time.Duration)

	// Turns bounds the hand-overs at once, by channel; a channel without one has no bound.
	Turns map[rule.Channel]*Turns
	// Gate is asked before hand-overs begin; it may be nil.
	Gate Gate
	// Chunk is the most deliveries that are handed over by one activity when there are many at once; below two, each
	// delivery always has an activity of its own.
	Chunk int
	// Passed is told of each workflow whose deliveries have all been tried once, or of which one was refused; it may be nil.
	Passed func(ctx context.Context, workflowID string)

	compiled compiledRules
}

// RetryProfile says how often a delivery is tried, and how far apart.
type RetryProfile struct {
	// Attempts counts the first one too.
	Attempts int           `json:"attempts"`
	Interval time.Duration `json:"interval"`
}

// Or fills what the profile leaves open from another one.
func (r RetryProfile) Or(other RetryProfile) RetryProfile {
	return RetryProfile{Attempts: cmp.Or(r.Attempts, other.Attempts), Interval: cmp.Or(r.Interval, other.Interval)}
}

// Ledger is the application's database as the steps see it.
type Ledger interface {
	// Events reads events with their snapshots.
	Events(ctx context.Context, ids []string) ([]Event, error)
	// Models reads the catalog; it may be some seconds old unless fresh is asked for.
	Models(ctx context.Context, fresh bool) (rule.Models, error)
	// InForce reads the active notifications of a model and triggers as they were at a revision.
	InForce(ctx context.Context, model string, triggers []rule.Trigger, revision int64) ([]*rule.Notification, error)
	// Source reads related rows and saved lists. What it has read it may keep for the time of one event.
	Source(models rule.Models) rule.Source
	// Keep writes what events came to, at once or not at all. Keeping it twice is the same as once. It gives their
	// deliveries when all of them are new and everything there is to send for the events; nil: ask Unsent.
	Keep(ctx context.Context, workflowID string, r ...Resolution) (fresh []Planned, err error)
	// Unsent reads up to limit deliveries of the events that have not ended, oldest first, those after the ID.
	Unsent(ctx context.Context, eventIDs []string, after string, limit int) ([]Planned, error)
	// Advance records how attempts ended and begins others unless their deliveries have ended already, at once or not at
	// all. Each claim stands where its delivery stands in begin. A delivery that a person has had opened again since
	// (RetryEventID names whose turn it is) is left alone.
	Advance(ctx context.Context, ended []Attempt, begin []SendInput, now time.Time) ([]Claim, error)
	// GiveBack takes attempts back that began in the database only.
	GiveBack(ctx context.Context, attempts []Attempt, now time.Time) error
	// Recorded says whether a provider's message is another delivery's, or this one's of before a person had it opened again.
	Recorded(ctx context.Context, providerID, deliveryID string) (bool, error)
	// Fail ends a delivery and writes the error log. Failing it twice is the same as once.
	Fail(ctx context.Context, f Failure, now time.Time) error
	// Settle ends events, and says of open ones that every delivery has been tried once.
	Settle(ctx context.Context, eventIDs, open []string, now time.Time) error
}

// Event is a captured change as Resolve sees it.
type Event struct {
	ID       string
	Model    string
	Key      string
	Action   rule.Action
	Doc      json.RawMessage
	OldDoc   json.RawMessage
	Revision int64
	// At is when the change was captured.
	At time.Time
	// NotificationID is the one notification that an alert concerns; empty for every other event.
	NotificationID string
	// Resolved events have their deliveries already: a repeated step goes on from them.
	Resolved bool
}

// Resolution is what one event came to.
type Resolution struct {
	EventID string
	// Reason says why nothing is sent; empty when something is.
	Reason     string
	Decisions  []Decision
	Deliveries []NewDelivery
	Errors     []ErrorEntry
	// Reopen is a delivery that is to be handed over again; empty for a change.
	Reopen string
}

// Decision is what one candidate notification did with an event.
type Decision struct {
	NotificationID string        `json:"notification_id"`
	Version        int64         `json:"version"`
	Outcome        rule.Decision `json:"outcome"`
	Detail         string        `json:"detail,omitempty"`
	// Deliveries counts the messages; zero unless it sends.
	Deliveries int `json:"deliveries"`
}

// NewDelivery is one message to one address.
type NewDelivery struct {
	NotificationID      string
	NotificationVersion int64
	Channel             rule.Channel
	Address             string
	Subject, Text, HTML string
	Locale              string
	Details             rule.Details
	// Retry is the notification's own profile; its zero fields are the settings'.
	Retry    RetryProfile
	Priority int
	// ValidUntil is when the message is no longer of use; nil: never.
	ValidUntil *time.Time
}

// ErrorEntry is a row for the error log that does not belong to a delivery.
type ErrorEntry struct {
	Code           rule.ErrCode
	Message        string
	NotificationID string
	// Key tells several entries of one event and notification apart.
	Key string
}

// Planned is a delivery that is to be sent. IDs only: it travels through Temporal.
type Planned struct {
	ID             string       `json:"id"`
	EventID        string       `json:"event_id"`
	NotificationID string       `json:"notification_id"`
	Channel        rule.Channel `json:"channel"`
	// RetryEventID is the event by which a person had it opened again; empty for the first time.
	RetryEventID string `json:"retry_event_id,omitempty"`
	// Retry is the notification's own profile; its zero fields are the plan's.
	Retry RetryProfile `json:"retry,omitzero"`
	// Priority is 1 (first) to 5 (last); zero means Temporal's default, 3.
	Priority int `json:"priority,omitempty"`
}

// Claim is an attempt that has begun.
type Claim struct {
	// Attempt is its number, from 1; zero when there is nothing to do, because the delivery has ended.
	Attempt int
	// Taken is whether the provider has the message of a delivery that has ended.
	Taken bool
	// Suppressed: the delivery ended without a message, because it was no longer of use.
	Suppressed bool
	Message    Message
	// DoubtfulSince is set when an earlier attempt may have reached the provider: when it began.
	DoubtfulSince *time.Time
}

// Message is what a Sender hands over.
type Message struct {
	DeliveryID          string
	Channel             rule.Channel
	To                  string
	Subject, Text, HTML string
	Details             rule.Details
}

// Attempt is how a try ended.
type Attempt struct {
	DeliveryID string
	Number     int
	// Outcome is Accepted or a Class.
	Outcome    string
	Code       string
	Detail     string
	ProviderID string
	StartedAt  time.Time
	FinishedAt time.Time
}

// Accepted is the outcome of an attempt that the provider took.
const Accepted = "sent"

// Sender hands a message to a provider. Every error is a Refusal; one that is not counts as temporary.
type Sender interface {
	// Send gives the provider's name for the message, and its answer, which may hold personal data.
	Send(ctx context.Context, m Message) (providerID, detail string, err error)
	// Find asks the provider for messages that may be this one, oldest first; none when it has none or cannot be asked.
	Find(ctx context.Context, m Message, since time.Time) (providerIDs []string, err error)
}

// Refusal is a hand-over that did not succeed.
type Refusal interface {
	error
	// Refusal gives the class, a machine code, the wait that the provider asked for (zero when it did not), and the
	// provider's own words, which may hold personal data.
	Refusal() (class Class, code string, retryAfter time.Duration, detail string)
}

// Class says what a refusal means for another try.
type Class string

// The classes.
const (
	Temporary Class = "temporary"
	Permanent Class = "permanent"
	Unknown   Class = "unknown"
)
