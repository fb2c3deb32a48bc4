package notify_test

import (
	"context"
	"database/sql"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/notify"
)

// Each benchmark runs a statement by a gorm without the plugin, bare, and by one with it, in turns and on the same pool,
// so that a busy machine is equally unfair to both, and reports the median of the multiples: a watched create should cost
// at most 1.5 times the bare one in its transaction, a watched update at most 2 times, and a save that nobody watches, or
// of a model that is not registered, at most 1.02 times.

func BenchmarkWatchedCreate(b *testing.B) { benchmark(b, everything, create) }
func BenchmarkWatchedUpdate(b *testing.B) { benchmark(b, everything, update) }
func BenchmarkWatchedDelete(b *testing.B) { benchmark(b, everything, remove) }

func BenchmarkUnwatchedCreate(b *testing.B) { benchmark(b, nothing, create) }
func BenchmarkUnwatchedUpdate(b *testing.B) { benchmark(b, nothing, update) }
func BenchmarkUnwatchedDelete(b *testing.B) { benchmark(b, nothing, remove) }

func BenchmarkUnregisteredCreate(b *testing.B) { benchmark(b, everything, createStranger) }
func BenchmarkUnregisteredUpdate(b *testing.B) { benchmark(b, everything, updateStranger) }

// BenchmarkWatchedBatch saves 100 rows with one statement.
func BenchmarkWatchedBatch(b *testing.B) { benchmark(b, everything, createBatch) }

// stranger is a model that is not registered.
type stranger struct {
	ID    uint
	Text  string
	Count int32
}

func create(db *gorm.DB, _ int) error { return db.Create(&plainRow{Text: "text", Count: 3}).Error }

func update(db *gorm.DB, i int) error {
	return db.Model(&plainRow{ID: uint(i)}).Update("text", fmt.Sprint(i)).Error
}

func remove(db *gorm.DB, i int) error { return db.Delete(&plainRow{ID: uint(i)}).Error }

func createStranger(db *gorm.DB, _ int) error {
	return db.Create(&stranger{Text: "text", Count: 3}).Error
}

func updateStranger(db *gorm.DB, i int) error {
	return db.Model(&stranger{ID: 1}).Update("text", fmt.Sprint(i)).Error
}

func createBatch(db *gorm.DB, _ int) error {
	rows := make([]plainRow, 100)
	for i := range rows {
		rows[i].Text = "text"
	}
	return db.Create(&rows).Error
}

// everything and nothing say what is watched.
func everything(*shop) {}
func nothing(s *shop)  { s.deactivateAll() }

// countedRuns is the number of runs over which allocations are counted.
const countedRuns = 100

func benchmark(b *testing.B, arrange func(*shop), do func(*gorm.DB, int) error) {
	for _, c := range []struct {
		name string
		open func(testing.TB) *gorm.DB
	}{{"SQLite", testdb.SQLite}, {"Postgres", testdb.Postgres}} {
		b.Run(c.name, func(b *testing.B) {
			s := open(b, c.open(b), notify.Options{AfterCommit: func() {}})
			arrange(s)
			ctx, cancel := context.WithCancel(b.Context()) // as a request has one
			defer cancel()
			bare, plugged := bareGorm(b, s.db).WithContext(ctx), s.db.Session(&gorm.Session{Logger: logger.Discard, Context: ctx})
			must(b, bare.AutoMigrate(&stranger{}))
			must(b, bare.CreateInBatches(make([]plainRow, 2*(b.N+countedRuns)+1), 1000).Error)
			must(b, bare.Create(&stranger{}).Error)
			settle(b, s.db)
			b.ResetTimer()
			pair := [2]*gorm.DB{bare, plugged}
			took := [2][]time.Duration{}
			for i := range b.N {
				for j := range pair {
					turn := (i + j) % 2 // who comes first changes, too
					begin := time.Now()
					must(b, do(pair[turn], 2*i+j+1))
					took[turn] = append(took[turn], time.Since(begin))
				}
			}
			b.StopTimer()
			ratio := medianRatio(took)
			b.ReportMetric(0, "ns/op") // of both together: it says nothing
			b.ReportMetric(float64(median(took[0]).Nanoseconds())/1000, "µs/bare")
			b.ReportMetric(float64(median(took[1]).Nanoseconds())/1000, "µs/plugged")
			b.ReportMetric(ratio, "x-bare")
			for turn, name := range []string{"allocs/bare", "allocs/plugged"} {
				b.ReportMetric(allocations(b, func(i int) error { return do(pair[turn], 2*(b.N+i)+turn+1) }), name)
			}
		})
	}
}

// bareGorm gives a gorm without the plugin on the same pool.
func bareGorm(b *testing.B, db *gorm.DB) *gorm.DB {
	b.Helper()
	pool, err := db.DB()
	must(b, err)
	config := &gorm.Config{Logger: logger.Discard, TranslateError: true, NowFunc: db.NowFunc}
	bare, err := gorm.Open(dialector(db, pool), config)
	must(b, err)
	return bare
}

func dialector(db *gorm.DB, pool *sql.DB) gorm.Dialector {
	if db.Name() == "postgres" {
		return postgres.New(postgres.Config{Conn: pool})
	}
	return sqlite.Dialector{Conn: pool}
}

// settle lets the plan of every statement be made from a table's true size.
func settle(b *testing.B, db *gorm.DB) {
	b.Helper()
	if db.Name() == "postgres" {
		must(b, db.Exec("VACUUM ANALYZE").Error)
	}
}

func allocations(b *testing.B, do func(int) error) float64 {
	b.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range countedRuns {
		must(b, do(i))
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / countedRuns
}

// medianRatio compares each run with its neighbour in time: what makes the machine slow for a while makes both slow.
func medianRatio(took [2][]time.Duration) float64 {
	ratios := make([]float64, len(took[0]))
	for i := range ratios {
		ratios[i] = float64(took[1][i]) / float64(took[0][i])
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2]
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}
