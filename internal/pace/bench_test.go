package pace_test

import (
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/pace"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// BenchmarkAdmit measures one admission with its release: what a worker pays for up to a burst of hand-overs.
func BenchmarkAdmit(b *testing.B) {
	databases := []struct {
		name string
		open func(testing.TB) *gorm.DB
	}{{"SQLite", testdb.SQLite}, {"Postgres", testdb.Postgres}}
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
			db := database.open(b)
			for _, test := range tests {
				b.Run(test.name, func(b *testing.B) {
					g := pace.New(db, limits{rule.Email: test.limits})
					for b.Loop() {
						a := admit(b, g, rule.Email, 10, time.Minute)
						release(b, a, 0)
					}
				})
			}
		})
	}
}
