package tour

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/silquetech/silque-notifications/dev/apiclient"
)

// tag is what someone writes who hopes that a page takes it for its own; hostile is more of it, with a template.
const (
	tag     = `<script>alert(1)</script>"'><img src=x onerror=alert(1)>`
	hostile = tag + `{{ 7*7 }}`
)

// long is a word that no line can hold.
var long = strings.Repeat("Donaudampfschifffahrt", 10)

// fill makes something of each kind happen, and notes where the console shows it.
func (h *house) fill(ctx context.Context) error {
	h.paths = map[string][]string{}
	for _, part := range []func(context.Context) error{
		h.fillNotifications, h.fillEvents, h.fillDeliveries, h.fillSuppressions, h.fillErrors, h.fillPeople,
	} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

// add posts, and gives the ID of what came of it.
func (h *house) add(ctx context.Context, path string, body map[string]any) (string, error) {
	var made struct{ ID string }
	err := h.Call(ctx, http.MethodPost, "/api/v1"+path, body, &made)
	return made.ID, err
}

func (h *house) fillNotifications(ctx context.Context) error {
	var IDs []string
	for _, n := range []map[string]any{
		{
			"title": "<b>" + tag + "</b> {{ doc.name }}", "message": tag + "\n{{ doc.name }}", "html_message": "<p title=x>{{ doc.name }}</p>",
			"channel": "email", "model": "customers", "trigger": "update", "conditions": "doc.name != \"<script>\"\nold_doc.email != doc.email",
			"recipients": []map[string]any{{"document_field": "doc.email"}, {"address": "boss@example.com"}},
		},
		{
			"title": "Later {{ doc.name }}", "message": long + " {{ doc.name }}", "channel": "sms", "model": "customers", "trigger": "new", "conditions": `doc.name == "Later"`,
			"recipients": []map[string]any{{"document_field": "doc.phone"}}, "retry_interval": 3600,
		},
		{
			"title": long, "message": "*Order* {{ doc.number }}", "channel": "whatsapp", "model": "orders", "trigger": "new", "active": false,
			"recipients": []map[string]any{{"address": "+12025550177"}},
		},
	} {
		id, err := h.add(ctx, "/notifications", n)
		if err != nil {
			return err
		}
		IDs = append(IDs, id)
	}
	if err := h.Call(ctx, http.MethodPost, "/api/v1/notifications/deactivate", map[string]any{"ids": IDs[2:]}, nil); err != nil {
		return err
	}
	for _, id := range IDs {
		h.put("/notifications/:id", "/notifications/"+id)
		h.put("/notifications/:id/history", "/notifications/"+id+"/history")
	}
	list, err := h.add(ctx, "/lists", map[string]any{"name": hostile, "entries": []map[string]any{{"name": tag, "email": "a@example.com", "number": "+12025550111"}}})
	if err != nil {
		return err
	}
	h.put("/lists/:id", "/lists/"+list)
	return nil
}

// put notes a path of a route.
func (h *house) put(route, path string) { h.paths[route] = append(h.paths[route], path) }

// fillEvents changes rows: a create, an update that a rule tells, one that a condition stops, a delete, a failure of each
// kind, and at last one that waits an hour for its next attempt.
func (h *house) fillEvents(ctx context.Context) error {
	key, err := h.Save(ctx, "customers", map[string]any{"name": tag, "email": "mallory@example.com", "phone": "+12025550101"})
	if err != nil {
		return err
	}
	if err := h.settle(ctx, key); err != nil {
		return err
	}
	for _, change := range []map[string]any{{"email": "mallory2@example.com"}, {"name": long}} {
		if err := h.Call(ctx, http.MethodPatch, "/demo/api/customers/"+key, change, nil); err != nil {
			return err
		}
		if err := h.settle(ctx, key); err != nil {
			return err
		}
	}
	gone, err := h.Save(ctx, "orders", map[string]any{"number": "<b>SO</b>", "status": tag, "amount": 12.5})
	if err != nil {
		return err
	}
	if err := h.Call(ctx, http.MethodDelete, "/demo/api/orders/"+gone, nil, nil); err != nil {
		return err
	}
	for i, fault := range []struct {
		channel, mode string
		count         int
		row           map[string]any
	}{
		{"email", "permanent", 1, map[string]any{"name": "Refused", "email": "refused@example.com"}},
		{"email", "temporary", 3, map[string]any{"name": "Unlucky", "email": "unlucky@example.com"}},
		{"sms", "ok", 0, map[string]any{"name": "Nobody", "email": ""}},
		{"sms", "temporary", 1, map[string]any{"name": "Later", "email": "later@example.com", "phone": "+12025550102"}},
	} {
		if err := h.SetFault(ctx, fault.channel, fault.mode, fault.count); err != nil {
			return err
		}
		key, err := h.Save(ctx, "customers", fault.row)
		if err != nil {
			return fmt.Errorf("row %d: %w", i, err)
		}
		if fault.row["name"] == "Later" {
			continue // it waits
		}
		if err := h.settle(ctx, key); err != nil {
			return err
		}
	}
	_, err = h.add(ctx, "/events", map[string]any{"model": "customers", "action": "update", "key": tag,
		"doc": map[string]any{"name": hostile, "email": tag[:30], tag: long}, "old_doc": map[string]any{"name": long}})
	return err
}

func (h *house) settle(ctx context.Context, key string) error {
	event, err := h.EventOf(ctx, "customers", key)
	if err == nil {
		_, err = h.Settled(ctx, event.ID)
	}
	return err
}

// fillDeliveries waits until there is one of each kind, and puts hostile words where a provider's answer goes.
func (h *house) fillDeliveries(ctx context.Context) error {
	kinds := map[string]string{}
	err := apiclient.Until(ctx, func() (bool, error) {
		var list apiclient.List[apiclient.Delivery]
		err := h.Call(ctx, http.MethodGet, "/api/v1/deliveries?limit=200", nil, &list)
		for _, d := range list.Items {
			kinds[d.Status+" "+d.Channel] = d.ID
		}
		return kinds["failed email"] != "" && kinds["sent email"] != "" && kinds["pending sms"] != "", err
	})
	if err != nil {
		return fmt.Errorf("deliveries %v: %w", kinds, err)
	}
	for _, id := range kinds {
		h.put("/deliveries/:id", "/deliveries/"+id)
	}
	db := h.stack.Database().WithContext(ctx)
	return errors.Join(
		db.Exec("UPDATE notify_attempts SET detail = ? WHERE code <> ''", hostile+long).Error,
		db.Exec("UPDATE notify_errors SET message = ?, context = ? WHERE code = 'EMAIL_SEND_FAIL'", hostile+long, `{"answer": "<img src=x onerror=alert(1)>"}`).Error,
	)
}

// fillSuppressions keeps messages from addresses, and leaves one delivery in doubt and another suppressed.
func (h *house) fillSuppressions(ctx context.Context) error {
	for _, entry := range []map[string]any{
		{"channel": "email", "address": "mallory@example.com", "detail": hostile},
		{"channel": "whatsapp", "address": "+12025550177", "detail": long[:min(len(long), 400)]},
	} {
		id, err := h.add(ctx, "/suppressions", entry)
		if err != nil {
			return err
		}
		h.put("/suppressions/:id", "/suppressions/"+id)
	}
	db := h.stack.Database().WithContext(ctx)
	for address, changes := range map[string]map[string]any{
		"unlucky@example.com": {"status": "unknown"}, "mallory@example.com": {"status": "suppressed", "error_code": "suppressed_manual"},
	} {
		var ids []string
		if err := db.Table("notify_deliveries").Where("address = ?", address).Limit(1).Pluck("id", &ids).Error; err != nil || len(ids) == 0 {
			return errors.Join(err, fmt.Errorf("%d deliveries to %s", len(ids), address))
		}
		if err := db.Table("notify_deliveries").Where("id = ?", ids[0]).UpdateColumns(changes).Error; err != nil {
			return err
		}
		h.put("/deliveries/:id", "/deliveries/"+ids[0])
	}
	return nil
}

func (h *house) fillErrors(ctx context.Context) error {
	var found apiclient.List[apiclient.ErrorEntry]
	if err := h.Call(ctx, http.MethodGet, "/api/v1/errors?limit=100", nil, &found); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, e := range found.Items {
		if !seen[e.Code] {
			seen[e.Code] = true
			h.put("/errors/:id", "/errors/"+e.ID)
		}
	}
	var events apiclient.List[apiclient.Event]
	if err := h.Call(ctx, http.MethodGet, "/api/v1/events?limit=200", nil, &events); err != nil {
		return err
	}
	for _, e := range events.Items {
		kind, _, _ := strings.Cut(e.Reason, ":")
		if kind = e.Action + e.Status + kind; !seen[kind] {
			seen[kind] = true
			h.put("/events/:id", "/events/"+e.ID)
		}
	}
	var messages apiclient.List[apiclient.Message]
	if err := h.Call(ctx, http.MethodGet, "/sandbox/api/messages?limit=100", nil, &messages); err != nil {
		return err
	}
	for _, m := range messages.Items {
		if kind := fmt.Sprint(m.Channel, m.HTML != ""); !seen[kind] {
			seen[kind] = true
			h.put("/sandbox/messages/:id", "/sandbox/messages/"+m.ID)
		}
	}
	return nil
}

// fillPeople adds a user and a token whose names are hostile.
func (h *house) fillPeople(ctx context.Context) error {
	const id = "0190a000-0000-7000-8000-00000000000a"
	h.put("/users/:id", "/users/"+id)
	h.put("/tokens/:id", "/tokens/"+id)
	db, now := h.stack.Database().WithContext(ctx), time.Now().UTC()
	return errors.Join(
		db.Exec(`INSERT INTO notify_users (id, email, name, role, active, password_hash, identity, stamp, created_at, updated_at)
			VALUES (?, 'mallory@example.com', ?, 'viewer', TRUE, '', '', 1, ?, ?)`, id, tag, now, now).Error,
		db.Exec(`INSERT INTO notify_api_tokens (id, name, scopes, hash, prefix, created_by, created_at) VALUES (?, ?, 'read', 'x', 'x', ?, ?)`, id, tag, tag, now).Error,
	)
}
