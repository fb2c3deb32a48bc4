package workflows_test

import (
	"slices"
	"testing"

	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// What the Django app promised and did not keep; docs/compatibility.md lists every one with its test.

// updated writes an update into the outbox, with the row before and after it.
func (h *house) updated(oldDoc, doc string) string {
	h.t.Helper()
	revision, err := store.Notifications{DB: h.db}.Revision(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	e := &outbox.Event{Model: "orders", Key: "7", Action: rule.Update, OldDoc: outbox.Snapshot(oldDoc), Doc: outbox.Snapshot(doc),
		Revision: revision, Source: outbox.FromAPI}
	if err := outbox.Append(h.db, e); err != nil {
		h.t.Fatal(err)
	}
	return e.ID
}

const (
	orderNew      = `{"id":7,"status":"NEW","email":"ann@example.com"}`
	orderApproved = `{"id":7,"status":"APPROVED","email":"ann@example.com"}`
	orderClosed   = `{"id":7,"status":"CLOSED","email":"ann@example.com"}`
)

func TestTheRowBeforeTheChangeIsWhatOldDocSays(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.notify(func(n *rule.Notification) {
		n.Trigger, n.Conditions, n.Message = rule.OnUpdate, "old_doc.status != doc.status", "from {{ old_doc.status }} to {{ doc.status }}"
	})
	changed, same := h.updated(orderNew, orderApproved), h.updated(orderApproved, orderApproved)
	h.run(changed, same)
	if len(h.sender.taken) != 1 || h.sender.taken[0].Text != "from NEW to APPROVED" {
		t.Errorf("handed over %+v", h.sender.taken)
	}
}

func TestAStateThatLastedAMomentOnlyIsToldOf(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.notify(func(n *rule.Notification) { n.Trigger, n.Conditions = rule.OnUpdate, `doc.status == "APPROVED"` })
	// The worker comes to it only after both changes.
	approved, closed := h.updated(orderNew, orderApproved), h.updated(orderApproved, orderClosed)
	h.run(approved, closed)
	if len(h.sender.taken) != 1 || h.sender.taken[0].Text != "Order 7 is APPROVED" {
		t.Errorf("handed over %+v", h.sender.taken)
	}
}

func TestRenamingAModelsLabelSilencesNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.notify(nil)
	renamed := *orders
	renamed.Label = "Purchases"
	renamed.Fields = slices.Clone(orders.Fields)
	for i := range renamed.Fields {
		renamed.Fields[i].Label += " (new name)"
	}
	if err := catalog.Save(t.Context(), h.db, &renamed); err != nil {
		t.Fatal(err)
	}
	h.run(h.event(rule.Create, orderNew))
	if len(h.sender.taken) != 1 {
		t.Errorf("handed over %+v", h.sender.taken)
	}
}

func TestAWholeNumberIsAPhoneNumber(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	whole := *orders
	whole.Fields = slices.Clone(orders.Fields)
	for i := range whole.Fields {
		if whole.Fields[i].Name == "phone" {
			whole.Fields[i].Type = rule.Integer
		}
	}
	if err := catalog.Save(t.Context(), h.db, &whole); err != nil {
		t.Fatal(err)
	}
	h.notify(func(n *rule.Notification) {
		n.Channel, n.Recipients = rule.SMS, []rule.Recipient{{DocumentField: "doc.phone"}}
	})
	h.run(h.event(rule.Create, `{"id":7,"status":"NEW","phone":2025550123}`))
	if len(h.sender.taken) != 1 || h.sender.taken[0].To != "+12025550123" {
		t.Errorf("handed over %+v", h.sender.taken)
	}
}
