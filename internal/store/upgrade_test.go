package store_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// TestADatabaseWithDataIsUpgradedAndBack takes a database of the first version with a notification, its versions, an
// event and a delivery to the newest version, and back.
func TestADatabaseWithDataIsUpgradedAndBack(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]func(testing.TB) string{"SQLite": testdb.SQLiteURL, "Postgres": testdb.PostgresURL} {
		t.Run("on "+name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			db, err := store.Open(url(t), slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = store.Close(db) }()
			provider, err := store.MigrationProvider(db)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := provider.UpTo(ctx, 1); err != nil {
				t.Fatal(err)
			}
			now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			definition := `{"id":"n1","title":"T","message":"M","html_message":"<b>H</b>","active":true,"channel":"email","model":"orders",` +
				`"trigger":"value_change","value_change_field":"status","date_field":"due","alert_days":3,"conditions":"doc.id == 1",` +
				`"recipients":[{"address":"ann@example.com","document_field":""}],"version":2,"created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:04:05Z"}`
			exec := func(statement string, values ...any) {
				t.Helper()
				if err := db.Exec(statement, values...).Error; err != nil {
					t.Fatal(err)
				}
			}
			exec(`INSERT INTO notify_notifications VALUES ('n1','T','M','<b>H</b>',TRUE,'email','orders','value_change','status','due',3,'doc.id == 1',
				'[{"address":"ann@example.com","document_field":""}]',2,?,?)`, now, now)
			exec(`INSERT INTO notify_notification_versions VALUES ('n1',1,2,3,'orders','new',TRUE,'{"id":"n1","version":1}','ann',?)`, now)
			exec(`INSERT INTO notify_notification_versions VALUES ('n1',2,3,NULL,'orders','value_change',TRUE,?,'ann',?)`, definition, now)
			exec(`INSERT INTO notify_events (id, model, key, action, revision, source, status, reason, workflow_id, created_at)
				VALUES ('e1','orders','7','update',3,'plugin','pending','','',?)`, now)
			exec(`INSERT INTO notify_deliveries (id, event_id, notification_id, notification_version, channel, address, subject, body_text, body_html,
				status, attempts, provider_id, error_code, workflow_id, retry_event_id, created_at, updated_at)
				VALUES ('d1','e1','n1',2,'email','ann@example.com','s','t','','pending',0,'','','w','',?,?),
					('d2','e1','n1',2,'sms','+12025550123','','t','','sent',1,'','','w','',?,?)`, now, now, now, now)
			exec(`INSERT INTO notify_attempts (delivery_id, number, outcome, code, detail, started_at, finished_at)
				VALUES ('d2',1,'sent','','',?,?)`, now, now)

			if _, err := provider.UpTo(ctx, 12); err != nil {
				t.Fatal(err)
			}
			exec(`INSERT INTO notify_suppressions VALUES ('s1','email','ann@example.com','n1','unsubscribe','hook','d1','link',?,'recipient')`, now)
			if err := store.Migrate(ctx, db); err != nil {
				t.Fatal(err)
			}
			n, err := store.Notifications{DB: db}.Get(ctx, "n1")
			if err != nil {
				t.Fatal(err)
			}
			if n.HTMLMessage != "<b>H</b>" || n.ValueChangeField != "status" || n.AlertDays == nil || *n.AlertDays != 3 || n.Conditions != "doc.id == 1" ||
				len(n.Recipients) != 1 || n.Version != 2 || !n.CreatedAt.Equal(now) {
				t.Errorf("the notification has become %+v", n)
			}
			versions, err := store.Notifications{DB: db}.Versions(ctx, "n1", 0, 10)
			if err != nil || len(versions) != 2 || versions[0].Change != store.Changed || versions[1].Change != store.Created {
				t.Errorf("versions %+v, %v", versions, err)
			}
			in, err := store.Notifications{DB: db}.InForce(ctx, "orders", rule.TriggersFor(rule.Update), 3)
			if err != nil || len(in) != 1 || in[0].Conditions != "doc.id == 1" {
				t.Errorf("in force %+v, %v", in, err)
			}
			d, err := store.Deliveries{DB: db}.Get(ctx, "d1")
			if err != nil || d.Details != nil || d.RetryAttempts != 0 || d.ValidUntil != nil {
				t.Errorf("the delivery has become %+v, %v", d, err)
			}
			counted, err := store.DeliveryHours{DB: db}.Since(ctx, now)
			if want := (store.HourCount{Hour: now.Truncate(time.Hour), Channel: rule.SMS, Status: store.DeliverySent, Count: 1}); err != nil || len(counted) != 1 || counted[0] != want {
				t.Errorf("deliveries of before are counted as %+v, %v", counted, err)
			}
			suppress(t, db, &store.Suppression{Channel: rule.SMS, Address: "+12025550123", Reason: store.SuppressedStop})
			if page, err := (store.Suppressions{DB: db}).List(ctx, store.SuppressionFilter{NotificationID: "n1"}, store.Paging{}); err != nil || len(page.Items) != 1 || page.Items[0].ID != "s1" {
				t.Errorf("the suppression of before is listed as %+v, %v", page.Items, err)
			}
			for _, want := range []bool{true, false} {
				if fresh, err := (store.Suppressions{}).HearTx(db, "SM1"); err != nil || fresh != want {
					t.Errorf("an answer is new: %v, %v; want %v", fresh, err, want)
				}
			}
			if d, err := (store.Deliveries{DB: db}).Get(ctx, "d2"); err != nil || d.DeliveredAt != nil {
				t.Errorf("the delivery of before has become %+v, %v", d, err)
			}
			if tries, err := (store.Deliveries{DB: db}).Attempts(ctx, "d2"); err != nil || len(tries) != 1 || tries[0].ProviderID != "" {
				t.Errorf("the attempt of before has become %+v, %v", tries, err)
			}
			vacuums(t, db, true)
			if batch, err := outbox.Claim(ctx, db, 1); err != nil || len(batch.Events) != 1 {
				t.Errorf("claimed %+v, %v", batch, err)
			}

			if _, err := provider.DownTo(ctx, 1); err != nil {
				t.Fatal(err)
			}
			vacuums(t, db, false)
			var back struct {
				HTMLMessage, ValueChangeField, DateField, Conditions string
				AlertDays                                            *int
			}
			if err := db.Raw("SELECT html_message, value_change_field, date_field, conditions, alert_days FROM notify_notifications").Scan(&back).Error; err != nil {
				t.Fatal(err)
			}
			if back.HTMLMessage != "<b>H</b>" || back.ValueChangeField != "status" || back.DateField != "due" || back.Conditions != "doc.id == 1" ||
				back.AlertDays == nil || *back.AlertDays != 3 {
				t.Errorf("went back to %+v", back)
			}
		})
	}
}

// vacuums looks whether Postgres has settings of ours for the tables that grow; SQLite has none.
func vacuums(t *testing.T, db *gorm.DB, want bool) {
	t.Helper()
	if db.Name() != "postgres" {
		return
	}
	var tables []string
	err := db.Raw(`SELECT relname FROM pg_class WHERE relname LIKE 'notify_%'
		AND 'autovacuum_vacuum_scale_factor=0.02' = ANY(reloptions) AND 'autovacuum_vacuum_insert_scale_factor=0.05' = ANY(reloptions)
		ORDER BY relname`).Scan(&tables).Error
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(tables, " "); got != map[bool]string{true: "notify_attempts notify_deliveries notify_events"}[want] {
		t.Errorf("autovacuum is told about %q", got)
	}
}
