package wiring

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// attemptSeconds are the bounds of the histogram: from a server next door to the provider's timeout.
var attemptSeconds = []float64{0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 20, 30}

// workerMetrics are a worker's figures.
type workerMetrics struct {
	registry *prometheus.Registry
	attempts *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newWorkerMetrics() *workerMetrics {
	m := &workerMetrics{
		registry: prometheus.NewRegistry(),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "notify_attempts_total", Help: "Attempts to hand a delivery over, by channel and outcome.",
		}, []string{"channel", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "notify_attempt_seconds", Help: "How long a hand-over took.", Buckets: attemptSeconds,
		}, []string{"channel"}),
	}
	m.registry.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), m.attempts, m.seconds)
	return m
}

// observe counts one attempt. The labels are few by nature: never a code, an ID or an address.
func (m *workerMetrics) observe(channel rule.Channel, outcome string, took time.Duration) {
	m.attempts.WithLabelValues(string(channel), outcome).Inc()
	m.seconds.WithLabelValues(string(channel)).Observe(took.Seconds())
}
