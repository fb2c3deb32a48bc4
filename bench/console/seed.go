package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/dev/shop"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/notify"
)

// span is how far back the history reaches: the default of NOTIFY_RETENTION.
const span = 90 * 24 * time.Hour

// chunk is how many rows one statement writes.
const chunk = 100_000

// The kinds of IDs, so that those of two tables never meet.
const (
	eventKind = iota + 1
	deliveryKind
	errorKind
	ruleKind
)

// seeder fills a database by statements over sets of numbers: what one by one would take an hour.
type seeder struct {
	db                *gorm.DB
	postgres          bool
	deliveries, rules int
	// from is the time of the first event, and step is between two, in milliseconds.
	from, step int64
}

// seed brings an empty database to what a shop's looks like after three months. Of four deliveries three share one of a
// hundred notifications, of a hundred three have failed, and one event in three told nobody.
func seed(ctx context.Context, db *gorm.DB, deliveries, rules int) (*seeder, error) {
	db = db.WithContext(ctx)
	if err := store.Migrate(ctx, db); err != nil {
		return nil, err
	}
	if err := seedShop(ctx, db); err != nil {
		return nil, err
	}
	s := &seeder{db: db, postgres: db.Name() == "postgres", deliveries: deliveries, rules: rules}
	events := int64(s.events())
	s.step = max(1, span.Milliseconds()/max(1, events))
	s.from = time.Now().UnixMilli() - s.step*events
	for _, fill := range []func() error{s.seedRules, s.seedEvents, s.seedDeliveries, s.seedAttempts, s.seedErrors, s.settle} {
		if err := fill(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// seedShop makes the demo shop's tables, models and notifications: what the others are copies of.
func seedShop(ctx context.Context, db *gorm.DB) error {
	if err := shop.Migrate(ctx, db); err != nil {
		return err
	}
	plugin := notify.New(notify.Options{SkipMigrations: true, SkipNotify: true})
	if err := db.Use(plugin); err != nil {
		return err
	}
	defer func() { _ = plugin.Close() }()
	if err := plugin.Register(shop.Models()...); err != nil {
		return err
	}
	if err := shop.Seed(notify.Skip(ctx), db); err != nil {
		return err
	}
	for _, n := range shop.Examples() {
		if n.Trigger == rule.DaysBefore || n.Trigger == rule.DaysAfter {
			n.Active = false // ten thousand schedules are no part of this
		}
		if err := (store.Notifications{DB: db}).Create(ctx, &n, "bench"); err != nil {
			return err
		}
	}
	return nil
}

// events: each two of three have told somebody, with two deliveries.
func (s *seeder) events() int { return s.deliveries/4*3 + 3 }

// hex writes a number in so many digits.
func (s *seeder) hex(number string, digits int) string {
	if s.postgres {
		return fmt.Sprintf("lpad(to_hex((%s)::bigint), %d, '0')", number, digits)
	}
	return fmt.Sprintf("printf('%%0%dx', %s)", digits, number)
}

// id is an expression for an ID in the form of a UUID of version 7, in the order of time.
func (s *seeder) id(kind int, millis, number string) string {
	return fmt.Sprintf("(%s || '-' || %s || '-7%03x-8000-' || %s)",
		s.hex(fmt.Sprintf("(%s) / 65536", millis), 8), s.hex(fmt.Sprintf("(%s) %% 65536", millis), 4), kind, s.hex(number, 12))
}

// at is an expression for a time as the tables keep it.
func (s *seeder) at(millis string) string {
	if s.postgres {
		return fmt.Sprintf("to_timestamp((%s) / 1000.0)", millis)
	}
	return fmt.Sprintf("strftime('%%Y-%%m-%%d %%H:%%M:%%f+00:00', (%s) / 1000.0, 'unixepoch')", millis)
}

// numbers is a table n of whole numbers.
func (s *seeder) numbers(from, until int) string {
	if s.postgres {
		return fmt.Sprintf("generate_series(%d::bigint, %d) AS numbers(n)", from, until-1)
	}
	return fmt.Sprintf("(WITH RECURSIVE c(n) AS (SELECT %d UNION ALL SELECT n + 1 FROM c WHERE n < %d) SELECT n FROM c) AS numbers", from, until-1)
}

// fill inserts a row for each number below total, with an expression for each column. Columns that are not named keep
// their defaults.
func (s *seeder) fill(table string, total int, columns map[string]string, where string) error {
	names := slices.Sorted(maps.Keys(columns))
	expressions := make([]string, len(names))
	for i, name := range names {
		expressions[i] = columns[name]
	}
	for from := 0; from < total; from += chunk {
		statement := fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s WHERE %s", table, strings.Join(names, ", "),
			strings.Join(expressions, ", "), s.numbers(from, min(from+chunk, total)), where)
		if err := s.db.Exec(statement).Error; err != nil {
			return fmt.Errorf("%s: %w", table, err)
		}
	}
	return nil
}

// eventMillis is when event k happened, and eventOf is the event of delivery n.
func (s *seeder) eventMillis(k string) string {
	return fmt.Sprintf("(%d + (%s) * %d)", s.from, k, s.step)
}

const eventOf = "(n / 4 * 3 + n / 2 % 2)"

func (s *seeder) eventID(k string) string { return s.id(eventKind, s.eventMillis(k), k) }

func (s *seeder) deliveryID(n string) string {
	return s.id(deliveryKind, s.eventMillis(strings.ReplaceAll(eventOf, "n", n))+" + 5", n)
}

// ruleNumber is whose delivery n is.
func (s *seeder) ruleNumber() string {
	return fmt.Sprintf("(CASE WHEN n %% 4 < 3 THEN n %% %d ELSE n * 7 %% %d END)", min(100, s.rules), s.rules)
}

func (s *seeder) ruleID(number string) string {
	return s.id(ruleKind, fmt.Sprintf("%d + (%s)", s.from-span.Milliseconds(), number), number)
}

// seedRules multiplies the shop's notifications: whatever columns their tables have, copies have them too.
func (s *seeder) seedRules() error {
	title := "title || ' ' || n"
	definition := fmt.Sprintf("json_set(definition, '$.id', %s, '$.title', %s, '$.version', 1)", s.ruleID("n"), title)
	chosen := "ordinal = n % kinds"
	if s.postgres {
		definition = fmt.Sprintf("(definition::jsonb || jsonb_build_object('id', %s, 'title', %s, 'version', 1))::text", s.ruleID("n"), title)
	}
	created := s.at(fmt.Sprintf("%d + n", s.from-span.Milliseconds()))
	err := s.multiply("notify_notifications", chosen, map[string]string{
		"id": s.ruleID("n"), "title": title, "definition": definition, "version": "1", "sort_title": "sort_title || ' ' || n",
		"search_text": "search_text || ' ' || n", "active": "n % 10 <> 9", "created_at": created, "updated_at": created,
	})
	if err != nil {
		return err
	}
	return s.multiply("notify_notification_versions", chosen, map[string]string{
		"notification_id": s.ruleID("n"), "version": "1", "revision_from": "1", "definition": strings.ReplaceAll(definition, "title || ", "'Told ' || "),
		"active": "n % 10 <> 9", "changed_at": created,
	})
}

// multiply copies the rows of a table in turn, with expressions for some columns.
func (s *seeder) multiply(table, chosen string, changes map[string]string) error {
	types, err := s.db.Migrator().ColumnTypes(table)
	if err != nil {
		return err
	}
	var names, expressions []string
	for _, column := range types {
		name := column.Name()
		names = append(names, name)
		if change, ok := changes[name]; ok {
			name = change
		}
		expressions = append(expressions, name)
	}
	key := names[0]
	statement := fmt.Sprintf(`INSERT INTO %[1]s (%[2]s) SELECT %[3]s FROM %[4]s
		JOIN (SELECT t.*, ROW_NUMBER() OVER (ORDER BY %[5]s) - 1 AS ordinal, COUNT(*) OVER () AS kinds FROM %[1]s t) AS kinds ON %[6]s`,
		table, strings.Join(names, ", "), strings.Join(expressions, ", "), s.numbers(0, s.rules), key, chosen)
	if err := s.db.Exec(statement).Error; err != nil {
		return fmt.Errorf("%s: %w", table, err)
	}
	return nil
}

func (s *seeder) seedEvents() error {
	millis := s.eventMillis("n")
	told := s.ruleID(strings.ReplaceAll(s.ruleNumber(), "n", "(n / 3 * 4 + n % 3 * 2)"))
	doc := `'{"id":' || n || ',"number":"N-' || n || '","status":"paid","amount":"' || (n % 5000) || '.50","customer_id":' || (n % 20000) || ',"note":"as usual"}'`
	return s.fill("notify_events", s.events(), map[string]string{
		"id": s.eventID("n"), "model": "CASE WHEN n % 10 < 7 THEN 'orders' WHEN n % 10 < 9 THEN 'customers' ELSE 'invoices' END",
		"key": "CAST(n % 50000 AS TEXT)", "action": "CASE n % 5 WHEN 0 THEN 'create' WHEN 1 THEN 'delete' ELSE 'update' END",
		"doc": "CASE WHEN n % 5 <> 1 THEN " + doc + " END", "old_doc": "CASE WHEN n % 5 <> 0 THEN REPLACE(" + doc + ", 'paid', 'open') END",
		"revision": "12", "source": "CASE WHEN n % 1000 = 0 THEN 'api' ELSE 'plugin' END", "status": "'settled'",
		"reason":    "CASE WHEN n % 3 = 2 THEN 'no notification matched' ELSE '' END",
		"decisions": `CASE WHEN n % 3 = 2 THEN NULL ELSE '[{"notification_id":"' || ` + told + ` || '","version":1,"outcome":"sends","deliveries":2}]' END`,
		"batch_id":  s.eventID("n / 3 * 3"), "workflow_id": "'send-notification-' || " + s.eventID("n / 3 * 3"),
		"created_at": s.at(millis), "claimed_at": s.at(millis + " + 2"), "started_at": s.at(millis + " + 3"),
		"resolved_at": s.at(millis + " + 4"), "settled_at": s.at(millis + " + 400"),
	}, "n >= 0")
}

// channelOf and the rest say what delivery n is.
const (
	channelOf = "(CASE WHEN n % 10 < 7 THEN 'email' WHEN n % 10 < 9 THEN 'sms' ELSE 'whatsapp' END)"
	failedOf  = "(n % 100 IN (31, 62, 93))"
	codeOf    = "(CASE WHEN NOT " + failedOf + " THEN '' WHEN n % 10 = 7 OR n % 10 = 9 THEN 'twilio_21211' WHEN n % 3 = 0 THEN 'smtp_550_5.1.1' WHEN n % 3 = 1 THEN 'smtp_timeout' ELSE 'smtp_connect' END)"
)

func (s *seeder) seedDeliveries() error {
	millis := s.eventMillis(eventOf)
	status := fmt.Sprintf(`CASE WHEN n >= %d THEN 'pending' WHEN %s THEN 'failed' WHEN n %% 1000 = 500 THEN 'unknown'
		WHEN n %% 100 = 50 THEN 'suppressed' WHEN n %% 4 = 0 THEN 'delivered' ELSE 'sent' END`, s.deliveries-s.deliveries/10_000, failedOf)
	return s.fill("notify_deliveries", s.deliveries, map[string]string{
		"id": s.deliveryID("n"), "event_id": s.eventID(eventOf), "notification_id": s.ruleID(s.ruleNumber()), "notification_version": "1",
		"channel": channelOf, "address": "CASE WHEN " + channelOf + " = 'email' THEN 'customer' || (n * 7919 % 20000) || '@example.com' ELSE '+1202555' || (n * 7919 % 9000 + 1000) END",
		"subject":   "'Order N-' || n || ' is paid'",
		"body_text": "'Hello, your order N-' || n || ' was open and is paid now. We pack it today, and tell you when it leaves. Thank you for buying from us.'",
		"body_html": "CASE WHEN " + channelOf + " = 'email' THEN '<h1>Order N-' || n || ' is paid</h1><p>We pack it today, and tell you when it leaves.</p>' ELSE '' END",
		"status":    status, "attempts": "CASE WHEN " + failedOf + " THEN 3 ELSE 1 END", "provider_id": "CASE WHEN " + failedOf + " THEN '' ELSE 'SM' || n END",
		"error_code": codeOf, "workflow_id": "'send-notification-' || " + s.eventID(eventOf+" / 3 * 3"), "retry_event_id": "''",
		"created_at": s.at(millis + " + 5"), "updated_at": s.at(millis + " + 300"), "claimed_at": s.at(millis + " + 100"), "sent_at": s.at(millis + " + 300"),
	}, "n >= 0")
}

// seedAttempts gives each delivery its last attempt, and those that failed the two before.
func (s *seeder) seedAttempts() error {
	millis := s.eventMillis(eventOf)
	for number := 1; number <= 3; number++ {
		where := failedOf
		if number == 1 {
			where = "n >= 0"
		}
		later := (time.Duration(number-1) * time.Minute).Milliseconds()
		err := s.fill("notify_attempts", s.deliveries, map[string]string{
			"delivery_id": s.deliveryID("n"), "number": fmt.Sprint(number),
			"outcome": "CASE WHEN NOT " + failedOf + " THEN 'sent' WHEN n % 2 = 0 THEN 'permanent' ELSE 'temporary' END",
			"code":    codeOf, "detail": "CASE WHEN " + failedOf + " THEN 'refused' ELSE '250 2.0.0 Ok: queued' END",
			"started_at": s.at(fmt.Sprintf("%s + %d", millis, 100+later)), "finished_at": s.at(fmt.Sprintf("%s + %d", millis, 300+later)),
		}, where)
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *seeder) seedErrors() error {
	millis := s.eventMillis(eventOf) + " + 120300"
	resolved := "n % 2 = 0 OR n < " + fmt.Sprint(s.deliveries/2)
	return s.fill("notify_errors", s.deliveries, map[string]string{
		"id": s.id(errorKind, millis, "n"), "code": codeOf, "source": "'send'", "message": "'the provider refused: ' || " + codeOf,
		"event_id": s.eventID(eventOf), "delivery_id": s.deliveryID("n"), "notification_id": s.ruleID(s.ruleNumber()), "attempt": "3",
		"resolved": resolved, "resolved_at": "CASE WHEN " + resolved + " THEN " + s.at(millis) + " END", "dedup_key": "'e' || n", "created_at": s.at(millis),
	}, failedOf)
}

// settle does what happens to a database that was filled in three months: hours are folded, statistics are kept.
func (s *seeder) settle() error {
	if err := (store.DeliveryHours{DB: s.db}).Fold(s.db.Statement.Context, time.Now().Add(-2*span)); err != nil {
		return err
	}
	if s.postgres {
		return s.db.Exec("VACUUM ANALYZE").Error
	}
	return s.db.Exec("PRAGMA wal_checkpoint(TRUNCATE)").Error
}

// one reads the ID of a row.
func (s *seeder) one(table, where string) (id string, err error) {
	err = s.db.Raw(fmt.Sprintf("SELECT id FROM %s WHERE %s ORDER BY id DESC LIMIT 1", table, where)).Scan(&id).Error
	if err == nil && id == "" {
		err = fmt.Errorf("%s has no row with %s", table, where)
	}
	return id, err
}
