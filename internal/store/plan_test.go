package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// history makes tables as they are after a while: thousands of rows, most of them sent and settled.
func history(t *testing.T, db *gorm.DB) {
	t.Helper()
	const rows = 1000
	events, deliveries, entries := make([]*outbox.Event, rows), make([]*store.Delivery, rows), make([]*store.ErrorEntry, rows)
	for i := range rows {
		number := fmt.Sprint(i)
		events[i] = &outbox.Event{ID: outbox.NewID(), Model: "orders", Key: number, Action: rule.Update, Source: outbox.FromPlugin,
			WorkflowID: "w-" + number}
		deliveries[i] = planned(func(d *store.Delivery) {
			d.EventID, d.Status, d.ProviderID, d.WorkflowID = events[i].ID, store.DeliverySent, "p-"+number, "w-"+number
			d.Address = "someone" + number + "@example.com"
		})
		entries[i] = &store.ErrorEntry{Code: "C", Source: "send", EventID: events[i].ID, DeliveryID: deliveries[i].ID, NotificationID: number}
	}
	if err := outbox.Append(db, events...); err != nil {
		t.Fatal(err)
	}
	if err := db.Exec("UPDATE notify_events SET status = 'settled' WHERE key > '2'").Error; err != nil {
		t.Fatal(err)
	}
	insert(t, db, deliveries...)
	if err := (store.Errors{}).RecordTx(db, entries...); err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		suppress(t, db, &store.Suppression{Channel: rule.Email, Address: fmt.Sprintf("s%d@example.com", i), Reason: store.SuppressedBounce})
	}
	if db.Name() == "postgres" {
		if err := db.Exec("ANALYZE").Error; err != nil {
			t.Fatal(err)
		}
	}
}

// question is what a person or a workflow asks. Those that are ordered may walk along an index from its newest end: what
// they filter by fits so many rows that the page is soon full.
type question struct {
	name    string
	ordered bool
	ask     func(ctx context.Context, db *gorm.DB) error
}

func eventQuestions() []question {
	list := func(name string, ordered bool, f store.EventFilter) question {
		return question{"events by " + name, ordered, func(ctx context.Context, db *gorm.DB) error {
			_, err := store.Events{DB: db}.List(ctx, f, store.Paging{})
			return err
		}}
	}
	return []question{
		list("nothing", true, store.EventFilter{}),
		list("model", false, store.EventFilter{Model: "orders"}),
		list("key", false, store.EventFilter{Key: "7"}),
		list("model and key", false, store.EventFilter{Model: "orders", Key: "7"}),
		list("the status pending", false, store.EventFilter{Status: "pending"}),
		list("the status started", false, store.EventFilter{Status: "started"}),
		list("the status settled", true, store.EventFilter{Status: "settled"}),
		list("workflow", false, store.EventFilter{WorkflowID: "w-7"}),
		list("action", true, store.EventFilter{Action: "update"}),
		list("source", true, store.EventFilter{Source: "api"}),
	}
}

func deliveryQuestions() []question {
	filters := map[string]store.DeliveryFilter{
		"event": {EventID: "e"}, "notification": {NotificationID: "n"}, "channel": {Channel: "sms"}, "address": {Address: "a"},
		"status": {Status: "failed"}, "provider's ID": {ProviderID: "p"}, "error code": {ErrorCode: "c"}, "workflow": {WorkflowID: "w"},
	}
	questions := []question{
		{"deliveries by nothing", true, func(ctx context.Context, db *gorm.DB) error {
			_, err := store.Deliveries{DB: db}.List(ctx, store.DeliveryFilter{}, store.Paging{})
			return err
		}},
		{"deliveries of events", false, func(ctx context.Context, db *gorm.DB) error {
			_, err := store.Deliveries{DB: db}.OfEvents(ctx, []string{"e", "f"})
			return err
		}},
		{"attempts", false, func(ctx context.Context, db *gorm.DB) error {
			_, err := store.Deliveries{DB: db}.Attempts(ctx, "d")
			return err
		}},
	}
	for name, f := range filters {
		questions = append(questions,
			question{"deliveries by " + name, false, func(ctx context.Context, db *gorm.DB) error {
				_, err := store.Deliveries{DB: db}.List(ctx, f, store.Paging{})
				return err
			}},
			question{"deliveries to retry by " + name, false, func(ctx context.Context, db *gorm.DB) error {
				f.Status = "failed"
				_, err := store.Deliveries{DB: db}.IDs(ctx, f, "", 1000)
				return err
			}})
	}
	return questions
}

