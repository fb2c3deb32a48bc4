// Package apiclient talks to a running development stack as its users do: over HTTP. The recorder of histories and the
// end-to-end tests share it.
package apiclient

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Client calls the JSON APIs of one stack.
type Client struct {
	// URL is the web app's address, without a slash at the end.
	URL string
	// Token is the REST API's.
	Token string
}

// Refused is an answer with a status of 400 or more.
type Refused struct {
	Call   string
	Status int
	Body   string
}

// Error shows the call and the answer.
func (r *Refused) Error() string { return fmt.Sprintf("%s: status %d: %s", r.Call, r.Status, r.Body) }

// Call makes one request with body as JSON (nil: none) and reads the answer's JSON into answer (nil: not read).
func (c Client) Call(ctx context.Context, method, path string, body, answer any) error {
	var content io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.URL+path, content)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+c.Token)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= http.StatusBadRequest {
		return &Refused{Call: method + " " + path, Status: response.StatusCode, Body: string(text)}
	}
	if answer == nil || len(text) == 0 {
		return nil
	}
	return json.Unmarshal(text, answer)
}

// look is how often Until asks.
const look = 50 * time.Millisecond

// Until asks again and again until done says so, ctx ends or an error comes.
func Until(ctx context.Context, done func() (bool, error)) error {
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(look):
		}
	}
}

// Event is an event as the REST API shows it.
type Event struct {
	ID, Model, Key, Action, Status, Reason string
	WorkflowID                             string `json:"workflow_id"`
}

// Delivery is a delivery as the REST API shows it.
type Delivery struct {
	ID, Channel, Address, Status string
	Attempts                     int
	EventID                      string `json:"event_id"`
	ErrorCode                    string `json:"error_code"`
	ProviderID                   string `json:"provider_id"`
	WorkflowID                   string `json:"workflow_id"`
}

// ErrorEntry is a row of the error log as the REST API shows it.
type ErrorEntry struct {
	ID, Code, Message string
	EventID           string `json:"event_id"`
	DeliveryID        string `json:"delivery_id"`
}

// Message is what the sandbox took.
type Message struct {
	ID, Channel, From, To, Subject, Text, HTML string
	// Headers are an email's, as they were spelled.
	Headers map[string]string
}

// List is an answer with items.
type List[T any] struct{ Items []T }

// SetFault makes the next count hand-overs of a channel meet a fault.
func (c Client) SetFault(ctx context.Context, channel, mode string, count int) error {
	fault := map[string]any{"channel": channel, "mode": mode, "count": count}
	return c.Call(ctx, http.MethodPut, "/sandbox/api/faults", fault, nil)
}

// Save adds a row in the demo shop, and gives its ID.
func (c Client) Save(ctx context.Context, model string, row map[string]any) (id string, err error) {
	var saved struct{ ID json.Number }
	err = c.Call(ctx, http.MethodPost, "/demo/api/"+model, row, &saved)
	return saved.ID.String(), err
}

// EventOf waits for the newest event of a row that a workflow has taken.
func (c Client) EventOf(ctx context.Context, model, key string) (event Event, err error) {
	err = Until(ctx, func() (bool, error) {
		var events List[Event]
		if err := c.Call(ctx, http.MethodGet, "/api/v1/events?model="+model+"&key="+key, nil, &events); err != nil {
			return false, err
		}
		if len(events.Items) == 0 || events.Items[0].WorkflowID == "" {
			return false, nil
		}
		event = events.Items[0]
		return true, nil
	})
	return event, err
}

// Settled waits until an event is settled.
func (c Client) Settled(ctx context.Context, eventID string) (event Event, err error) {
	err = Until(ctx, func() (bool, error) {
		err := c.Call(ctx, http.MethodGet, "/api/v1/events/"+eventID, nil, &event)
		return event.Status == "settled", err
	})
	return event, err
}

// Deliveries gives those of an event.
func (c Client) Deliveries(ctx context.Context, eventID string) ([]Delivery, error) {
	var deliveries List[Delivery]
	err := c.Call(ctx, http.MethodGet, "/api/v1/deliveries?event_id="+eventID, nil, &deliveries)
	return deliveries.Items, err
}

// Inbox gives what the sandbox took for an address.
func (c Client) Inbox(ctx context.Context, to string) ([]Message, error) {
	var messages List[Message]
	err := c.Call(ctx, http.MethodGet, "/sandbox/api/messages?to="+to, nil, &messages)
	return messages.Items, err
}

// OnlyNotifications replaces every notification by the given ones.
func (c Client) OnlyNotifications(ctx context.Context, notifications ...map[string]any) error {
	var known List[struct{ ID string }]
	if err := c.Call(ctx, http.MethodGet, "/api/v1/notifications?limit=500", nil, &known); err != nil {
		return err
	}
	for _, n := range known.Items {
		if err := c.Call(ctx, http.MethodDelete, "/api/v1/notifications/"+n.ID, nil, nil); err != nil {
			return err
		}
	}
	for _, n := range notifications {
		if err := c.Call(ctx, http.MethodPost, "/api/v1/notifications", n, nil); err != nil {
			return err
		}
	}
	return nil
}
