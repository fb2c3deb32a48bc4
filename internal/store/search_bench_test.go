package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// crowd fills the tables with count deliveries of as many events, over 10,000 notifications of which one has a tenth, and
// an error for each that failed: one of a hundred.
func crowd(b *testing.B, db *gorm.DB, count int) {
	b.Helper()
	id := "printf('01900000-%04x-7%03x-8000-%012x', n >> 12, n & 4095, n)"
	if db.Name() == "postgres" {
		id = "format('01900000-%s-7%s-8000-%s', lpad(to_hex(n >> 12), 4, '0'), lpad(to_hex(n & 4095), 3, '0'), lpad(to_hex(n), 12, '0'))"
	}
	status := "CASE WHEN n % 100 = 0 THEN 'failed' WHEN n % 331 = 0 THEN 'unknown' WHEN n % 997 = 0 THEN 'suppressed' ELSE 'sent' END"
	at := time.Now().UTC()
	for _, statement := range []struct {
		sql    string
		values []any
	}{
		{"CREATE TABLE numbers AS WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?) SELECT n, " + id + " AS id, " + status + ` AS status,
			CASE WHEN n % 10 = 0 THEN 'n0' ELSE 'n' || n % 10000 END AS notification, CASE WHEN n % 20 = 0 THEN 'whatsapp' WHEN n % 4 = 0 THEN 'sms' ELSE 'email' END AS channel FROM numbers`, []any{count}},
		{`INSERT INTO notify_deliveries (id, event_id, notification_id, notification_version, channel, address, subject, body_text, body_html,
			status, attempts, provider_id, error_code, workflow_id, retry_event_id, created_at, updated_at)
			SELECT id, id, notification, 1, channel, 'someone' || n % 50000 || '@example.com', 'Your order ' || n || ' has been shipped',
			'Dear customer, your order has been shipped and arrives within three days. Kind regards.', '', status, 1,
			'p' || n, CASE status WHEN 'failed' THEN 'smtp_' || (n % 7) ELSE '' END, 'w' || n, '', ?, ? FROM numbers`, []any{at, at}},
		{`INSERT INTO notify_events (id, model, key, action, doc, revision, source, status, reason, decisions, batch_id, workflow_id, created_at, settled_at)
			SELECT id, CASE WHEN n % 1000 = 0 THEN 'rare' WHEN n % 3 = 0 THEN 'orders' ELSE 'invoices' END, CAST(n % 100000 AS TEXT), CASE n % 5 WHEN 0 THEN 'create' ELSE 'update' END,
			'{"id":1,"title":"A title of some length"}', 1, CASE n % 500 WHEN 0 THEN 'api' ELSE 'plugin' END, CASE WHEN n % 5000 = 0 THEN 'pending' ELSE 'settled' END,
			CASE WHEN n % 50 = 0 THEN 'no rule matched' ELSE '' END, '[]', id, 'w' || n, ?, ? FROM numbers`, []any{at, at}},
		{`INSERT INTO notify_errors (id, code, source, message, event_id, delivery_id, notification_id, attempt, resolved, dedup_key, created_at)
			SELECT id, 'CODE_' || n % 7, 'send', 'Not taken in 3 attempts; the last answer was code smtp_451. Retry when the provider is back.', id, id, notification, 3,
			n % 200 = 0, id, ? FROM numbers WHERE status = 'failed'`, []any{at}},
		{"DROP TABLE numbers", nil}, {map[string]string{"postgres": "VACUUM ANALYZE", "sqlite": "ANALYZE"}[db.Name()], nil},
	} {
		if err := db.Exec(statement.sql, statement.values...).Error; err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPages gives the slowest page of every combination of up to three filters, as a person meets it who has not
// asked before.
func BenchmarkPages(b *testing.B) {
	b.Run("SQLite with 100,000", func(b *testing.B) { pages(b, testdb.SQLite(b), 100_000) })
	b.Run("Postgres with 1,000,000", func(b *testing.B) { pages(b, testdb.Postgres(b), 1_000_000) })
}

func pages(b *testing.B, db *gorm.DB, count int) {
	crowd(b, db, count)
	b.ResetTimer()
	for range b.N {
		var took []time.Duration
		var slowest time.Duration
		measure := func(name string, ask func() error) {
			begun := time.Now()
			if err := ask(); err != nil {
				b.Fatal(err)
			}
			d := time.Since(begun)
			if took = append(took, d); d > slowest {
				slowest = d
			}
			if d > 60*time.Millisecond {
				b.Logf("%6.1f ms: %s", float64(d.Microseconds())/1000, name)
			}
		}
		deliveryPages(b, db, measure)
		eventPages(b, db, measure)
		errorPages(b, db, measure)
		slices.Sort(took)
		b.ReportMetric(float64(slowest.Microseconds())/1000, "ms-slowest")
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-median")
		b.ReportMetric(float64(len(took)), "pages")
	}
}

// combine calls use with every choice of up to three of the parts.
func combine[T any](start T, parts []func(*T), use func(T)) {
	use(start)
	for i := range parts {
		one := start
		parts[i](&one)
		use(one)
		for j := i + 1; j < len(parts); j++ {
			two := one
			parts[j](&two)
			use(two)
			for k := j + 1; k < len(parts); k++ {
				three := two
				parts[k](&three)
				use(three)
			}
		}
	}
}

func middle() store.Span {
	return store.Span{From: outbox.TimeOf("01900000-0010-7000-8000-000000000000"), To: outbox.TimeOf("01900000-0080-7000-8000-000000000000")}
}

func deliveryPages(b *testing.B, db *gorm.DB, measure func(string, func() error)) {
	combine(store.DeliveryFilter{}, []func(*store.DeliveryFilter){
		func(f *store.DeliveryFilter) { f.Status = "failed" }, func(f *store.DeliveryFilter) { f.Status = "sent" },
		func(f *store.DeliveryFilter) { f.Status = "delivered" }, func(f *store.DeliveryFilter) { f.Channel = "email" },
		func(f *store.DeliveryFilter) { f.Channel = "whatsapp" }, func(f *store.DeliveryFilter) { f.NotificationID = "n0" },
		func(f *store.DeliveryFilter) { f.NotificationID = "n77" }, func(f *store.DeliveryFilter) { f.ErrorCode = "smtp_3" },
		func(f *store.DeliveryFilter) { f.Address = "someone77@example.com" }, func(f *store.DeliveryFilter) { f.Text = "nobody has this" },
		func(f *store.DeliveryFilter) { f.Text = "order" }, func(f *store.DeliveryFilter) { f.Span = middle() },
	}, func(f store.DeliveryFilter) {
		measure(fmt.Sprintf("deliveries %+v", f), func() error {
			_, err := store.Deliveries{DB: db}.Search(b.Context(), f, store.Paging{})
			return err
		})
	})
}

func eventPages(b *testing.B, db *gorm.DB, measure func(string, func() error)) {
	no := false
	combine(store.EventFilter{}, []func(*store.EventFilter){
		func(f *store.EventFilter) { f.Status = "pending" }, func(f *store.EventFilter) { f.Status = "settled" },
		func(f *store.EventFilter) { f.Model = "orders" }, func(f *store.EventFilter) { f.Model = "rare" },
		func(f *store.EventFilter) { f.Action = "delete" }, func(f *store.EventFilter) { f.Action = "retry" },
		func(f *store.EventFilter) { f.Source = "api" }, func(f *store.EventFilter) { f.Source = "plugin" },
		func(f *store.EventFilter) { f.Told = &no }, func(f *store.EventFilter) { f.Text = "nothing" },
		func(f *store.EventFilter) { f.Key = "77" }, func(f *store.EventFilter) { f.Span = middle() },
	}, func(f store.EventFilter) {
		measure(fmt.Sprintf("events %+v", f), func() error {
			_, err := store.Events{DB: db}.Search(b.Context(), f, store.Paging{})
			return err
		})
	})
}

func errorPages(b *testing.B, db *gorm.DB, measure func(string, func() error)) {
	no, yes := false, true
	measure("groups of errors", func() error { _, _, err := store.Errors{DB: db}.Groups(b.Context()); return err })
	combine(store.ErrorFilter{}, []func(*store.ErrorFilter){
		func(f *store.ErrorFilter) { f.Code = "CODE_3" }, func(f *store.ErrorFilter) { f.NotificationID = "n0" },
		func(f *store.ErrorFilter) { f.Source = "send" }, func(f *store.ErrorFilter) { f.Resolved = &no }, func(f *store.ErrorFilter) { f.Resolved = &yes },
		func(f *store.ErrorFilter) { f.Text = "nothing" }, func(f *store.ErrorFilter) { f.Span = middle() },
	}, func(f store.ErrorFilter) {
		measure(fmt.Sprintf("errors %+v", f), func() error {
			_, err := store.Errors{DB: db}.Search(b.Context(), f, store.Paging{})
			return err
		})
	})
}
