package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/wording"
)

// DeliveryStatus is how far a delivery has come.
type DeliveryStatus string

// The statuses of a delivery.
const (
	DeliveryPending    DeliveryStatus = "pending"    // waits for its first attempt, or for the next
	DeliverySending    DeliveryStatus = "sending"    // an attempt is under way
	DeliverySent       DeliveryStatus = "sent"       // the provider has taken it
	DeliveryDelivered  DeliveryStatus = "delivered"  // the provider says that it arrived
	DeliveryFailed     DeliveryStatus = "failed"     // refused for good, or the attempts are used up
	DeliveryUnknown    DeliveryStatus = "unknown"    // the provider may have taken it: its last answer was lost
	DeliverySuppressed DeliveryStatus = "suppressed" // it is no longer of use, or the address does not want it
)

// Retryable are the statuses of deliveries that a person may want handed over again.
var Retryable = []DeliveryStatus{DeliveryFailed, DeliveryUnknown}

// RetryableSQL is the condition under which a person may have a delivery handed over again; it takes Retryable. Besides
// those that failed it is the ones that were suppressed by a suppression which may have been lifted since.
const RetryableSQL = "(status IN ? OR status = 'suppressed' AND error_code LIKE 'suppressed#_%' ESCAPE '#')"

// Delivery is one message to one address on one channel, because of one event and one notification.
type Delivery struct {
	ID                  string `gorm:"primaryKey"`
	EventID             string
	NotificationID      string
	NotificationVersion int64
	Channel             rule.Channel
	Address             string
	Subject             string
	BodyText            string
	BodyHTML            string
	// Details holds a rule.Details; nil when there is nothing in it.
	Details outbox.Snapshot
	Locale  string
	// RetryAttempts, RetryInterval and Priority are the notification's own; zero means the settings'.
	RetryAttempts int
	RetryInterval time.Duration
	Priority      int
	// ValidUntil is when it is no longer of use to send it; nil means never.
	ValidUntil *time.Time
	Status     DeliveryStatus
	// Attempts counts the tries to hand it over, those by hand included.
	Attempts   int
	ProviderID string
	// ErrorCode is that of the last attempt; empty after a success.
	ErrorCode  string
	WorkflowID string
	// RetryEventID is the event by which a person asked for another try; empty otherwise.
	RetryEventID string
	// DoubtEnded is how many attempts there were when a person had a failed delivery opened again, or wanted one in doubt sent
	// once more: whatever became of their messages is known or has been put up with, so none of them is in doubt any more.
	DoubtEnded int
	CreatedAt  time.Time
	UpdatedAt  time.Time
	// ClaimedAt is when the last attempt began.
	ClaimedAt *time.Time
	SentAt    *time.Time
	// DeliveredAt is when the provider said that it arrived; nil as long as it has not.
	DeliveredAt *time.Time
}

// TableName is fixed by the migrations.
func (Delivery) TableName() string { return "notify_deliveries" }

// Done says whether the delivery has ended, well or badly.
func (d *Delivery) Done() bool { return d.Status != DeliveryPending && d.Status != DeliverySending }

// Taken says whether the provider has the message: it is never handed over again.
func (d *Delivery) Taken() bool { return d.Status == DeliverySent || d.Status == DeliveryDelivered }

// Retryable says whether a person may have it handed over again; see RetryableSQL.
func (d *Delivery) Retryable() bool {
	return slices.Contains(Retryable, d.Status) || d.Status == DeliverySuppressed && IsSuppressedCode(d.ErrorCode)
}

// Lost gives the first attempt that may have reached the provider; nil when none may. Doubt about attempts of before a
// person had the delivery opened again has ended.
func (d *Delivery) Lost(tries []Attempt) *Attempt {
	for i := range tries {
		if tries[i].Outcome == string(DeliveryUnknown) && tries[i].Number > d.DoubtEnded {
			return &tries[i]
		}
	}
	return nil
}

// Attempt is one try to hand a delivery to a provider.
type Attempt struct {
	DeliveryID string `gorm:"primaryKey" json:"-"`
	Number     int    `gorm:"primaryKey;autoIncrement:false" json:"number"`
	// Outcome is "sent" or the class of the refusal: temporary, permanent, unknown.
	Outcome string `json:"outcome"`
	Code    string `json:"code"`
	// Detail is the provider's answer in its own words; it may hold an address.
	Detail string `json:"detail"`
	// ProviderID is the provider's name for the message; empty when it gave none.
	ProviderID string    `json:"provider_id"`
	StartedAt  time.Time `json:"started_at"`
	FinishedAt time.Time `json:"finished_at"`
}

