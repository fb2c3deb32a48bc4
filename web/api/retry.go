package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// maxRetries bounds the deliveries of one call: they become events in one transaction.
const maxRetries = 1000

// Why a delivery was passed over.
const (
	reasonNotFound  = "not_found"
	reasonNotFailed = "delivery_not_failed"
)

type skipped struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// retried is what became of a bulk retry. More says that the filter matches further deliveries: ask again with Next.
type retried struct {
	Accepted int       `json:"accepted"`
	EventIDs []string  `json:"event_ids"`
	Skipped  []skipped `json:"skipped"`
	More     bool      `json:"more"`
	Next     string    `json:"next"`
}

type retryInput struct {
	IDs    []string     `json:"ids"`
	Filter *retryFilter `json:"filter"`
	Cursor string       `json:"cursor"`
}

type retryFilter struct {
	EventID        string               `json:"event_id"`
	NotificationID string               `json:"notification_id"`
	Channel        rule.Channel         `json:"channel"`
	Address        string               `json:"address"`
	Status         store.DeliveryStatus `json:"status"`
	ProviderID     string               `json:"provider_id"`
	ErrorCode      string               `json:"error_code"`
	WorkflowID     string               `json:"workflow_id"`
}

func (a *API) retryDelivery(c *gin.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	result, err := a.retry(c.Request.Context(), []string{id})
	if err != nil {
		return err
	}
	if len(result.Skipped) > 0 {
		reason := result.Skipped[0].Reason
		if reason == reasonNotFound {
			return store.ErrNotFound
		}
		return &failure{status: http.StatusConflict, code: reason,
			message: "only a delivery that is failed or unknown is handed over again"}
	}
	return answer(c, http.StatusAccepted, gin.H{"event_id": result.EventIDs[0]})
}

func (a *API) retryDeliveries(c *gin.Context) error {
	var in retryInput
	if err := a.readBody(c, &in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	ctx, ids, more := c.Request.Context(), in.IDs, false
	if in.Filter != nil {
		var err error
		if ids, more, err = a.matching(ctx, *in.Filter, in.Cursor); err != nil {
			return err
		}
	}
	result, err := a.retry(ctx, ids)
	if err != nil {
		return err
	}
	if more {
		result.More, result.Next = true, ids[len(ids)-1]
	}
	return answer(c, http.StatusAccepted, result)
}

// check says what is wrong with the input, all at once.
func (in retryInput) check() error {
	if in.Filter == nil {
		if in.Cursor != "" {
			return invalid(map[string]string{"cursor": "goes with a filter"})
		}
		return checkIDs(in.IDs)
	}
	wrong := map[string]string{}
	if len(in.IDs) > 0 {
		wrong["ids"] = "name either ids or a filter"
	}
	if in.Cursor != "" && !isID(in.Cursor) {
		wrong["cursor"] = `must be the "next" of an earlier answer`
	}
	if f := in.Filter; f.Channel != "" && !slices.Contains(rule.Channels, f.Channel) {
		wrong["filter.channel"] = "must be " + alternatives(rule.Channels)
	}
	if f := in.Filter; f.Status != "" && !slices.Contains(store.Retryable, f.Status) {
		wrong["filter.status"] = "must be " + alternatives(store.Retryable)
	}
	for name, id := range map[string]string{
		"filter.event_id": in.Filter.EventID, "filter.notification_id": in.Filter.NotificationID,
	} {
		if id != "" && !isID(id) {
			wrong[name] = "must be an ID"
		}
	}
	if len(wrong) > 0 {
		return invalid(wrong)
	}
	return nil
}

// matching gives the deliveries of a filter that can be retried, oldest first, up to maxRetries, and whether there are more.
func (a *API) matching(ctx context.Context, f retryFilter, after string) (ids []string, more bool, err error) {
	for _, status := range store.Retryable {
		if f.Status != "" && f.Status != status {
			continue
		}
		some, err := a.deliveries.IDs(ctx, store.DeliveryFilter{
			EventID: f.EventID, NotificationID: f.NotificationID, Channel: string(f.Channel), Address: f.Address,
			Status: string(status), ProviderID: f.ProviderID, ErrorCode: f.ErrorCode, WorkflowID: f.WorkflowID,
		}, after, maxRetries+1)
		if err != nil {
			return nil, false, err
		}
		ids = append(ids, some...)
	}
	slices.Sort(ids)
	if len(ids) > maxRetries {
		return ids[:maxRetries], true, nil
	}
	return ids, false, nil
}

// retry asks for another hand-over of each delivery that has failed. A delivery whose retry is under way already keeps
// that one's event: asking twice sends once.
func (a *API) retry(ctx context.Context, ids []string) (result retried, err error) {
	fresh := 0
	err = a.config.DB.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		statuses, err := lockStatuses(tx, ids)
		if err != nil {
			return err
		}
		underWay, err := openRetries(tx, ids)
		if err != nil {
			return err
		}
		revision, err := store.Notifications{DB: tx}.Revision(ctx)
		if err != nil {
			return err
		}
		var events []*outbox.Event
		if result, events, err = retries(ids, statuses, underWay, revision); err != nil {
			return err
		}
		fresh = len(events)
		return outbox.Append(tx, events...)
	})
	if err != nil {
		return retried{}, fmt.Errorf("api: retry deliveries: %w", err)
	}
	if fresh > 0 {
		a.config.Nudge()
	}
	return result, nil
}

// retries sorts the deliveries into accepted and skipped, and gives the events of those that have none under way.
func retries(
	ids []string, statuses map[string]store.DeliveryStatus, underWay map[string]string, revision int64,
) (retried, []*outbox.Event, error) {
	result := retried{EventIDs: []string{}, Skipped: []skipped{}}
	var events []*outbox.Event
	for _, id := range ids {
		status, known := statuses[id]
		switch {
		case !known:
			result.Skipped = append(result.Skipped, skipped{id, reasonNotFound})
			continue
		case !slices.Contains(store.Retryable, status):
			result.Skipped = append(result.Skipped, skipped{id, reasonNotFailed})
			continue
		case underWay[id] == "":
			e, err := retryEvent(id, revision)
			if err != nil {
				return retried{}, nil, err
			}
			events, underWay[id] = append(events, e), e.ID
		}
		if !slices.Contains(result.EventIDs, underWay[id]) {
			result.EventIDs = append(result.EventIDs, underWay[id])
		}
	}
	result.Accepted = len(result.EventIDs)
	return result, events, nil
}

func retryEvent(deliveryID string, revision int64) (*outbox.Event, error) {
	doc, err := json.Marshal(map[string]string{"delivery_id": deliveryID})
	if err != nil {
		return nil, err
	}
	return &outbox.Event{ID: outbox.NewID(), Action: rule.Retry, Key: deliveryID, Doc: doc, Revision: revision,
		Source: outbox.FromAPI}, nil
}

// lockStatuses reads the deliveries' statuses and, on Postgres, holds the rows until the transaction ends, so that two
// people who ask at the same moment ask one after the other. SQLite's transactions do so anyway.
func lockStatuses(tx *gorm.DB, ids []string) (map[string]store.DeliveryStatus, error) {
	query := tx.Model(&store.Delivery{}).Select("id", "status").Where("id IN ?", ids).Order("id")
	if tx.Name() == "postgres" {
		query = query.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate})
	}
	var rows []store.Delivery
	if err := query.Find(&rows).Error; err != nil {
		return nil, err
	}
	statuses := make(map[string]store.DeliveryStatus, len(rows))
	for _, row := range rows {
		statuses[row.ID] = row.Status
	}
	return statuses, nil
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
