package retention

import (
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
)

// KeyWindow is how long an event with an idempotency key stays at least, whatever the settings say: a date alert can fall
// due again for as long as NOTIFY_ALERT_CATCHUP looks back, 30 days at most, and some days more when its zone or time of
// day is changed or its scan is late. Without the earlier event it would be told twice.
const KeyWindow = 35 * 24 * time.Hour

// bound gives the ID before which every ID is older than a moment.
func bound(at time.Time) string { return outbox.FirstID(at) }

// session gives clean statements: no hook or plugin of the application sees them.
func session(db *gorm.DB) *gorm.DB {
	return db.Session(&gorm.Session{NewDB: true, SkipHooks: true, SkipDefaultTransaction: true})
}

// locked ends a query whose rows are about to be deleted: on Postgres it passes over those that somebody else has in hand.
// SQLite's transactions take their turn as a whole.
func locked(db *gorm.DB) string {
	if db.Name() == "postgres" {
		return " FOR UPDATE SKIP LOCKED"
	}
	return ""
}
