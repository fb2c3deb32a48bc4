package pace_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/internal/pace"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// BenchmarkAdmit measures one admission with its release: what a worker pays for up to a burst of hand-overs.
func BenchmarkAdmit(b *testing.B) {
	databases := []struct {
		name string
		url  func(testing.TB) string
	}{{"SQLite", testdb.SQLiteURL}, {"Postgres", testdb.PostgresURL}}
	tests := []struct {
		name   string
		limits pace.Limits
	}{
		{"without limits", pace.Limits{}},
		{"rate", pace.Limits{PerSecond: 10000}},
		{"concurrency", pace.Limits{Concurrency: 100}},
		{"both", pace.Limits{PerSecond: 10000, Concurrency: 100}},
	}
	for _, database := range databases {
		b.Run(database.name, func(b *testing.B) {
			url := database.url(b)
			for _, test := range tests {
				gates := workers(b, url, 3, limits{rule.Email: test.limits})
				b.Run(test.name, func(b *testing.B) {
					for b.Loop() {
						release(b, admit(b, gates[0], rule.Email, 10, time.Minute), 0)
					}
				})
				b.Run(test.name+" by three workers at once", func(b *testing.B) {
					var next atomic.Int64
					b.SetParallelism(6)
					b.RunParallel(func(each *testing.PB) {
						g := gates[next.Add(1)%3]
						for each.Next() {
							release(b, admit(b, g, rule.Email, 10, time.Minute), 0)
						}
					})
				})
			}
		})
	}
}
