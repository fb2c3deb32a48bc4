// Package retry has deliveries handed over again because a person asked: one, some, or all that a filter matches. A retry
// enters by the same door as a change: it is an event, which names its delivery.
package retry

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/silquetech/silque-notifications/internal/audit"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// Max bounds the deliveries of one call: they become events in one transaction.
const Max = 1000

// Why a delivery was passed over.
const (
	ReasonNotFound  = "not_found"
	ReasonNotFailed = "delivery_not_failed"
	// ReasonSuppressed: the address is on the suppression list, from which a person can remove it.
	ReasonSuppressed = "address_suppressed"
)

// Skipped is a delivery that was passed over, and why.
type Skipped struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// Result is what became of a call.
type Result struct {
	// EventIDs lists the events of the deliveries that will be handed over again, each once: also those that somebody had
	// asked for before and that are still under way.
	EventIDs []string
	Skipped  []Skipped
}

// By says who asked, and by which door.
type By struct {
	// Actor is who it is in the audit log.
	Actor  string
	Source outbox.Source
}

// Retries asks for hand-overs.
type Retries struct {
	DB *gorm.DB
	// Nudge is called after events have been committed; it may be nil.
	Nudge func()
	// Log hears of steps of bulk retries that failed; it may be nil.
	Log *slog.Logger
}

// Matching gives the deliveries of a filter that can be retried, oldest first, up to limit, those after the ID, and
// whether there are more.
func Matching(ctx context.Context, db *gorm.DB, f store.DeliveryFilter, after string, limit int) (ids []string, more bool, err error) {
	for _, status := range store.Retryable {
		if f.Status != "" && f.Status != string(status) {
			continue
		}
		g := f
		g.Status = string(status)
		some, err := store.Deliveries{DB: db}.IDs(ctx, g, after, limit+1)
		if err != nil {
			return nil, false, err
		}
		ids = append(ids, some...)
	}
	slices.Sort(ids)
	if len(ids) > limit {
		return ids[:limit], true, nil
	}
	return ids, false, nil
}

// Deliveries asks for another hand-over of each delivery that has failed. A delivery whose retry is under way already
// keeps that one's event: asking twice sends once.
func (r Retries) Deliveries(ctx context.Context, ids []string, by By) (result Result, err error) {
	fresh := 0
	err = r.DB.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if result, fresh, err = deliveriesTx(tx, ids, by); err != nil || fresh == 0 {
			return err
		}
		entry := audit.Entry{Actor: by.Actor, Action: "delivery.retried", Detail: fmt.Sprintf("%d deliveries", fresh)}
		if len(ids) == 1 {
			entry.TargetID, entry.Detail = ids[0], ""
		}
		return audit.RecordTx(tx, entry)
	})
	if err != nil {
		return Result{}, fmt.Errorf("retry: %w", err)
	}
	if fresh > 0 && r.Nudge != nil {
		r.Nudge()
	}
	return result, nil
}

// AskTx asks for another hand-over of one delivery in the caller's transaction, without a line in the audit log.
func AskTx(tx *gorm.DB, id string, by By) (Result, error) {
	result, _, err := deliveriesTx(tx, []string{id}, by)
	return result, err
}

// UnderWay gives those of the deliveries whose retry has been asked for and has not come to its end.
func (r Retries) UnderWay(ctx context.Context, ids []string) (map[string]bool, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var keys []string
	err := r.DB.WithContext(ctx).Model(&outbox.Event{}).Where(map[string]any{"model": "", "key": ids, "action": rule.Retry}).
		Where("status <> ?", outbox.Settled).Pluck("key", &keys).Error
	if err != nil {
		return nil, fmt.Errorf("retry: which are under way: %w", err)
	}
	underWay := make(map[string]bool, len(keys))
	for _, id := range keys {
		underWay[id] = true
	}
	return underWay, nil
}

