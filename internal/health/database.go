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

// Relay asks whether events leave the outbox. stalled says that Temporal refuses starts at the moment.
func Relay(stalled func() bool) Probe {
	return Probe{Name: "relay", Title: "Relay", Settings: []string{"NOTIFY_BATCH_MAX"}, Ask: func(context.Context) Answer {
		if stalled() {
			return Answer{State: Down, Text: "Events wait: Temporal does not take their workflows.",
				Advice: "Nothing is lost. They flow when Temporal is back; look at Temporal below."}
		}
		return Answer{State: OK, Text: "Events go to Temporal as they come."}
	}}
}
