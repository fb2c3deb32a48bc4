package api

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

var deliveryStatuses = []store.DeliveryStatus{
	store.DeliveryPending, store.DeliverySending, store.DeliverySent, store.DeliveryDelivered,
	store.DeliveryFailed, store.DeliveryUnknown, store.DeliverySuppressed,
}

// delivery is a delivery as clients see it in a list.
type delivery struct {
	ID                  string               `json:"id"`
	EventID             string               `json:"event_id"`
	NotificationID      string               `json:"notification_id"`
	NotificationVersion int64                `json:"notification_version"`
	Channel             rule.Channel         `json:"channel"`
	Address             string               `json:"address"`
	Status              store.DeliveryStatus `json:"status"`
	Attempts            int                  `json:"attempts"`
	ProviderID          string               `json:"provider_id"`
	ErrorCode           string               `json:"error_code"`
	WorkflowID          string               `json:"workflow_id"`
	RetryEventID        string               `json:"retry_event_id"`
	CreatedAt           time.Time            `json:"created_at"`
	UpdatedAt           time.Time            `json:"updated_at"`
	SentAt              *time.Time           `json:"sent_at"`
}

// deliveryDetail is a delivery with its message and its attempts.
type deliveryDetail struct {
	delivery
	Subject     string    `json:"subject"`
	Text        string    `json:"text"`
	HTML        string    `json:"html"`
	AttemptsLog []attempt `json:"attempts_log"`
	// Locale is the language of its texts; empty for the notification's own.
	Locale string `json:"locale"`
	// ValidUntil is when it is no longer of use; null: never.
	ValidUntil *time.Time `json:"valid_until"`
	// Details are copies, reply-to, WhatsApp template and files; null when there are none.
	Details json.RawMessage `json:"details"`
}

type attempt struct {
	Number     int       `json:"number"`
	Outcome    string    `json:"outcome"`
	Code       string    `json:"code"`
	Detail     string    `json:"detail"`
	StartedAt  time.Time `json:"started_at"`
	FinishedAt time.Time `json:"finished_at"`
}

func deliveryOf(d *store.Delivery) delivery {
	return delivery{
		ID: d.ID, EventID: d.EventID, NotificationID: d.NotificationID, NotificationVersion: d.NotificationVersion,
		Channel: d.Channel, Address: d.Address, Status: d.Status, Attempts: d.Attempts, ProviderID: d.ProviderID,
		ErrorCode: d.ErrorCode, WorkflowID: d.WorkflowID, RetryEventID: d.RetryEventID,
		CreatedAt: d.CreatedAt.UTC(), UpdatedAt: d.UpdatedAt.UTC(), SentAt: utc(d.SentAt),
	}
}

func (a *API) listDeliveries(c *gin.Context) error {
	q := readQuery(c)
	filter := store.DeliveryFilter{
		EventID:        q.id("event_id"),
		NotificationID: q.id("notification_id"),
		Channel:        oneOf(q, "channel", rule.Channels),
		Address:        q.filter("address"),
		Status:         oneOf(q, "status", deliveryStatuses),
		ProviderID:     q.filter("provider_id"),
		ErrorCode:      q.filter("error_code"),
		WorkflowID:     q.filter("workflow_id"),
	}
	paging := q.paging()
	if err := q.err(); err != nil {
		return err
	}
	page, err := a.deliveries.List(c.Request.Context(), filter, paging)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, listOf(page, deliveryOf))
}

func (a *API) getDelivery(c *gin.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	detail, err := a.deliveryDetail(c, id)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, detail)
}

func (a *API) deliveryDetail(c *gin.Context, id string) (*deliveryDetail, error) {
	ctx := c.Request.Context()
	d, err := a.deliveries.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	attempts, err := a.deliveries.Attempts(ctx, id)
	if err != nil {
		return nil, err
	}
	detail := &deliveryDetail{
		delivery: deliveryOf(d), Subject: d.Subject, Text: d.BodyText, HTML: d.BodyHTML,
		AttemptsLog: make([]attempt, len(attempts)),
		Locale:      d.Locale, ValidUntil: utc(d.ValidUntil), Details: json.RawMessage(d.Details),
	}
	for i, t := range attempts {
		detail.AttemptsLog[i] = attempt{Number: t.Number, Outcome: t.Outcome, Code: t.Code, Detail: t.Detail,
			StartedAt: t.StartedAt.UTC(), FinishedAt: t.FinishedAt.UTC()}
	}
	return detail, nil
}