func errorQuestions() []question {
	open := false
	filters := map[string]store.ErrorFilter{
		"code": {Code: "C"}, "source": {Source: "relay"}, "event": {EventID: "e"}, "delivery": {DeliveryID: "d"},
		"notification": {NotificationID: "n"}, "being unresolved": {Resolved: &open},
	}
	questions := []question{{"errors by nothing", true, func(ctx context.Context, db *gorm.DB) error {
		_, err := store.Errors{DB: db}.List(ctx, store.ErrorFilter{}, store.Paging{})
		return err
	}}}
	for name, f := range filters {
		questions = append(questions, question{"errors by " + name, false, func(ctx context.Context, db *gorm.DB) error {
			_, err := store.Errors{DB: db}.List(ctx, f, store.Paging{})
			return err
		}})
	}
	return questions
}

func suppressionQuestions() []question {
	questions := []question{
		{"suppressions of addresses", false, func(ctx context.Context, db *gorm.DB) error {
			_, err := store.Suppressions{DB: db}.Active(ctx, rule.Email, []string{"a@example.com", "b@example.com"}, "n")
			return err
		}},
		{"suppressions to lift", false, func(ctx context.Context, db *gorm.DB) error {
			_, err := store.Suppressions{}.LiftTx(db.WithContext(ctx), rule.SMS, "+12025550123", "ann", store.SuppressedStop)
			return err
		}},
		{"suppressions by nothing", true, func(ctx context.Context, db *gorm.DB) error {
			_, err := store.Suppressions{DB: db}.Search(ctx, store.SuppressionFilter{}, store.Paging{})
			return err
		}},
	}
	for name, f := range map[string]store.SuppressionFilter{
		"channel": {Channel: "sms"}, "reason": {Reason: "bounce"}, "address": {Address: "a"}, "notification": {NotificationID: "n"},
	} {
		questions = append(questions, question{"suppressions by " + name, false, func(ctx context.Context, db *gorm.DB) error {
			_, err := store.Suppressions{DB: db}.Search(ctx, f, store.Paging{})
			return err
		}}, question{"a list of suppressions by " + name, false, func(ctx context.Context, db *gorm.DB) error {
			_, err := store.Suppressions{DB: db}.List(ctx, f, store.Paging{})
			return err
		}})
	}
	return questions
}

func attemptQuestions() []question {
	now := time.Now().UTC()
	return []question{
		{"notifications in force", false, func(ctx context.Context, db *gorm.DB) error {
			_, err := store.Notifications{DB: db}.InForce(ctx, "orders", []rule.Trigger{rule.OnUpdate, rule.OnValueChange}, 1)
			return err
		}},
		{"whose a provider's message is", false, func(ctx context.Context, db *gorm.DB) error {
			_, err := store.OfAnother(db.WithContext(ctx), "SM7", "d")
			return err
		}},
		{"an attempt", false, func(ctx context.Context, db *gorm.DB) error {
			d := planned(nil)
			if _, err := (store.Deliveries{}).InsertTx(db, []*store.Delivery{d}); err != nil {
				return err
			}
			if _, _, err := (store.Deliveries{DB: db}).Claim(ctx, d.ID, "", now); err != nil {
				return err
			}
			attempt := store.Attempt{DeliveryID: d.ID, Number: 1, Outcome: "temporary", StartedAt: now, FinishedAt: now}
			if err := (store.Deliveries{DB: db}).Finish(ctx, attempt, store.DeliveryPending, ""); err != nil {
				return err
			}
			return store.Deliveries{}.FailTx(db, d.ID, store.DeliveryFailed, "c", now)
		}},
	}
}

func TestNoListGetsSlowerWithTheHistory(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		history(t, db)
		questions := append(append(eventQuestions(), deliveryQuestions()...), append(errorQuestions(), attemptQuestions()...)...)
		questions = append(questions, suppressionQuestions()...)
		for _, q := range questions {
			plans := testdb.Plans(t, db, func(db *gorm.DB) error { return q.ask(t.Context(), db) })
			if len(plans) == 0 {
				t.Errorf("%s: no statement was seen", q.name)
			}
			for _, plan := range plans {
				if plan.WholeTable(q.ordered) {
					t.Errorf("%s reads the whole table:\n%s\n%s", q.name, plan.Statement, plan.Text)
				}
			}
		}
	})
}