// TableName is fixed by the migrations.
func (Attempt) TableName() string { return "notify_attempts" }

// OfAnother says whether another delivery has had a provider's message, now or before it was handed over again.
func OfAnother(db *gorm.DB, providerID, deliveryID string) (bool, error) {
	for _, where := range []struct {
		model     any
		condition string
	}{
		{&Delivery{}, "provider_id = ? AND provider_id <> '' AND id <> ?"},
		{&Attempt{}, "provider_id = ? AND provider_id <> '' AND provider_id NOT LIKE '%@%' AND delivery_id <> ?"},
	} {
		var others int64
		if err := db.Model(where.model).Where(where.condition, providerID, deliveryID).Limit(1).Count(&others).Error; err != nil {
			return false, fmt.Errorf("store: look for a provider's message: %w", err)
		}
		if others > 0 {
			return true, nil
		}
	}
	return false, nil
}

// Deliveries keeps the messages and what became of them.
type Deliveries struct{ DB *gorm.DB }

// DeliveryFilter narrows a list; empty fields do not.
type DeliveryFilter struct {
	EventID, NotificationID, Channel, Address, Status, ProviderID, ErrorCode, WorkflowID string
	// ID is one delivery's. Text is a part of the address or the subject, whatever its case.
	ID, Text string
	// Span is when they were made.
	Span Span
}

// Get reads one delivery, or gives ErrNotFound.
func (s Deliveries) Get(ctx context.Context, id string) (*Delivery, error) {
	d := new(Delivery)
	if err := session(s.DB).WithContext(ctx).Take(d, "id = ?", id).Error; err != nil {
		return nil, found(err)
	}
	return d, nil
}

// HoldTx reads one delivery without its texts, or gives ErrNotFound. On Postgres it is held until the caller's transaction
// ends, so that attempts, reports and people come one after the other; SQLite's transactions do so anyway.
func (Deliveries) HoldTx(tx *gorm.DB, id string) (*Delivery, error) {
	query := session(tx).Omit("body_text", "body_html", "details")
	if tx.Name() == "postgres" {
		query = query.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate})
	}
	d := new(Delivery)
	if err := query.Take(d, "id = ?", id).Error; err != nil {
		return nil, found(err)
	}
	return d, nil
}

// Attempts reads the tries of one delivery, in their order.
func (s Deliveries) Attempts(ctx context.Context, id string) ([]Attempt, error) {
	attempts := []Attempt{}
	err := session(s.DB).WithContext(ctx).Where("delivery_id = ?", id).Order("number").Find(&attempts).Error
	if err != nil {
		return nil, fmt.Errorf("store: attempts of delivery %s: %w", id, err)
	}
	return attempts, nil
}

// List reads a page, newest first. The bodies are left out.
func (s Deliveries) List(ctx context.Context, f DeliveryFilter, p Paging) (Page[*Delivery], error) {
	query := f.apply(session(s.DB).WithContext(ctx)).Omit("body_text", "body_html", "details")
	page, err := newestFirst(query, p, func(d *Delivery) string { return d.ID })
	if err != nil {
		return page, fmt.Errorf("store: list deliveries: %w", err)
	}
	return page, nil
}

// IDs reads up to limit IDs that match, oldest first, after the given one: for retrying by filter, page by page.
func (s Deliveries) IDs(ctx context.Context, f DeliveryFilter, after string, limit int) (ids []string, err error) {
	err = f.apply(session(s.DB).WithContext(ctx)).Model(&Delivery{}).Where("id > ?", after).
		Order("id").Limit(limit).Pluck("id", &ids).Error
	if err != nil {
		return nil, fmt.Errorf("store: deliveries of a filter: %w", err)
	}
	return ids, nil
}

// Search reads a page of what a filter of any kind leaves, newest first, without the bodies; see Found.
func (s Deliveries) Search(ctx context.Context, f DeliveryFilter, p Paging) (Found[*Delivery], error) {
	in := searched{table: Delivery{}.TableName(), model: &Delivery{}, omit: []string{"body_text", "body_html", "details"}}
	found, err := searchNewest(ctx, s.DB, in, f.conditions(), f.Span, p, func(d *Delivery) string { return d.ID })
	if err != nil {
		return found, fmt.Errorf("store: search deliveries: %w", err)
	}
	return found, nil
}

