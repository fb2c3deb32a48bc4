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

// many writes count deliveries at once, of which the first is older than the others.
func many(t *testing.T, db *gorm.DB, first *store.Delivery, count int) {
	t.Helper()
	first.ID = "0" + first.ID[1:]
	insert(t, db, first)
	number := "printf('%08d', n)"
	if db.Name() == "postgres" {
		number = "lpad(CAST(n AS TEXT), 8, '0')"
	}
	err := db.Exec(`WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
		INSERT INTO notify_deliveries (id, event_id, notification_id, notification_version, channel, address, subject, body_text, body_html,
			status, attempts, provider_id, error_code, workflow_id, retry_event_id, created_at, updated_at)
		SELECT '9' || `+number+`, 'e' || n, ?, 1, ?, 'someone' || n || '@example.com', 'Hello', 'Text', '', 'sent', 1, '', '', 'w', '', ?, ?
		FROM numbers`, count, first.NotificationID, rule.Email, first.CreatedAt, first.CreatedAt).Error
	if err != nil {
		t.Fatal(err)
	}
}

func TestASearchThatNoIndexServesStopsAtItsWindowAndGoesOnFromThere(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		needle := planned(func(d *store.Delivery) { d.Subject = "About the Needle" })
		many(t, db, needle, store.SearchWindow)
		s, f := store.Deliveries{DB: db}, store.DeliveryFilter{Text: "the needle"}
		first, err := s.Search(t.Context(), f, store.Paging{Patience: 1})
		if err != nil || len(first.Items) != 0 || first.Next != "" || first.Further == "" {
			t.Fatalf("the first window gives %d items, next %q, further %q, %v", len(first.Items), first.Next, first.Further, err)
		}
		second, err := s.Search(t.Context(), f, store.Paging{Cursor: first.Further, Patience: 1})
		if err != nil || len(second.Items) != 1 || second.Items[0].ID != needle.ID || second.Further != "" {
			t.Fatalf("the second window gives %+v, %v", second, err)
		}
		if patient, err := s.Search(t.Context(), f, store.Paging{Patience: time.Minute}); err != nil || len(patient.Items) != 1 || patient.Further != "" {
			t.Errorf("with patience: %+v, %v", patient, err)
		}
		if text := second.Items[0].BodyText; text != "" {
			t.Errorf("a list reads the bodies: %q", text)
		}
	})
}

func TestTheRarestConditionLeadsSoThatItsRowsAreFoundHoweverOldTheyAre(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		wanted := planned(func(d *store.Delivery) {
			d.Status, d.Channel, d.Address = store.DeliveryFailed, rule.SMS, "someone0@example.com"
		})
		many(t, db, wanted, store.SearchWindow)
		found, err := store.Deliveries{DB: db}.Search(t.Context(),
			store.DeliveryFilter{NotificationID: wanted.NotificationID, Status: "failed", Channel: "sms", Text: "SOMEONE0@"}, store.Paging{Patience: 1})
		if err != nil || len(found.Items) != 1 || found.Items[0].ID != wanted.ID || found.Further != "" {
			t.Errorf("found %d, further %q, %v", len(found.Items), found.Further, err)
		}
	})
}

func TestASearchKeepsToItsSpanAndPages(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		begin := time.Now().Add(-time.Hour)
		for minute := range 60 {
			insert(t, db, planned(func(d *store.Delivery) {
				d.ID = outbox.FirstID(begin.Add(time.Duration(minute)*time.Minute)) + outbox.NewID()[13:]
			}))
		}
		s := store.Deliveries{DB: db}
		span := store.Span{From: begin.Add(10 * time.Minute), To: begin.Add(20 * time.Minute)}
		for name, f := range map[string]store.DeliveryFilter{
			"alone": {Span: span}, "with an index": {Span: span, Channel: "email"}, "with a text": {Span: span, Text: "example"},
			"with two": {Span: span, Channel: "email", Status: "pending"},
		} {
			var minutes []int
			paging := store.Paging{Limit: 4}
			for {
				page, err := s.Search(t.Context(), f, paging)
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range page.Items {
					minutes = append(minutes, int(outbox.TimeOf(d.ID).Sub(begin).Round(time.Second).Minutes()))
				}
				if paging.Cursor = page.Next; paging.Cursor == "" {
					break
				}
			}
			if fmt.Sprint(minutes) != "[19 18 17 16 15 14 13 12 11 10]" {
				t.Errorf("%s: %v", name, minutes)
			}
		}
	})
}

