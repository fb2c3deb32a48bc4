package console

import (
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/store"
)

func (s *Console) exportDeliveries(c *gin.Context) error {
	ctx := c.Request.Context()
	filter, _, err := s.searchDeliveries(ctx, ask(c))
	if err != nil {
		return err
	}
	head := []string{"id", "created_at", "status", "channel", "address", "subject", "attempts", "error_code", "provider_id", "sent_at",
		"updated_at", "notification_id", "notification_version", "event_id", "workflow_id"}
	read := func(p store.Paging) (store.Found[*store.Delivery], error) { return s.deliveries.Search(ctx, filter, p) }
	return export(c, "deliveries", head, read, func(d *store.Delivery, zone *time.Location) []string {
		return []string{d.ID, stamp(d.CreatedAt, zone), string(d.Status), string(d.Channel), d.Address, d.Subject, strconv.Itoa(d.Attempts),
			d.ErrorCode, d.ProviderID, stampOf(d.SentAt, zone), stamp(d.UpdatedAt, zone), d.NotificationID,
			strconv.FormatInt(d.NotificationVersion, 10), d.EventID, d.WorkflowID}
	})
}

func (s *Console) exportEvents(c *gin.Context) error {
	ctx := c.Request.Context()
	filter, _, err := s.searchEvents(ctx, ask(c))
	if err != nil {
		return err
	}
	head := []string{"id", "created_at", "status", "model", "key", "action", "source", "reason", "started_at", "settled_at", "workflow_id"}
	read := func(p store.Paging) (store.Found[*outbox.Event], error) { return s.events.Search(ctx, filter, p) }
	return export(c, "events", head, read, func(e *outbox.Event, zone *time.Location) []string {
		return []string{e.ID, stamp(e.CreatedAt, zone), string(e.Status), e.Model, e.Key, string(e.Action), string(e.Source), e.Reason,
			stampOf(e.StartedAt, zone), stampOf(e.SettledAt, zone), e.WorkflowID}
	})
}

func (s *Console) exportErrors(c *gin.Context) error {
	ctx := c.Request.Context()
	filter, _, err := s.searchErrors(ctx, ask(c))
	if err != nil {
		return err
	}
	head := []string{"id", "created_at", "code", "source", "message", "attempt", "resolved_at", "notification_id", "delivery_id", "event_id", "context"}
	read := func(p store.Paging) (store.Found[*store.ErrorEntry], error) { return s.errors.Search(ctx, filter, p) }
	return export(c, "errors", head, read, func(e *store.ErrorEntry, zone *time.Location) []string {
		return []string{e.ID, stamp(e.CreatedAt, zone), e.Code, e.Source, e.Message, strconv.Itoa(e.Attempt), stampOf(e.ResolvedAt, zone),
			e.NotificationID, e.DeliveryID, e.EventID, string(e.Context)}
	})
}
