package retention_test

import (
	"context"
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/retention"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/notify"
)

// Article is what the benchmark saves: a registered model, so that each save writes an event in its transaction.
type Article struct {
	ID    uint
	Title string
	Price int
}

const (
	oldEvents = 340_000 // with a delivery and an attempt each: a million rows
	savers    = 4
	window    = 4 * time.Second
	windows   = 3
)

// BenchmarkSavesBesideASweep saves for some seconds alone, and for as long while a million old rows are deleted, in turns.
// The Postgres of the tests does not wait for its disk: SWEEP_DATABASE_URL names another one, an empty database.
func BenchmarkSavesBesideASweep(b *testing.B) {
	url := os.Getenv("SWEEP_DATABASE_URL")
	if url == "" {
		url = testdb.PostgresURL(b)
	}
	db := testdb.Open(b, url)
	seed(b, db)
	plugin := notify.New(notify.Options{})
	if err := db.Use(plugin); err != nil {
		b.Fatal(err)
	}
	if err := db.AutoMigrate(&Article{}); err != nil {
		b.Fatal(err)
	}
	if err := plugin.Register(&Article{}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		var alone, beside figures
		save(b, db) // warm
		for range windows {
			alone.add(save(b, db))
			ctx, stop := context.WithCancel(b.Context())
			s := retention.New(retention.Options{DB: db, Keep: 90 * day})
			ended := make(chan struct{})
			go func() { _ = s.Sweep(ctx); close(ended) }()
			beside.add(save(b, db))
			stop()
			<-ended
			d := s.Deleted()
			if !s.Finished().IsZero() {
				b.Error("the sweep ended before the saves")
			}
			beside.deleted += d.Events + d.Deliveries + d.Attempts
		}
		b.ReportMetric(alone.rate(), "saves/s")
		b.ReportMetric(beside.rate(), "saves/s-beside")
		b.ReportMetric(float64(alone.p99().Microseconds()), "p99-us")
		b.ReportMetric(float64(beside.p99().Microseconds()), "p99-us-beside")
		b.ReportMetric(float64(beside.deleted)/(windows*window.Seconds()), "deleted-rows/s")
	}
}

type figures struct {
	took    []time.Duration
	deleted int64
}

func (f *figures) add(took []time.Duration) { f.took = append(f.took, took...) }
func (f *figures) rate() float64            { return float64(len(f.took)) / (windows * window.Seconds()) }
func (f *figures) p99() time.Duration {
	sort.Slice(f.took, func(i, j int) bool { return f.took[i] < f.took[j] })
	return f.took[len(f.took)*99/100]
}

// save saves as fast as a few connections can for one window, and gives how long each save took.
func save(b *testing.B, db *gorm.DB) (took []time.Duration) {
	b.Helper()
	var saving sync.WaitGroup
	var lock sync.Mutex
	var count atomic.Int64
	end := time.Now().Add(window)
	for range savers {
		saving.Go(func() {
			var own []time.Duration
			for time.Now().Before(end) {
				begun := time.Now()
				if err := db.Create(&Article{Title: fmt.Sprint(count.Add(1)), Price: 1}).Error; err != nil {
					b.Error(err)
					return
				}
				own = append(own, time.Since(begun))
			}
			lock.Lock()
			took = append(took, own...)
			lock.Unlock()
		})
	}
	saving.Wait()
	return took
}

func seed(b *testing.B, db *gorm.DB) {
	b.Helper()
	first := time.Now().Add(-200 * day).UnixMilli()
	const id = "substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-7000-8000-000000000000'"
	for _, statement := range []string{
		`CREATE UNLOGGED TABLE ids AS SELECT ` + id + ` AS id, i FROM
			(SELECT i, lpad(to_hex(CAST(? AS BIGINT) + i * 10), 12, '0') AS h FROM generate_series(1, ?) i) x`,
		`INSERT INTO notify_events (id, model, key, action, doc, revision, source, status, reason, batch_id, workflow_id, created_at, settled_at)
			SELECT id, 'orders', i, 'update', repeat('{"title":"A title"}', 20), 1, 'plugin', 'settled', '', id, 'w' || id, now() - interval '200 days', now() - interval '200 days' FROM ids`,
		`INSERT INTO notify_deliveries (id, event_id, notification_id, notification_version, channel, address, subject, body_text, body_html,
			status, attempts, provider_id, error_code, workflow_id, retry_event_id, created_at, updated_at)
			SELECT id, id, 'n', 1, 'email', i || '@example.com', 's', repeat('A text. ', 40), '', 'sent', 1, 'p' || i, '', 'w' || id, '',
			now() - interval '200 days', now() - interval '200 days' FROM ids`,
		`INSERT INTO notify_attempts SELECT id, 1, 'sent', '', '', now(), now() FROM ids`,
		`DROP TABLE ids`,
	} {
		var values []any
		if strings.HasPrefix(statement, "CREATE") {
			values = []any{first, oldEvents}
		}
		if err := db.Exec(statement, values...).Error; err != nil {
			b.Fatal(err)
		}
	}
	if err := db.Exec("VACUUM ANALYZE").Error; err != nil {
		b.Fatal(err)
	}
}