// conditions lists what is asked for but the span. The order counts where two conditions fit as many rows.
func (f DeliveryFilter) conditions() (c conditions) {
	c.few("id", f.ID, "")
	c.few("event_id", f.EventID, "")
	c.few("provider_id", f.ProviderID, " AND provider_id <> ''")
	c.many("address", f.Address, "")
	c.many("workflow_id", f.WorkflowID, "")
	c.many("error_code", f.ErrorCode, " AND error_code <> ''")
	c.many("notification_id", f.NotificationID, "")
	c.many("status", f.Status, "")
	c.many("channel", f.Channel, "")
	c.contains(f.Text, "address", "subject")
	return c
}

// further lists what a search can ask for and the API cannot, but the span.
func (f DeliveryFilter) further() (c conditions) {
	c.few("id", f.ID, "")
	c.contains(f.Text, "address", "subject")
	return c
}

// Known looks for what has exactly a text, where an index serves, and gives the filter that leads to it: a delivery's
// ID, an event's, a notification's, one of the forms of an address, the provider's ID, a workflow's. ok is false when
// nothing has it.
func (s Deliveries) Known(ctx context.Context, text string, addresses ...string) (f DeliveryFilter, ok bool, err error) {
	candidates := []DeliveryFilter{{ID: text}, {EventID: text}, {NotificationID: text}, {ProviderID: text}, {WorkflowID: text}, {Address: text}}
	for _, address := range addresses {
		candidates = append(candidates, DeliveryFilter{Address: address})
	}
	for _, candidate := range candidates {
		var ids []string
		err := candidate.apply(session(s.DB).WithContext(ctx)).Model(&Delivery{}).Limit(1).Pluck("id", &ids).Error
		if err != nil {
			return f, false, fmt.Errorf("store: look a delivery up: %w", err)
		}
		if len(ids) > 0 {
			return candidate, true, nil
		}
	}
	return f, false, nil
}

// OfEvents reads the deliveries of events, oldest first, without their bodies.
func (s Deliveries) OfEvents(ctx context.Context, eventIDs []string) (deliveries []*Delivery, err error) {
	err = session(s.DB).WithContext(ctx).Omit("body_text", "body_html").
		Where("event_id IN ?", eventIDs).Order("id").Find(&deliveries).Error
	if err != nil {
		return nil, fmt.Errorf("store: deliveries of events: %w", err)
	}
	return deliveries, nil
}

// InsertTx stores deliveries in the caller's transaction, and gives how many were not there. One that is there already (the
// same event, notification, channel and address) stays as it is.
func (s Deliveries) InsertTx(tx *gorm.DB, deliveries []*Delivery) (inserted int, err error) {
	if len(deliveries) == 0 {
		return 0, nil
	}
	result := session(tx).Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(deliveries, 200)
	if result.Error != nil {
		return 0, fmt.Errorf("store: insert %d deliveries: %w", len(deliveries), result.Error)
	}
	return int(result.RowsAffected), nil
}

// FailTx ends a delivery that was not taken. One that was is left alone.
func (s Deliveries) FailTx(tx *gorm.DB, id string, status DeliveryStatus, code string, now time.Time) error {
	err := session(tx).Model(&Delivery{}).
		Where("id = ? AND status IN ?", id, []DeliveryStatus{DeliveryPending, DeliverySending}).
		Updates(map[string]any{"status": status, "error_code": wording.Kept(code, nameLimit), "updated_at": now}).Error
	if err != nil {
		return fmt.Errorf("store: fail delivery %s: %w", id, err)
	}
	return nil
}

// apply adds the filter's conditions, and those of the partial indexes that serve them: a database cannot know what a
// parameter implies.
func (f DeliveryFilter) apply(query *gorm.DB) *gorm.DB {
	query = equal(query, map[string]string{
		"event_id": f.EventID, "notification_id": f.NotificationID, "channel": f.Channel, "address": f.Address,
		"status": f.Status, "provider_id": f.ProviderID, "error_code": f.ErrorCode, "workflow_id": f.WorkflowID,
	})
	if f.ProviderID != "" {
		query = query.Where("provider_id <> ''")
	}
	if f.ErrorCode != "" {
		query = query.Where("error_code <> ''")
	}
	for _, c := range f.further() {
		query = query.Where(c.sql, c.arguments...)
	}
	return searched{}.window(query, nil, f.Span, "")
}

// escapeLike takes the meaning from LIKE's own characters.
func escapeLike(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}