func TestWhatHasExactlyATextIsLookedUp(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		d := planned(func(d *store.Delivery) {
			d.ProviderID, d.WorkflowID, d.Address = "SM1", "w-1", "ann@example.com"
			d.EventID, d.NotificationID = outbox.NewID(), outbox.NewID()
		})
		insert(t, db, d)
		s := store.Deliveries{DB: db}
		for text, want := range map[string]store.DeliveryFilter{
			d.ID: {ID: d.ID}, d.EventID: {EventID: d.EventID}, d.NotificationID: {NotificationID: d.NotificationID},
			"SM1": {ProviderID: "SM1"}, "w-1": {WorkflowID: "w-1"}, "ann@example.com": {Address: "ann@example.com"},
		} {
			if got, ok, err := s.Known(t.Context(), text); err != nil || !ok || got != want {
				t.Errorf("%s: %+v %v %v", text, got, ok, err)
			}
		}
		if got, ok, err := s.Known(t.Context(), "Ann@Example.com", "ann@example.com"); err != nil || !ok || got.Address != "ann@example.com" {
			t.Errorf("another form of the address: %+v %v %v", got, ok, err)
		}
		if _, ok, err := s.Known(t.Context(), "ann"); err != nil || ok {
			t.Errorf("a part of an address is no address: %v %v", ok, err)
		}
	})
}

func TestNoSearchReadsMoreThanItsWindow(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	// Those that are true may walk along the primary key: they look at its newest rows only.
	deliveries := map[store.DeliveryFilter]bool{
		{}: true, {Text: "a"}: true, {Status: "failed"}: false, {Status: "failed", Channel: "sms"}: false,
		{NotificationID: "n", Status: "failed", Text: "a"}: false, {Channel: "sms", Text: "a"}: false,
		{ErrorCode: "c", Channel: "email"}: false, {ProviderID: "p", Status: "sent"}: false, {Address: "a", Status: "sent"}: false,
		{EventID: "e", Channel: "sms"}: false, {WorkflowID: "w", Status: "sent"}: false,
	}
	events := map[store.EventFilter]bool{
		{}: true, {Text: "7"}: true, {Status: "settled"}: true, {Action: "update"}: true, {Source: "plugin"}: true, {Told: &no}: true,
		{Source: "api"}: false, {Source: "api", Status: "pending"}: false, {Model: "orders", Action: "update"}: false, {Action: "retry"}: false,
		{Model: "orders", Told: &yes}: false, {Key: "7", Model: "orders"}: false, {WorkflowID: "w", Status: "settled"}: false,
	}
	errors := map[store.ErrorFilter]bool{
		{}: true, {Text: "a"}: true, {Code: "C", NotificationID: "n"}: false, {Code: "C", Resolved: &no, Text: "a"}: false,
		{Source: "send", Resolved: &yes}: false, {NoNotification: true, Code: "C"}: false, {DeliveryID: "d", EventID: "e"}: false,
	}
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		history(t, db)
		check := func(name string, ordered bool, ask func(ctx context.Context, db *gorm.DB) error) {
			for _, plan := range testdb.Plans(t, db, func(db *gorm.DB) error { return ask(t.Context(), db) }) {
				if plan.WholeTable(ordered) || !ordered && plan.Unguided() {
					t.Errorf("%s reads too much:\n%s\n%s", name, plan.Statement, plan.Text)
				}
			}
		}
		for _, span := range []store.Span{{}, {From: time.Now().Add(-time.Hour), To: time.Now()}} {
			for f, ordered := range deliveries {
				f.Span = span
				check(fmt.Sprintf("deliveries %+v", f), ordered, func(ctx context.Context, db *gorm.DB) error {
					_, err := store.Deliveries{DB: db}.Search(ctx, f, store.Paging{})
					return err
				})
			}
			for f, ordered := range events {
				f.Span = span
				check(fmt.Sprintf("events %+v", f), ordered, func(ctx context.Context, db *gorm.DB) error {
					_, err := store.Events{DB: db}.Search(ctx, f, store.Paging{})
					return err
				})
			}
			for f, ordered := range errors {
				f.Span = span
				check(fmt.Sprintf("errors %+v", f), ordered, func(ctx context.Context, db *gorm.DB) error {
					_, err := store.Errors{DB: db}.Search(ctx, f, store.Paging{})
					return err
				})
			}
		}
		check("what has exactly a text", false, func(ctx context.Context, db *gorm.DB) error {
			_, _, one := store.Deliveries{DB: db}.Known(ctx, "a")
			_, _, two := store.Events{DB: db}.Known(ctx, "a")
			_, _, three := store.Errors{DB: db}.Known(ctx, "a")
			return firstOf(one, two, three)
		})
		check("groups of errors", false, func(ctx context.Context, db *gorm.DB) error {
			_, _, err := store.Errors{DB: db}.Groups(ctx)
			return err
		})
		check("resolving and reopening", false, func(ctx context.Context, db *gorm.DB) error {
			at := time.Now().UTC().Truncate(time.Microsecond)
			_, one := store.Errors{}.ResolveTx(db, store.ErrorFilter{Code: "C", NotificationID: "7"}, "", at, 100)
			_, two := store.Errors{}.ReopenTx(db, at, 100)
			_, three := store.Errors{DB: db}.DeliveriesOf(ctx, store.ErrorFilter{Code: "C", NotificationID: "7"}, 100)
			return firstOf(one, two, three)
		})
	})
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
