package app

import (
	"context"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/retention"
)

// metrics serves the process's figures and the outbox's, in Prometheus' format.
func (a *App) metrics() gin.HandlerFunc {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		backlog{db: a.config.DB},
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