// deliveriesTx does so in a transaction, and gives the number of new events.
func deliveriesTx(tx *gorm.DB, ids []string, by By) (result Result, fresh int, err error) {
	states, err := lockStates(tx, ids)
	if err != nil {
		return result, 0, err
	}
	underWay, err := openRetries(tx, ids)
	if err != nil {
		return result, 0, err
	}
	revision, err := store.Notifications{DB: tx}.Revision(tx.Statement.Context)
	if err != nil {
		return result, 0, err
	}
	result, events, err := sorted(ids, states, underWay, revision, by.Source)
	if err != nil {
		return result, 0, err
	}
	return result, len(events), outbox.Append(tx, events...)
}

// sorted parts the deliveries into accepted and skipped, and gives the events of those that have none under way.
func sorted(
	ids []string, states map[string]state, underWay map[string]string, revision int64, source outbox.Source,
) (Result, []*outbox.Event, error) {
	result := Result{EventIDs: []string{}, Skipped: []Skipped{}}
	var events []*outbox.Event
	listed := make(map[string]bool, len(ids))
	for _, id := range ids {
		if reason := states[id].refusal(); reason != "" {
			result.Skipped = append(result.Skipped, Skipped{id, reason})
			continue
		}
		if underWay[id] == "" {
			e, err := event(id, revision, source)
			if err != nil {
				return Result{}, nil, err
			}
			events, underWay[id] = append(events, e), e.ID
		}
		if !listed[underWay[id]] {
			listed[underWay[id]], result.EventIDs = true, append(result.EventIDs, underWay[id])
		}
	}
	return result, events, nil
}

func event(deliveryID string, revision int64, source outbox.Source) (*outbox.Event, error) {
	doc, err := json.Marshal(map[string]string{"delivery_id": deliveryID})
	if err != nil {
		return nil, err
	}
	return &outbox.Event{
		ID: outbox.NewID(), Action: rule.Retry, Key: deliveryID, Doc: doc, Revision: revision, Source: source,
	}, nil
}

// state is what a delivery is like before a retry.
type state struct {
	status store.DeliveryStatus
	code   string
	// suppressed: its address is on the suppression list now.
	suppressed bool
}

// refusal says why the delivery cannot be handed over again; empty when it can.
func (s state) refusal() string {
	failed := slices.Contains(store.Retryable, s.status)
	unwanted := s.status == store.DeliverySuppressed && store.IsSuppressedCode(s.code)
	switch {
	case s.status == "":
		return ReasonNotFound
	case !failed && !unwanted:
		return ReasonNotFailed
	case s.suppressed:
		return ReasonSuppressed
	default:
		return ""
	}
}

// lockStates reads what the deliveries are like and, on Postgres, holds the rows until the transaction ends, so that two
// people who ask at the same moment ask one after the other. SQLite's transactions do so anyway.
func lockStates(tx *gorm.DB, ids []string) (map[string]state, error) {
	query := tx.Model(&store.Delivery{}).Select("id", "status", "error_code", "channel", "address", "notification_id").Where("id IN ?", ids).Order("id")
	if tx.Name() == "postgres" {
		query = query.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate})
	}
	var rows []*store.Delivery
	if err := query.Find(&rows).Error; err != nil {
		return nil, err
	}
	suppressed, err := store.Deliveries{DB: tx}.SuppressedNow(tx.Statement.Context, rows)
	if err != nil {
		return nil, err
	}
	states := make(map[string]state, len(rows))
	for _, row := range rows {
		states[row.ID] = state{row.Status, row.ErrorCode, suppressed[row.ID] != nil}
	}
	return states, nil
}

// openRetries gives, by delivery, the retry events that no workflow has resolved yet. One that is resolved has had its try:
// if the delivery failed again, the next request is a new one.
func openRetries(tx *gorm.DB, deliveryIDs []string) (map[string]string, error) {
	var events []outbox.Event
	err := tx.Select("id", "key").Where(map[string]any{"model": "", "key": deliveryIDs, "action": rule.Retry}).
		Where("status <> ? AND resolved_at IS NULL", outbox.Settled).Find(&events).Error
	if err != nil {
		return nil, err
	}
	slices.SortFunc(events, func(x, y outbox.Event) int { return cmp.Compare(y.ID, x.ID) })
	open := make(map[string]string, len(events))
	for _, e := range events {
		open[e.Key] = e.ID // the oldest comes last and stays
	}
	return open, nil
}
