package notify_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/notify"
)

// These take turns with the bare statement, so that a busy machine is equally unfair to both, and report the median's
// multiple of the bare median: a watched create should cost at most 1.5 times the bare one in its transaction, a watched
// update at most 2 times.

func BenchmarkWatchedCreate(b *testing.B) { benchmark(b, create) }
func BenchmarkWatchedUpdate(b *testing.B) { benchmark(b, update) }
func BenchmarkWatchedDelete(b *testing.B) { benchmark(b, remove) }

func create(db *gorm.DB, _ int) error { return db.Create(&plainRow{Text: "text", Count: 3}).Error }

func update(db *gorm.DB, i int) error {
	return db.Model(&plainRow{ID: 1}).Update("text", fmt.Sprint(i)).Error
}

func remove(db *gorm.DB, i int) error { return db.Delete(&plainRow{ID: uint(i)}).Error }

func benchmark(b *testing.B, do func(*gorm.DB, int) error) {
	for _, c := range []struct {
		name string
		open func(testing.TB) *gorm.DB
	}{{"SQLite", testdb.SQLite}, {"Postgres", testdb.Postgres}} {
		b.Run(c.name, func(b *testing.B) {
			s := open(b, c.open(b), notify.Options{AfterCommit: func() {}})
			watched := s.db.Session(&gorm.Session{Logger: logger.Discard})
			bare := watched.WithContext(notify.Skip(b.Context()))
			rows := make([]plainRow, 2*b.N+1)
			must(b, bare.CreateInBatches(&rows, 1000).Error)
			took := map[*gorm.DB][]time.Duration{}
			b.ResetTimer()
			for i := range b.N {
				for j, db := range []*gorm.DB{bare, watched} {
					begin := time.Now()
					must(b, do(db, 2*i+j+1))
					took[db] = append(took[db], time.Since(begin))
				}
			}
			b.ReportMetric(float64(median(took[watched]).Microseconds()), "µs/watched")
			b.ReportMetric(float64(median(took[watched]))/float64(median(took[bare])), "x-bare")
		})
	}
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}
