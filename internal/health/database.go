package health

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
)

// slowDatabase is from when on one small query says that something is wrong: on one machine it takes a millisecond.
const slowDatabase = 500 * time.Millisecond

// Database asks the application's database whether it answers and has our tables.
func Database(db *gorm.DB) Probe {
	return Probe{Name: "database", Title: "Database", Settings: []string{"DATABASE_URL"}, Ask: func(ctx context.Context) Answer {
		var revision int64
		began := time.Now()
		err := db.WithContext(ctx).Raw("SELECT revision FROM notify_revision WHERE id = 1").Scan(&revision).Error
		took := time.Since(began)
		switch {
		case err != nil && ctx.Err() != nil:
			return Answer{State: Down, Text: "It does not answer in time.", Advice: "Look whether the database server is overloaded, or can be reached from here."}
		case err != nil:
			return Answer{State: Down, Text: "It cannot be asked.", Advice: "Look at the database server, and whether DATABASE_URL is right. The log has the error."}
		}
		a := Answer{State: OK, Text: "It answers.", Facts: databaseFacts(ctx, db, took)}
		if readOnly(ctx, db) {
			a.State, a.Text = Down, "It can be read only."
			a.Advice = "Look whether DATABASE_URL leads to a standby, or whether default_transaction_read_only is set. Saves fail, and messages wait; nothing is lost."
			return a
		}
		if took > slowDatabase {
			a.State, a.Text, a.Advice = Warning, "It answers slowly.", "Look at what the database server is busy with, and how far away it is."
		}
		if off := time.Since(db.NowFunc()); off.Abs() > wrongClock && a.State == OK {
			a.State = Warning
			a.Text = fmt.Sprintf("This machine's clock is %s the database's.", apart(off))
			a.Advice = "Set the clocks, and let NTP keep them on every machine. Meanwhile everything that the programs share goes by the database's clock."
		}
		return a
	}}
}

// readOnly says whether Postgres takes no changes. SQLite says that to a change alone.
func readOnly(ctx context.Context, db *gorm.DB) bool {
	if db.Name() != "postgres" {
		return false
	}
	var setting string
	err := db.WithContext(ctx).Raw("SELECT current_setting('transaction_read_only')").Scan(&setting).Error
	return err == nil && setting == "on"
}

// wrongClock is from when on a difference between two machines' clocks is worth a person's time.
const wrongClock = 10 * time.Second

// apart says how far a clock is off another, and to which side.
func apart(off time.Duration) string {
	if off < 0 {
		return off.Abs().Round(time.Second).String() + " behind"
	}
	return off.Round(time.Second).String() + " ahead of"
}

// databaseFacts leaves out what cannot be found out.
func databaseFacts(ctx context.Context, db *gorm.DB, took time.Duration) []Fact {
	name, query := "SQLite", "SELECT sqlite_version()"
	if db.Name() == "postgres" {
		name, query = "PostgreSQL", "SHOW server_version"
	}
	var version string
	if err := db.WithContext(ctx).Raw(query).Scan(&version).Error; err == nil {
		name = strings.TrimSpace(name + " " + version)
	}
	facts := []Fact{{Name: "Server", Value: name}, {Name: "A small query took", Value: milliseconds(took)}}
	if pool, err := db.DB(); err == nil {
		stats := pool.Stats()
		connections := fmt.Sprintf("%d in use, %d open", stats.InUse, stats.OpenConnections)
		if stats.MaxOpenConnections > 0 {
			connections += fmt.Sprintf(", %d at most", stats.MaxOpenConnections)
		}
		facts = append(facts, Fact{Name: "Connections of this process", Value: connections})
	}
	return facts
}

// milliseconds writes a short time for people.
func milliseconds(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}

// Relay asks whether events leave the outbox. unable says that they cannot be claimed at the moment, stalled that Temporal
// refuses starts.
func Relay(unable, stalled func() bool) Probe {
	return Probe{Name: "relay", Title: "Relay", Settings: []string{"NOTIFY_BATCH_MAX"}, Ask: func(context.Context) Answer {
		if unable() {
			return Answer{State: Down, Text: "Events wait: the database does not let them be claimed.",
				Advice: "Nothing is lost. Look whether the disk is full, the database read-only, or somebody holds a lock; the log has the error."}
		}
		if stalled() {
			return Answer{State: Down, Text: "Events wait: Temporal does not take their workflows.",
				Advice: "Nothing is lost. They flow when Temporal is back; look at Temporal below."}
		}
		return Answer{State: OK, Text: "Events go to Temporal as they come."}
	}}
}
