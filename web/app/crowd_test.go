package app

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// planted marks what the lists hold.
const planted = "planted"

// crowd is an estate with one of everything, and a table that no request may touch.
type crowd struct {
	*estate
	db *gorm.DB
	// model is the name of the one table that is registered; ids are of one of everything, by the first part of its path.
	model string
	ids   map[string]string
}

// newCrowd fills an estate: every text of it is the given one, and its model has that name.
func newCrowd(t *testing.T, db *gorm.DB, text, model string) *crowd {
	t.Helper()
	c := &crowd{estate: newEstate(t, db), db: db, model: model}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, now := t.Context(), time.Now().UTC().Truncate(time.Millisecond)
	for _, statement := range []string{
		"CREATE TABLE witness (id BIGINT PRIMARY KEY, secret TEXT)", "INSERT INTO witness VALUES (1, 'the secret')",
		fmt.Sprintf(`CREATE TABLE "%s" (id BIGINT PRIMARY KEY, status TEXT, customer_id BIGINT)`, model),
	} {
		must(db.Exec(statement).Error)
	}
	must(db.Exec(fmt.Sprintf(`INSERT INTO "%s" VALUES (7, ?, 7)`, model), text).Error)
	must(catalog.Save(ctx, db, &rule.Model{Name: model, Label: text, PrimaryKey: []string{"id"}, Fields: []rule.Field{
		{Name: "id", Label: text, Type: rule.Integer}, {Name: "status", Label: text, Type: rule.String}, {Name: "customer_id", Label: text, Type: rule.Integer}},
		Relations: []rule.Relation{{Name: "twin", Label: text, Kind: rule.BelongsTo, Model: model, Field: "customer_id", RemoteField: "id"}}}))
	n := &rule.Notification{Title: text, Message: text, HTMLMessage: text, Channel: rule.Email, Model: model, Trigger: rule.OnUpdate, Active: true,
		Conditions: "doc.status == " + fmt.Sprintf("%q", text), Recipients: []rule.Recipient{{Address: "planted@example.com"}, {DocumentField: text}}}
	must(store.Notifications{DB: db}.Create(ctx, n, text))
	list := &store.List{Name: text, Entries: []rule.ListEntry{{Email: "planted@example.com", Locale: "en"}}}
	must(store.Lists{DB: db}.Create(ctx, list, text))
	doc, err := json.Marshal(map[string]any{"id": 7, "status": text, text: text})
	must(err)
	event := &outbox.Event{ID: outbox.NewID(), Model: model, Key: text, Action: rule.Update, Source: outbox.FromPlugin, WorkflowID: text, Reason: text,
		Doc: doc, OldDoc: doc, Status: outbox.Settled, SettledAt: &now, CreatedAt: now}
	must(db.Create(event).Error)
	delivery := &store.Delivery{ID: outbox.NewID(), EventID: event.ID, NotificationID: n.ID, NotificationVersion: 1, Channel: rule.Email, Address: text, Locale: text, ProviderID: text,
		Subject: text, BodyText: text, BodyHTML: text, Status: store.DeliveryFailed, ErrorCode: text, WorkflowID: text, CreatedAt: now, UpdatedAt: now}
	_, err = store.Deliveries{}.InsertTx(db, []*store.Delivery{delivery})
	must(err)
	failure := &store.ErrorEntry{Code: text, Source: text, Message: text, EventID: event.ID, DeliveryID: delivery.ID, NotificationID: n.ID}
	must(store.Errors{}.RecordTx(db, failure))
	held := &store.Suppression{Channel: rule.Email, Address: "planted@example.net", Reason: store.SuppressedManual, Source: store.SuppressedByConsole, Detail: text, CreatedBy: text}
	_, err = store.Suppressions{DB: db}.AddTx(db, held)
	must(err)
	user, _, err := account.Users{DB: db}.Invite(ctx, "planted@example.com", text, account.Viewer, text)
	must(err)
	token, _, err := account.Tokens{DB: db}.Create(ctx, text[:min(len(text), 60)], account.Scopes, nil, text)
	must(err)
	c.ids = map[string]string{"notifications": n.ID, "lists": list.ID, "events": event.ID, "deliveries": delivery.ID, "errors": failure.ID, "users": user.ID, "tokens": token.ID,
		"suppressions": held.ID}
	return c
}
