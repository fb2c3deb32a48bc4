package app

import (
	"context"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/retention"
	"github.com/silquetech/silque-notifications/internal/rule"
)

// metrics serves the process's figures and the outbox's, in Prometheus' format.
func (a *App) metrics() gin.HandlerFunc {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		backlog{db: a.config.DB},
		unsent{db: a.config.DB},
		sweeps{a.sweeper},
	)
	return gin.WrapH(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
}

// backlog counts, when asked, the events that are not settled: few rows of an index, however long the history. The
// queries repeat that index's condition, because a database cannot know what a parameter implies.
type backlog struct{ db *gorm.DB }

var (
	backlogEvents = prometheus.NewDesc("notify_outbox_events", "Events that are not settled.", []string{"status"}, nil)
	backlogAge    = prometheus.NewDesc("notify_outbox_oldest_pending_seconds",
		"Age of the oldest event that no workflow has taken yet.", nil, nil)
)

// backlogTimeout bounds the queries of one scrape.
const backlogTimeout = 3 * time.Second

// Describe lists the figures.
func (b backlog) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- backlogEvents
	descriptions <- backlogAge
}

// Collect reads them; a database that does not answer leaves them out.
func (b backlog) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), backlogTimeout)
	defer cancel()
	db := b.db.WithContext(ctx)
	for _, status := range []string{"pending", "started"} {
		var count int64
		err := db.Raw("SELECT COUNT(*) FROM notify_events WHERE status = ? AND status <> 'settled'", status).Scan(&count).Error
		if err != nil {
			return
		}
		metrics <- prometheus.MustNewConstMetric(backlogEvents, prometheus.GaugeValue, float64(count), status)
	}
	var oldest []time.Time
	err := db.Table("notify_events").Where("status = 'pending' AND status <> 'settled'").Order("id").Limit(1).Pluck("created_at", &oldest).Error
	if err != nil {
		return
	}
	age := 0.0
	if len(oldest) == 1 {
		age = max(0, time.Since(oldest[0]).Seconds())
	}
	metrics <- prometheus.MustNewConstMetric(backlogAge, prometheus.GaugeValue, age)
}

// unsent counts, when asked, the deliveries that have not ended, by an index: those that wait for a slow or paused channel, a
// limit, a retry or a worker.
type unsent struct{ db *gorm.DB }

var (
	unsentCount = prometheus.NewDesc("notify_deliveries_unsent", "Deliveries that have not ended.", []string{"channel"}, nil)
	unsentAge   = prometheus.NewDesc("notify_deliveries_oldest_unsent_seconds",
		"Age of the oldest delivery that has not ended; missing when all have.", []string{"channel"}, nil)
)

// Describe lists the figures.
func (u unsent) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- unsentCount
	descriptions <- unsentAge
}

// Collect reads them; a database that does not answer leaves them out.
func (u unsent) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), backlogTimeout)
	defer cancel()
	var rows []struct {
		Channel rule.Channel
		Count   int64
		Oldest  string
	}
	err := u.db.WithContext(ctx).Raw(`SELECT channel, COUNT(*) AS count, MIN(id) AS oldest FROM notify_deliveries
		WHERE status IN ('pending', 'sending') GROUP BY channel`).Scan(&rows).Error
	if err != nil {
		return
	}
	counts := make(map[rule.Channel]int64)
	for _, row := range rows {
		counts[row.Channel] = row.Count
		if id, err := uuid.Parse(row.Oldest); err == nil {
			age := max(0, time.Since(time.Unix(id.Time().UnixTime())).Seconds()) // IDs are UUIDv7: they hold their time
			metrics <- prometheus.MustNewConstMetric(unsentAge, prometheus.GaugeValue, age, string(row.Channel))
		}
	}
	for _, channel := range rule.Channels {
		metrics <- prometheus.MustNewConstMetric(unsentCount, prometheus.GaugeValue, float64(counts[channel]), string(channel))
	}
}

// sweeps tells what this process has deleted because it was old.
type sweeps struct{ *retention.Sweeper }

var (
	sweepsDeleted = prometheus.NewDesc("notify_retention_deleted_rows_total", "Old rows that this process has deleted.", []string{"table"}, nil)
	sweepsLast    = prometheus.NewDesc("notify_retention_last_sweep_timestamp_seconds",
		"When this process last went through all old rows to the end; missing before the first time.", nil, nil)
)

// Describe lists the figures.
func (s sweeps) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- sweepsDeleted
	descriptions <- sweepsLast
}

// Collect reads them.
func (s sweeps) Collect(metrics chan<- prometheus.Metric) {
	deleted := s.Deleted()
	for table, count := range map[string]int64{
		"notify_events": deleted.Events, "notify_deliveries": deleted.Deliveries,
		"notify_attempts": deleted.Attempts, "notify_errors": deleted.Errors,
	} {
		metrics <- prometheus.MustNewConstMetric(sweepsDeleted, prometheus.CounterValue, float64(count), table)
	}
	if last := s.Finished(); !last.IsZero() {
		metrics <- prometheus.MustNewConstMetric(sweepsLast, prometheus.GaugeValue, float64(last.Unix()))
	}
}
